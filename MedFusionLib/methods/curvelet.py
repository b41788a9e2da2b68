"""Curvelet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.directional import Tiling, bank_for


@dataclass(frozen=True)
class CurveletFusion:
    """Strongest curvelet coefficient, energy-weighted base.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse; it doubles every second scale.
    detail_rule, base_rule : Rule
        How directional bands and base are weighted.
    """

    directions: tuple[int, ...] = (32, 16, 16, 8)
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="curvelet",
        title="Curvelet transform",
        family="multiscale transforms",
        citation="F. Nencini, A. Garzelli, S. Baronti, L. Alparone, Remote sensing image fusion using the curvelet "
        "transform, Information Fusion 8 (2007) 143-156",
        sentence="Many fine directions on the finest scales follow long smooth edges such as the skull.",
        reproduces="Parabolic scaling (directions double every second scale) in square coronae; not decimated, with a "
        "partition of unity instead of a tight frame (our choice); slices only.",
        survey_reference="40",
        dims=(2,),
        memory_factor=5.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="slope", corona="square"))
        return SliceBankFusion(bank, self.detail_rule, self.base_rule)
