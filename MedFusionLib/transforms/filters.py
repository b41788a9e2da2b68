"""Moving windows over the spatial axes: mean, extremes, Gaussian, shifted differences. Border samples are repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def box_mean(image: Tensor, radius: int | Sequence[int], ndim: int) -> Tensor:
    """Mean over the window of ``2 radius + 1`` samples per axis around each sample, clipped at the border.

    The mean of what lies inside the image, from running sums: its cost does not depend on the
    radius, which may be given per axis.
    """
    radii = [radius] * ndim if isinstance(radius, int) else radius
    for axis, reach in zip(range(-ndim, 0), radii):
        if image.shape[axis] > 1 and reach > 0:
            image = _running_mean(image, axis, reach)
    return image


def _running_mean(image: Tensor, axis: int, radius: int) -> Tensor:
    length = image.shape[axis]
    if radius <= 3:
        return _short_mean(image, axis, radius)
    sums = image.double().cumsum(axis)
    index = torch.arange(length, device=image.device)
    upper = (index + radius).clamp(max=length - 1)
    lower = index - radius - 1
    total = sums.index_select(axis, upper)
    first = radius + 1
    if first < length:
        below = sums.narrow(axis, 0, length - first)
        total.narrow(axis, first, length - first).sub_(below)
    shape = [-1 if other == axis else 1 for other in range(-image.ndim, 0)]
    count = (upper - lower.clamp(min=-1)).to(total.dtype).reshape(shape)
    return total.div_(count).to(image.dtype)


def _short_mean(image: Tensor, axis: int, radius: int) -> Tensor:
    length = image.shape[axis]
    total = image.clone()
    for shift in range(1, min(radius, length - 1) + 1):
        total.narrow(axis, shift, length - shift).add_(image.narrow(axis, 0, length - shift))
        total.narrow(axis, 0, length - shift).add_(image.narrow(axis, shift, length - shift))
    index = torch.arange(length, device=image.device)
    count = (index + radius).clamp(max=length - 1) - (index - radius).clamp(min=0) + 1
    shape = [-1 if other == axis else 1 for other in range(-image.ndim, 0)]
    return total.div_(count.to(image.dtype).reshape(shape))


def gaussian(image: Tensor, sigma: float | Sequence[float], ndim: int, *, radius: int | None = None) -> Tensor:
    """Gaussian of `sigma` samples along each spatial axis (one number, or one per axis).

    Cut at `radius` samples, three sigma by default.
    """
    sigmas = [sigma] * ndim if isinstance(sigma, (int, float)) else sigma
    for axis, width in zip(range(-ndim, 0), sigmas):
        reach = radius if radius is not None else gaussian_radius(width)
        taps = [math.exp(-0.5 * (k / width) ** 2) for k in range(reach + 1)]
        total = taps[0] + 2 * sum(taps[1:])
        image = symmetric_filter(image, [tap / total for tap in taps], [axis])
    return image


def gaussian_radius(sigma: float) -> int:
    """Samples after which a Gaussian is cut."""
    return max(1, math.ceil(3 * sigma))


def symmetric_filter(image: Tensor, half: Sequence[float], axes: Sequence[int]) -> Tensor:
    """Even kernel, given by its centre and right half, along some axes; border samples repeated."""
    for axis in axes:
        length = image.shape[axis]
        if length == 1:
            continue
        out = image * half[0]
        for shift, tap in enumerate(half[1:], 1):
            inner = max(length - shift, 0)
            edge = length - inner
            if inner:
                out.narrow(axis, shift, inner).add_(image.narrow(axis, 0, inner), alpha=tap)
                out.narrow(axis, 0, inner).add_(image.narrow(axis, shift, inner), alpha=tap)
            out.narrow(axis, 0, edge).add_(image.narrow(axis, 0, 1), alpha=tap)
            out.narrow(axis, inner, edge).add_(image.narrow(axis, length - 1, 1), alpha=tap)
        image = out
    return image


def difference(image: Tensor, axis: int) -> Tensor:
    """Forward difference along one axis; 0 at the last sample."""
    out = torch.zeros_like(image)
    length = image.shape[axis]
    if length > 1:
        torch.sub(
            image.narrow(axis, 1, length - 1), image.narrow(axis, 0, length - 1), out=out.narrow(axis, 0, length - 1)
        )
    return out


def shifted(image: Tensor, axis: int, step: int) -> Tensor:
    """The neighbour `step` samples further along one axis; border samples repeated."""
    length = image.shape[axis]
    index = (torch.arange(length, device=image.device) + step).clamp(0, length - 1)
    return image.index_select(axis, index)


def envelope(sources: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value (N, *spatial) of any source within one sample along every axis."""
    pool = {2: F.max_pool2d, 3: F.max_pool3d}[sources.ndim - 2]
    high = pool(sources.amax(dim=1, keepdim=True), 3, stride=1, padding=1)
    low = -pool(-sources.amin(dim=1, keepdim=True), 3, stride=1, padding=1)
    return low[:, 0], high[:, 0]


def per_axis(radius: float, spacing: Sequence[float]) -> tuple[int, ...]:
    """A length in finest samples as whole samples of every axis, at least one."""
    return tuple(max(1, round(radius * min(spacing) / step)) for step in spacing)
