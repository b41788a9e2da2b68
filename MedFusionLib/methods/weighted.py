"""Weighted sum of the sources, as an opacity slider shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules import Weighted


@dataclass(frozen=True)
class WeightedSum:
    """Fixed weights; without any, the reference keeps 0.7 and the others share 0.3.

    Parameters
    ----------
    weights : sequence of float or None
        One per source, not negative; scaled to sum 1.
    """

    weights: Sequence[float] | None = None

    info: ClassVar[MethodInfo] = MethodInfo(
        name="weighted",
        title="Weighted sum",
        family="pixel rules",
        citation="Folklore; what an opacity slider shows",
        sentence="Fixed weights per source, 0.7 for the reference by default: what an opacity slider shows.",
        reproduces="Complete; the default weights are our choice.",
        survey_reference="1",
        is_symmetric=False,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Check the weights against the number of sources."""
        count = sources.shape[1]
        weights = np.asarray(self.weights if self.weights is not None else [0.7] + [0.3 / (count - 1)] * (count - 1))
        if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise UsageError(f"The weights {self.weights}", f"{count} numbers that are not negative, one per source")
        return PixelwiseFusion(Weighted(tuple(float(w) for w in weights / weights.sum())), sources.ndim - 2)
