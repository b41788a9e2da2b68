"""Weighted average where sources agree, selection where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.transforms.filters import box_mean


@dataclass(frozen=True)
class MatchMeasure:
    """Average sources by how well they match the most salient one.

    The match of a source is its normalised correlation with the most salient source in a window.
    Below the threshold the salient source is taken alone; above it the weight of the other rises to
    one half at a perfect match. With more than two sources each is compared with the most salient
    one, and the weights are scaled to sum to one.

    Parameters
    ----------
    threshold : float
        Match from which sources are averaged.
    radius : int
        Half size of the window in samples.

    Notes
    -----
    P. J. Burt, R. J. Kolczynski, "Enhanced image capture through fusion", Proc. ICCV (1993) 173-182.
    """

    threshold: float = 0.75
    radius: int = 1

    @property
    def reach(self) -> int:
        """One window."""
        return self.radius

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, *spatial)."""
        energy = box_mean(bands * bands, self.radius, ndim).add_(TINY)
        highest = energy.amax(dim=1, keepdim=True)
        leads = (energy == highest).to(bands.dtype)
        leads /= leads.sum(dim=1, keepdim=True)
        weights = torch.zeros_like(bands)
        for leader in range(bands.shape[1]):
            ratios = self._ratios(bands, energy, leader, ndim)
            weights.addcmul_(leads[:, leader : leader + 1], ratios / ratios.sum(dim=1, keepdim=True))
        return weights

    def _ratios(self, bands: Tensor, energy: Tensor, leader: int, ndim: int) -> Tensor:
        """Weight of every source in relation to the leader, whose own is 1."""
        first = slice(leader, leader + 1)
        shared = box_mean(bands * bands[:, first], self.radius, ndim)
        match = (2 * shared + TINY) / (energy + energy[:, first])
        lesser = (0.5 - 0.5 * (1 - match) / (1 - self.threshold)).clamp_(0, 0.5)
        ratios = lesser / (1 - lesser)
        ratios[:, first] = 1
        return ratios
