"""What a fusion rule is, and how its weights are used."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Rule(Protocol):
    """Decides how much of each source goes into each sample of a band."""

    @property
    def reach(self) -> int | None:
        """How many samples the rule looks sideways; None when it looks at the whole band."""

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights for bands (N, S, *spatial) with `ndim` spatial axes; they sum to 1 over S."""


def combine(bands: Tensor, weights: Tensor) -> Tensor:
    """The fused band (N, *spatial): sum over sources of weight times band."""
    fused = weights[:, 0] * bands[:, 0]
    for source in range(1, bands.shape[1]):
        if fused.is_complex():
            fused += weights[:, source] * bands[:, source]
        else:
            fused.addcmul_(weights[:, source].expand_as(fused), bands[:, source])
    return fused


def add_fused(image: Tensor, bands: Tensor, weights: Tensor) -> None:
    """Add the fused band to an image (N, *spatial), in place and without an intermediate."""
    for source in range(bands.shape[1]):
        image.addcmul_(weights[:, source].expand_as(image), bands[:, source])


def share_between_winners(scores: Tensor) -> Tensor:
    """Weights (N, S, *spatial) that give all to the source with the highest score, ties shared."""
    winners = (scores == scores.amax(dim=1, keepdim=True)).to(scores.dtype)
    return winners.div_(winners.sum(dim=1, keepdim=True))
