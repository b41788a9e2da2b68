"""Weights from how much a source tells about all sources together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.transforms.filters import box_mean


@dataclass(frozen=True)
class RegionInformation:
    """Mutual information between a source and the mean of all, in a window around each sample.

    Both are sorted into a few bins between the smallest and the largest value in the slice (or
    volume); values between two bin centres count for both. As an activity: the source that explains
    most of the region wins.

    Parameters
    ----------
    radius : int
        Half size of the window in samples.
    bins : int
        Number of bins.

    Notes
    -----
    After the mutual information of G. Qu, D. Zhang, P. Yan, "Information measure for performance of
    image fusion", Electron. Lett. 38 (2002) 313-315, taken region by region.
    """

    radius: int = 4
    bins: int = 6

    @property
    def reach(self) -> None:
        """The bins depend on the whole band."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Information in bits, shape (N, S, *spatial)."""
        together = self._memberships(bands.mean(dim=1, keepdim=True), ndim)
        shares = [box_mean(member, self.radius, ndim) for member in together]
        single = self._memberships(bands, ndim)
        total = torch.zeros_like(bands)
        for member in single:
            own = box_mean(member, self.radius, ndim)
            for other, share in zip(together, shares):
                joint = box_mean(member * other, self.radius, ndim)
                ratio = joint / (own * share).clamp_(min=1e-12)
                total += joint * torch.log2(ratio.clamp_(min=1e-12))
        return total.clamp_(min=0)

    def _memberships(self, values: Tensor, ndim: int) -> list[Tensor]:
        """How much every sample belongs to each bin; the memberships sum to 1."""
        axes = tuple(range(-ndim, 0))
        lowest, highest = values.amin(dim=axes, keepdim=True), values.amax(dim=axes, keepdim=True)
        position = (values - lowest) / (highest - lowest).clamp(min=1e-12) * (self.bins - 1)
        return [(1 - (position - number).abs()).clamp_(min=0) for number in range(self.bins)]
