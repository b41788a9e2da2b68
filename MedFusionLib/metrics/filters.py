"""The filters that several metrics share: Gaussian, box, Sobel; separable, by shifted adds.

A convolution with one channel is several times slower than adding shifted copies. All work on
(K, H, W) tensors of any float type on any device, slice by slice, and give the valid region.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor


@functools.cache
def gaussian_taps(size: int, sigma: float) -> tuple[float, ...]:
    """A Gaussian window along one axis, with sum 1."""
    taps = [math.exp(-((tap - (size - 1) / 2) ** 2) / (2 * sigma**2)) for tap in range(size)]
    return tuple(tap / sum(taps) for tap in taps)


def smooth(image: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Symmetric separable filter in both directions of each slice, (K, H, W) -> (K, H-n+1, W-n+1)."""
    size = len(taps)
    for axis in (1, 2):
        length = image.shape[axis] - size + 1
        if size % 2:
            out = image.narrow(axis, size // 2, length) * taps[size // 2]
        else:
            out = torch.zeros_like(image.narrow(axis, 0, length))
        for tap in range(size // 2):
            pair = image.narrow(axis, tap, length) + image.narrow(axis, size - 1 - tap, length)
            out.add_(pair, alpha=taps[tap])
        image = out
    return image


def box(image: Tensor, size: int) -> Tensor:
    """Mean in windows of `size` x `size`, valid region."""
    return smooth(image, (1 / size,) * size)


def sobel_components(image: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel derivatives along x and y (sums with weights 1 2 1, not divided), each (K, H-2, W-2)."""
    across = (image[:, :-2] + image[:, 2:]).add_(image[:, 1:-1], alpha=2)
    down = (image[:, :, :-2] + image[:, :, 2:]).add_(image[:, :, 1:-1], alpha=2)
    return across[:, :, 2:] - across[:, :, :-2], down[:, 2:] - down[:, :-2]


def sobel_magnitude(image: Tensor) -> Tensor:
    """Strength of the Sobel gradient, (K, H-2, W-2)."""
    along_x, along_y = sobel_components(image)
    return along_x.square_().add_(along_y.square_()).sqrt_()


def widest(image: Tensor, size: int) -> Tensor:
    """Maximum in windows of `size` x `size` (odd), clipped at the borders, (K, H, W) floats."""
    half = size // 2
    image = torch.nn.functional.pad(image, (half,) * 4, value=-math.inf)
    for axis in (1, 2):
        reach = 1
        while reach < size:
            step = min(reach, size - reach)
            length = image.shape[axis] - step
            image = torch.maximum(image.narrow(axis, 0, length), image.narrow(axis, step, length))
            reach += step
    return image


def trimmed(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The centre of `image` with the size of a valid region `shape`."""
    top, left = (image.shape[1] - shape[-2]) // 2, (image.shape[2] - shape[-1]) // 2
    return image[:, top : top + shape[-2], left : left + shape[-1]]


def mean_inside(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of each slice (K, H, W) -> (K,) over the window centres inside the mask; NaN without any."""
    if mask is None:
        return values.mean(dim=(1, 2))
    inside = trimmed(mask, values.shape)
    count = inside.sum(dim=(1, 2))
    total = torch.where(inside, values, 0).sum(dim=(1, 2))
    return total / torch.where(count > 0, count, math.nan)
