"""Take the stronger band, with a vote among neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.methods.rules.windows import largest_of_three, sum_of_three

SLAB_SAMPLES = 2_000_000
"""Samples handled at once: the intermediates of a slab then stay in cache and below 16 MB."""


@dataclass(frozen=True)
class ChooseMax:
    """Choose the source with the largest absolute coefficient nearby, verified by its neighbours.

    The activity of a sample is the largest modulus in its 3^ndim window; the source with the larger
    activity gets a vote; the majority of the votes in the 3^ndim window decides.

    Notes
    -----
    H. Li, B. S. Manjunath, S. K. Mitra, "Multisensor image fusion using the wavelet transform",
    Graphical Models and Image Processing 57 (1995) 235-245.
    """

    @property
    def reach(self) -> int:
        """Two windows of three, one after the other."""
        return 2

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights 0, 1 (or an equal share in a tie), shape (N, S, *spatial)."""
        if bands.numel() <= SLAB_SAMPLES:
            return _weights(bands, ndim)
        weights = torch.empty(bands.shape, dtype=bands.real.dtype, device=bands.device)
        first = -ndim
        length = bands.shape[first]
        rows = max(1, SLAB_SAMPLES * length // bands.numel())
        for start in range(0, length, rows):
            stop = min(start + rows, length)
            low, high = max(start - self.reach, 0), min(stop + self.reach, length)
            part = _weights(bands.narrow(first, low, high - low), ndim)
            weights.narrow(first, start, stop - start).copy_(part.narrow(first, start - low, stop - start))
        return weights


def _weights(bands: Tensor, ndim: int) -> Tensor:
    activity = largest_of_three(bands, ndim)
    if bands.shape[1] == 2:
        return _weights_of_two(activity, ndim)
    leaders = (activity == activity.amax(dim=1, keepdim=True)).to(torch.int8)
    votes = sum_of_three(leaders, ndim)
    winners = (votes == votes.amax(dim=1, keepdim=True)).to(activity.dtype)
    return winners.div_(winners.sum(dim=1, keepdim=True))


def _weights_of_two(activity: Tensor, ndim: int) -> Tensor:
    """The same decision for two sources from the sign of the difference, in bytes as far as possible."""
    lead = torch.sub(activity[:, 0], activity[:, 1]).sign_()  # comparisons would be slower
    votes = sum_of_three(lead, ndim, torch.int8).clamp_(-1, 1).add_(1)
    weights = torch.empty_like(activity)
    weights[:, 0].copy_(votes).mul_(0.5)
    torch.sub(1, weights[:, 0], out=weights[:, 1])
    return weights
