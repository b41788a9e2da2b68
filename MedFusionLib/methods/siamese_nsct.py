"""Contourlets guided by a siamese network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import EnergyTimesLaplacian, InProportion
from MedFusionLib.methods.siamese import WEIGHTS, FittedSiamese, MatchedMapRule
from MedFusionLib.methods.standing import below_average
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.weights import card


@dataclass(frozen=True)
class SiameseContourletFusion:
    """Directional bands mixed by the map where they match, the base by energy and Laplacian."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="siamese-nsct",
        title="NSCT with a siamese network",
        family="transforms with networks",
        citation="Z. Wang et al., medical image fusion by convolutional neural networks and NSCT, as cited by the "
        "survey of the field (its number 37)",
        sentence="Contourlet bands mixed by a network where sources match, the stronger one elsewhere; smooth "
        "contours." + below_average("siamese-nsct"),
        reproduces="The network's map for the directional bands, energy and modified Laplacian for the base; how "
        "both meet is our reading: the exact rules could not be read.",
        survey_reference="37",
        dims=(2,),
        weights=card(WEIGHTS)["sha256"],
        is_fast=False,
        memory_factor=300.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedSiamese:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling((16, 8, 8, 4)))
        base = InProportion(EnergyTimesLaplacian())
        return FittedSiamese(lambda weights: SliceBankFusion(bank, MatchedMapRule(weights), base))
