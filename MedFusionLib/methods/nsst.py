"""Non-subsampled shearlet fusion, in slices and in volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion, VolumeBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.directional import SEAM, Tiling, bank_for
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.transforms.shearlet3d import ShearletBank


@dataclass(frozen=True)
class ShearletFusion:
    """Strongest shearlet coefficient, energy-weighted base; 3-D shearlets in volumes.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale of slices, fine to coarse.
    steps : tuple of int
        Steps per slope and scale of volumes, fine to coarse: three times their square are the directions.
    detail_rule, base_rule : Rule
        How directional bands and base are weighted.
    """

    directions: tuple[int, ...] = (16, 16, 8, 8)
    steps: tuple[int, ...] = (3, 2, 2)
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsst",
        title="Non-subsampled shearlet transform",
        family="multiscale transforms",
        citation="G. Easley, D. Labate, W.-Q. Lim, Sparse directional image representations using the discrete "
        "shearlet "
        "transform, Appl. Comput. Harmon. Anal. 25 (2008) 25-46; in volumes: P. S. Negi, D. Labate, 3-D discrete "
        "shearlet transform and video processing, IEEE Trans. Image Process. 21 (2012) 2944-2954",
        sentence="Picks the strongest feature per scale and direction; in volumes the directions are truly "
        "three-dimensional.",
        reproduces="Directions by shears (even steps of slope), 16, 16, 8, 8; windows are Gaussian and cosine "
        "shaped in "
        "the frequency domain, and pyramids fade into each other (our choice).",
        survey_reference="40",
        memory_factor=5.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion | VolumeBankFusion:
        """Windows for the size and spacing of the slices or the volume."""
        if sources.ndim == 5:
            lengths = extended_lengths(sources, 3, SEAM)
            volume = ShearletBank(tuple(sources.shape[2:]), lengths, tuple(spacing), self.steps)
            return VolumeBankFusion(volume, self.detail_rule, self.base_rule)
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="slope"))
        return SliceBankFusion(bank, self.detail_rule, self.base_rule)
