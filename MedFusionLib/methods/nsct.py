"""Non-subsampled contourlet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.directional import Tiling, bank_for


@dataclass(frozen=True)
class ContourletFusion:
    """Strongest coefficient per scale and direction, energy-weighted base.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    detail_rule, base_rule : Rule
        How directional bands and base are weighted.
    """

    directions: tuple[int, ...] = (16, 8, 8, 4)
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsct",
        title="Non-subsampled contourlet transform",
        family="multiscale transforms",
        citation="Q. Zhang, B.-L. Guo, Multifocus image fusion using the nonsubsampled contourlet transform, "
        "Signal Process. 89 (2009) 1334-1346",
        sentence="Picks the strongest feature per scale and direction without decimation: smooth contours, no "
        "shift effects.",
        reproduces="Scales and number of directions of the usual toolbox setting; windows are Gaussian and cosine "
        "shaped in the frequency domain instead of the original filter bank; slices only.",
        survey_reference="36",
        dims=(2,),
        memory_factor=5.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="angle"))
        return SliceBankFusion(bank, self.detail_rule, self.base_rule)
