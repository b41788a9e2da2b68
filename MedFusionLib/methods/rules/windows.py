"""Small moving windows over the spatial axes: maximum and sum of 3 samples, edges clipped."""

from __future__ import annotations

import torch
from torch import Tensor


def maximum_of_three_(image: Tensor, ndim: int) -> Tensor:
    """Largest value in the 3^ndim window around each sample of (..., *spatial), in place."""
    for axis in range(-ndim, 0):
        length = image.shape[axis]
        if length == 1:
            continue
        pairs = torch.maximum(image.narrow(axis, 0, length - 1), image.narrow(axis, 1, length - 1))
        inner = image.narrow(axis, 1, length - 2)
        torch.maximum(pairs.narrow(axis, 0, length - 2), pairs.narrow(axis, 1, length - 2), out=inner)
        image.narrow(axis, 0, 1).copy_(pairs.narrow(axis, 0, 1))
        image.narrow(axis, length - 1, 1).copy_(pairs.narrow(axis, length - 2, 1))
    return image


def sum_of_three(image: Tensor, ndim: int) -> Tensor:
    """Sum over the 3^ndim window around each sample; outside counts nothing."""
    for axis in range(-ndim, 0):
        length = image.shape[axis]
        if length == 1:
            continue
        pairs = image.narrow(axis, 0, length - 1) + image.narrow(axis, 1, length - 1)
        out = torch.empty_like(image)
        out.narrow(axis, 0, 1).copy_(pairs.narrow(axis, 0, 1))
        out.narrow(axis, length - 1, 1).copy_(pairs.narrow(axis, length - 2, 1))
        inner = out.narrow(axis, 1, length - 2)
        torch.add(pairs.narrow(axis, 0, length - 2), image.narrow(axis, 2, length - 2), out=inner)
        image = out
    return image


def smooth_121(image: Tensor, ndim: int) -> Tensor:
    """Weighted mean with ``[1 2 1] / 4`` along each spatial axis, border samples repeated."""
    for axis in range(-ndim, 0):
        length = image.shape[axis]
        out = image * 0.5
        out.narrow(axis, 0, length - 1).add_(image.narrow(axis, 1, length - 1), alpha=0.25)
        out.narrow(axis, 1, length - 1).add_(image.narrow(axis, 0, length - 1), alpha=0.25)
        out.narrow(axis, 0, 1).add_(image.narrow(axis, 0, 1), alpha=0.25)
        out.narrow(axis, length - 1, 1).add_(image.narrow(axis, length - 1, 1), alpha=0.25)
        image = out
    return image
