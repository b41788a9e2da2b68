"""Fusion of a base and a detail: what the two-scale methods share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.methods.rules import combine
from MedFusionLib.networks.blocks import envelope_of_rows, slabs

SAMPLES_HELD = 1 << 19
"""Samples of the sources that are held at once."""
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
    is_held : bool
        Whether every sample is held to what the sources show within one sample around it: base and detail
        that are weighted differently leave a veil around what is bright.
    """

    base_of: Callable[[Tensor], Tensor]
    base_weights: Weigh
    detail_weights: Weigh
    support: Local | Global
    is_held: bool = False

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial)."""
        base = self.base_of(sources)
        detail = sources - base
        checkpoint()
        for_base = self.base_weights(sources, base)
        checkpoint()
        for_detail = self.detail_weights(sources, detail)
        image = combine(base, for_base).add_(combine(detail, for_detail))
        parts = for_base * base + for_detail * detail if with_parts else None
        if self.is_held:
            _hold(sources, image, parts, for_base)
        return Fused(image, parts)


def _hold(sources: Tensor, image: Tensor, parts: Tensor | None, shares: Tensor) -> None:
    """Hold the image to the envelope of the sources; what is taken off or added goes to them by their shares."""
    for rows in slabs(sources, SAMPLES_HELD):
        held = image[:, rows].clamp(*envelope_of_rows(sources, rows))
        if parts is not None:
            parts[:, :, rows] += shares[:, :, rows] * (held - image[:, rows])[:, None]
        image[:, rows] = held
