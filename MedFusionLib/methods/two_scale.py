"""Fusion of a base and a detail: what the two-scale methods share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.methods.rules import combine

Weigh = Callable[[Tensor, Tensor], Tensor]
"""Weights from the sources and one of their bands, both (N, S, *spatial)."""


@dataclass(frozen=True)
class TwoScaleFusion:
    """A fitted method that splits every source in two and weights both halves.

    Parameters
    ----------
    base_of : callable
        The base of sources (N, S, *spatial); the detail is what remains.
    base_weights, detail_weights : callable
        Weights of the sources in the base and in the detail, from the sources and that band.
    support : Local or Global
        What a piece must contain.
    """

    base_of: Callable[[Tensor], Tensor]
    base_weights: Weigh
    detail_weights: Weigh
    support: Local | Global

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial)."""
        base = self.base_of(sources)
        detail = sources - base
        checkpoint()
        for_base = self.base_weights(sources, base)
        checkpoint()
        for_detail = self.detail_weights(sources, detail)
        image = combine(base, for_base).add_(combine(detail, for_detail))
        return Fused(image, for_base * base + for_detail * detail if with_parts else None)
