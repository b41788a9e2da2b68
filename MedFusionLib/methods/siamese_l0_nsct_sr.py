"""L0 split: detail by a siamese network, cartoon by contourlets and sparse codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.l0_nsct_sr import FittedL0, cartoon_fusion
from MedFusionLib.methods.siamese import WEIGHTS, FittedSiamese, MapRule
from MedFusionLib.methods.standing import below_average
from MedFusionLib.transforms.directional import SEAM
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.weights import card

STRENGTH = 0.02
"""Price of a non-zero gradient in the cartoon."""


@dataclass(frozen=True)
class SiameseL0Fusion:
    """The detail above an L0 cartoon is mixed by the map; the cartoon goes through nsct-sr."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="siamese-l0-nsct-sr",
        title="L0 split with a siamese network, NSCT and sparse representation",
        family="transforms with networks",
        citation="D. S. Shibu, S. S. Priyadharsini, Multi scale decomposition based medical image fusion using "
        "convolutional neural network and sparse representation, Biomed. Signal Process. Control 69 (2021) 102789",
        sentence="Texture by a network, flat regions by contourlets and sparse codes; the slowest of the hybrids."
        + below_average("siamese-l0-nsct-sr"),
        reproduces="The split, the network for the detail, NSCT with sparse base for the cartoon; the lighter "
        "network, trained here; in the base the brightness of a patch counts too, for cartoons are flat.",
        survey_reference="39",
        dims=(2,),
        weights=card(WEIGHTS)["sha256"],
        is_fast=False,
        memory_factor=300.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedSiamese:
        """Windows for the size and spacing of the slices."""
        lengths = extended_lengths(sources, 2, SEAM)
        cartoon = cartoon_fusion(sources, spacing)
        return FittedSiamese(
            lambda weights: FittedL0(STRENGTH, tuple(spacing), lengths, cartoon, MapRule(weights, 1.0))
        )
