"""Small moving windows over the spatial axes: largest modulus and sum of 3 samples, nothing outside."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def largest_of_three(bands: Tensor, ndim: int) -> Tensor:
    """Largest modulus in the 3^ndim window around each sample of (..., *spatial)."""
    framed = _framed(bands, ndim, bands.real.dtype)
    torch.abs(bands, out=_inside(framed, ndim))
    return _joined(framed, ndim, torch.maximum)


def sum_of_three(image: Tensor, ndim: int, dtype: torch.dtype | None = None) -> Tensor:
    """Sum over the 3^ndim window around each sample, in `dtype` (that of the image); outside counts nothing."""
    framed = _framed(image, ndim, dtype or image.dtype)
    _inside(framed, ndim).copy_(image)
    return _joined(framed, ndim, torch.add)


def _framed(image: Tensor, ndim: int, dtype: torch.dtype) -> Tensor:
    """Zeros, one sample more than the image on every side."""
    spatial = [length + 2 for length in image.shape[-ndim:]]
    return torch.zeros((*image.shape[:-ndim], *spatial), dtype=dtype, device=image.device)


def _inside(framed: Tensor, ndim: int) -> Tensor:
    for axis in range(-ndim, 0):
        framed = framed.narrow(axis, 1, framed.shape[axis] - 2)
    return framed


def _joined(framed: Tensor, ndim: int, join: Callable) -> Tensor:
    """Every sample inside the frame joined with its neighbours, axis by axis."""
    for axis in range(-ndim, 0):
        length = framed.shape[axis] - 2
        out = join(framed.narrow(axis, 0, length), framed.narrow(axis, 2, length))
        framed = join(out, framed.narrow(axis, 1, length), out=out)
    return framed


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
