"""Largest source value in every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules import share_between_winners


@dataclass(frozen=True)
class LargestValue:
    """Rule: all weight to the largest value, ties shared."""

    @property
    def reach(self) -> int:
        """A voxel decides alone."""
        return 0

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights (N, S, *spatial)."""
        return share_between_winners(bands)


@dataclass(frozen=True)
class Maximum:
    """The brightest source wins in every voxel."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="maximum",
        title="Maximum",
        family="pixel rules",
        citation="Folklore; a baseline that is hard to beat on many metrics",
        sentence="The brightest source wins in every voxel: high contrast, but dark findings disappear.",
        reproduces="Complete.",
        survey_reference="1",
        memory_factor=4.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Nothing to learn from the whole."""
        return PixelwiseFusion(LargestValue(), sources.ndim - 2)
