"""Laplacian pyramid guided by a siamese network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import Tempered
from MedFusionLib.methods.siamese import WEIGHTS, FittedSiamese, MapRule, MatchedMapRule
from MedFusionLib.methods.standing import below_average
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.weights import card


@dataclass(frozen=True)
class SiameseLaplacianFusion:
    """Bands mixed by the map where the sources match, chosen by energy elsewhere."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="siamese-laplacian",
        title="Laplacian pyramid with a siamese network",
        family="transforms with networks",
        citation="Y. Liu, X. Chen, J. Cheng, H. Peng, A medical image fusion method based on convolutional neural "
        "networks, Proc. FUSION (2017)",
        sentence="A network that knows sharp from blurred mixes what matches; elsewhere the stronger detail wins."
        + below_average("siamese-laplacian"),
        reproduces="Map of a siamese network, match of at least 0.6, local energies over 7 x 7 (base: map and "
        "energy together); the lighter "
        "network, trained here.",
        survey_reference="",
        dims=(2,),
        weights=card(WEIGHTS)["sha256"],
        is_fast=False,
        memory_factor=300.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedSiamese:
        """Plan the levels for the size and spacing of the slices."""
        pyramid = LaplacianPyramid(plan_decimation(sources.shape[2:], spacing, 4), 2)
        return FittedSiamese(lambda weights: BandedFusion(pyramid, MatchedMapRule(weights), Tempered(MapRule(weights))))
