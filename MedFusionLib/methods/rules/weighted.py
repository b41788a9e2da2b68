"""Weight sources by fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Weighted:
    """Fixed weights per source; equal ones when none are given.

    Parameters
    ----------
    weights : sequence of float or None
        One non-negative number per source, with sum 1.
    """

    weights: Sequence[float] | None = None

    @property
    def reach(self) -> int:
        """A sample decides alone."""
        return 0

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights of shape (1, S, 1, ..)."""
        sources = bands.shape[1]
        values = self.weights if self.weights is not None else [1 / sources] * sources
        weights = torch.tensor(values, dtype=bands.dtype, device=bands.device)
        return weights.reshape(1, sources, *[1] * ndim)
