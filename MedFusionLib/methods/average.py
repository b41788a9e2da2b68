"""Average of the sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules import Weighted


@dataclass(frozen=True)
class Average:
    """Every source has the same weight."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="average",
        title="Average",
        family="pixel rules",
        citation="Folklore; a baseline for every comparison",
        sentence="Every source has the same weight everywhere: predictable, low in contrast.",
        reproduces="Complete.",
        survey_reference="1",
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Nothing to learn from the whole."""
        return PixelwiseFusion(Weighted(), sources.ndim - 2)
