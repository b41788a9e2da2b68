"""Laplacian pyramid in two and three dimensions (Burt and Adelson 1983)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan


@dataclass(frozen=True)
class LaplacianPyramid(Pyramid):
    """Band-pass pyramid with the five-tap kernel ``[1 4 6 4 1] / 16`` and mirrored borders.

    Any size of axis, odd ones included. The synthesis is exact: it adds back what the analysis
    took away.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes to halve per level, see `sampling.plan_decimation`.
    ndim : int
        Number of trailing spatial axes, 2 or 3.

    Notes
    -----
    P. J. Burt, E. H. Adelson, "The Laplacian pyramid as a compact image code", IEEE Trans. Commun.
    31 (1983) 532-540.
    """

    plan: Plan
    ndim: int

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """The band-pass detail of one level, and the image smoothed and halved."""
        axes, coarse = self.plan[level], image
        for axis in axes:
            coarse = halve(coarse, axis - self.ndim)
        smooth = self.expand(coarse, level, tuple(image.shape[-self.ndim :]))
        return [torch.sub(image, smooth, out=smooth)], coarse

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The expanded coarse image and the detail."""
        return self.expand(coarse, level, shape).add_(details[0])

    def expand(self, coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """Interpolate a coarse image (..., *spatial) to the spatial `shape` that its level came from."""
        for axis in reversed(self.plan[level]):
            coarse = double(coarse, axis - self.ndim, shape[axis])
        return coarse

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Half of the axes that the level halves, rounded up."""
        return tuple((length + 1) // 2 if axis in self.plan[level] else length for axis, length in enumerate(shape))

    def count(self, level: int) -> int:
        """One detail per level."""
        return 1

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output.

        `rule_reach` is how many samples of its own band a fusion rule looks sideways.
        """
        reaches = []
        for axis in range(self.ndim):
            reach = rule_reach
            for axes in reversed(self.plan):
                # expanding and halving look two samples sideways each, a level further down in
                # steps of two
                reach = 4 + 2 * reach if axis in axes else reach
            reaches.append(reach)
        return tuple(reaches)


def halve(image: Tensor, axis: int) -> Tensor:
    """Smooth with ``[1 4 6 4 1] / 16`` along one axis (mirrored border) and keep the even samples."""
    length = image.shape[axis]
    even, odd = _every_second(image, axis, 0), _every_second(image, axis, 1)
    size, odds = even.shape[axis], odd.shape[axis]
    out = even * 6
    out.narrow(axis, 1, size - 1).add_(even.narrow(axis, 0, size - 1))
    out.narrow(axis, 0, size - 1).add_(even.narrow(axis, 1, size - 1))
    # mirroring about the end samples: the even sample beyond the end is the one before it (odd length)
    mirrored_first = 1 if length > 2 else 0
    mirrored_last = size - 1 if length % 2 == 0 else max(size - 2, 0)
    out.narrow(axis, 0, 1).add_(even.narrow(axis, mirrored_first, 1))
    out.narrow(axis, size - 1, 1).add_(even.narrow(axis, mirrored_last, 1))
    out.narrow(axis, 0, odds).add_(odd, alpha=4)
    out.narrow(axis, 1, size - 1).add_(odd.narrow(axis, 0, size - 1), alpha=4)
    out.narrow(axis, 0, 1).add_(odd.narrow(axis, 0, 1), alpha=4)
    if length % 2 == 1:
        out.narrow(axis, size - 1, 1).add_(odd.narrow(axis, odds - 1, 1), alpha=4)
    return out.mul_(1 / 16)


def double(image: Tensor, axis: int, length: int) -> Tensor:
    """Interpolate to `length` samples along one axis: zeros between, then ``[1 4 6 4 1] / 8``."""
    shape = list(image.shape)
    size = shape[axis]
    shape[axis] = length
    out = image.new_empty(shape)
    even, odd = _every_second(out, axis, 0), _every_second(out, axis, 1)
    torch.mul(image, 6 / 8, out=even)
    even.narrow(axis, 1, size - 1).add_(image.narrow(axis, 0, size - 1), alpha=1 / 8)
    even.narrow(axis, 0, size - 1).add_(image.narrow(axis, 1, size - 1), alpha=1 / 8)
    even.narrow(axis, 0, 1).add_(image.narrow(axis, 1 if length > 2 else 0, 1), alpha=1 / 8)
    last = size - 1 if length % 2 == 0 else max(size - 2, 0)
    even.narrow(axis, size - 1, 1).add_(image.narrow(axis, last, 1), alpha=1 / 8)
    inner = odd.shape[axis] if length % 2 == 1 else odd.shape[axis] - 1
    torch.add(image.narrow(axis, 0, inner), image.narrow(axis, 1, inner), out=odd.narrow(axis, 0, inner)).mul_(0.5)
    if length % 2 == 0:
        odd.narrow(axis, inner, 1).copy_(image.narrow(axis, size - 1, 1))
    return out


def _every_second(image: Tensor, axis: int, start: int) -> Tensor:
    index = [slice(None)] * image.ndim
    index[axis] = slice(start, None, 2)
    return image[tuple(index)]
