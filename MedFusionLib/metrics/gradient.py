"""Metrics of the fused image from its gradients: spatial frequency, average gradient, edge intensity."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import mean_inside, sobel_magnitude
from MedFusionLib.metrics.slab import Slab


def fused_detail(slab: Slab) -> dict[str, Tensor]:
    """``sf``, ``ag`` and ``ei`` of each slice (K,)."""
    return {
        "sf": spatial_frequency(slab.fused, slab.mask),
        "ag": average_gradient(slab.fused, slab.mask),
        "ei": mean_inside(sobel_magnitude(slab.fused), slab.mask),
    }


def spatial_frequency(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Spatial frequency of each slice (K, H, W) -> (K,); differences with both ends in the mask."""
    total = 0.0
    for axis in (1, 2):
        length = image.shape[axis] - 1
        squares = (image.narrow(axis, 1, length) - image.narrow(axis, 0, length)).square_()
        if mask is None:
            total = total + squares.mean(dim=(1, 2))
            continue
        both = mask.narrow(axis, 1, length) & mask.narrow(axis, 0, length)
        count = both.sum(dim=(1, 2))
        total = total + (squares * both).sum(dim=(1, 2)) / torch.where(count > 0, count, math.nan)
    return total.sqrt()


def average_gradient(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average gradient of each slice (K, H, W) -> (K,)."""
    along_y, along_x = torch.gradient(image, dim=(1, 2))
    return mean_inside(along_y.square_().add_(along_x.square_()).mul_(0.5).sqrt_(), mask)
