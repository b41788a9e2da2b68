"""Dual-tree complex wavelet transform in two and three dimensions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan
from MedFusionLib.transforms.wavelet import Filters, merge_axis, split_axis

_A, _B = 0.08838834764832, 0.01122679215254
_FIRST_LOW = (0.0, -_A, _A, 0.69587998903400, 0.69587998903400, _A, -_A, _B, _B, 0.0)
"""Nearly symmetric orthonormal filter of the first level (Abdelnour and Selesnick 2001)."""
_LATER_LOW = (
    0.03516384, 0.0, -0.08832942, 0.23389032, 0.76027237, 0.58751830, 0.0, -0.11430184, 0.0, 0.0,
)  # fmt: skip
"""Quarter-sample shift filter of all further levels (Kingsbury 2001, ten taps)."""
TAPS = 10


def _bank(low: tuple[float, ...]) -> Filters:
    """Orthonormal filters from the decomposition low pass."""
    high = tuple((-1) ** n * value for n, value in enumerate(reversed(low)))
    return low, high, tuple(reversed(low)), tuple(reversed(high))


def _later(low: tuple[float, ...]) -> tuple[float, ...]:
    """Reversed in time, then one sample earlier: the delay that the other tree needs in the first level."""
    return (*tuple(reversed(low))[1:], 0.0)


_FIRST = (_bank(_FIRST_LOW), _bank(_later(_FIRST_LOW)))
_LATER = (_bank(_LATER_LOW), _bank(tuple(reversed(_LATER_LOW))))
"""Per tree a, b: in the first level the trees are one sample apart, later a quarter sample each way."""


@dataclass(frozen=True)
class DualTree(Pyramid):
    """Complex wavelets from ``2^ndim`` orthonormal trees: nearly shift invariant, with true directions.

    Per level six complex bands at about 15, 45 and 75 degrees either way in two dimensions, 28 in
    three. The modulus of a coefficient says how strong a feature is, its phase where it lies.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes halved per level.
    ndim : int
        Number of trailing spatial axes, 2 or 3.

    Notes
    -----
    N. Kingsbury, "Complex wavelets for shift invariant analysis and filtering of signals", Appl.
    Comput. Harmon. Anal. 10 (2001) 234-253; I. W. Selesnick, R. G. Baraniuk, N. G. Kingsbury, "The
    dual-tree complex wavelet transform", IEEE Signal Process. Mag. 22 (2005) 123-151.
    """

    plan: Plan
    ndim: int

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Complex detail bands of one level, and the trees' approximations (trees, ..., *spatial).

        The first level takes the image itself, further ones what the level before gave.
        """
        trees = [self._split_tree(self._tree(image, level, number), level, tree) for number, tree in self._trees()]
        details = []
        for band in range(1, 2 ** len(self.plan[level])):
            checkpoint()
            details += self._to_complex([parts[band] for parts in trees], level)
        return details, torch.stack([parts[0] for parts in trees])

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """What `split` took apart: for the first level the image, else the trees' approximations."""
        per_band = 2 ** (self.ndim - 1)
        bands = [
            self._from_complex(details[start : start + per_band]) for start in range(0, len(details), per_band)
        ]  # fmt: skip
        trees = [
            self._merge_tree([coarse[number], *(band[number] for band in bands)], level, tree, shape)
            for number, tree in self._trees()
        ]
        stack = torch.stack(trees)
        return stack.mean(dim=0) if level == 0 else stack

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Half of each halved axis, longer by the filter's overhang."""
        axes = self.plan[level]
        return tuple((length + TAPS - 1) // 2 if axis in axes else length for axis, length in enumerate(shape))

    def count(self, level: int) -> int:
        """Complex bands: ``2^(ndim - 1)`` directions for every high-pass combination."""
        return (2 ** len(self.plan[level]) - 1) * 2 ** (self.ndim - 1)

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output."""
        reaches = []
        for axis in range(self.ndim):
            reach = rule_reach
            for axes in reversed(self.plan):
                reach = TAPS - 1 + 2 * reach if axis in axes else reach
            reaches.append(reach)
        return tuple(reaches)

    def _trees(self) -> list[tuple[int, tuple[int, ...]]]:
        """Number of each tree and, per spatial axis, whether it takes filter a (0) or b (1)."""
        return list(enumerate(itertools.product((0, 1), repeat=self.ndim)))

    def _tree(self, image: Tensor, level: int, number: int) -> Tensor:
        return image if level == 0 else image[number]

    def _banks(self, level: int, axis: int) -> tuple[Filters, Filters]:
        return _LATER if any(axis in axes for axes in self.plan[:level]) else _FIRST

    def _split_tree(self, image: Tensor, level: int, tree: tuple[int, ...]) -> list[Tensor]:
        parts = [image]
        for axis in self.plan[level]:
            bank = self._banks(level, axis)[tree[axis]]
            parts = [band for part in parts for band in split_axis(part, axis - self.ndim, bank)]
        return parts

    def _merge_tree(self, parts: list[Tensor], level: int, tree: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
        for axis in reversed(self.plan[level]):
            checkpoint()
            bank, pairs = self._banks(level, axis)[tree[axis]], zip(parts[0::2], parts[1::2])
            parts = [merge_axis(low, high, axis - self.ndim, shape[axis], bank) for low, high in pairs]
        return parts[0]

    def _to_complex(self, trees: list[Tensor], level: int) -> list[Tensor]:
        """Directional complex bands from one separable band of all trees (an orthonormal change of basis)."""
        real, imaginary = _directions(self.ndim)
        scale = 2 ** (-(self.ndim - 1) / 2)
        return [
            torch.complex(_weighted(trees, first) * scale, _weighted(trees, second) * scale)
            for first, second in zip(real, imaginary)
        ]

    def _from_complex(self, bands: list[Tensor]) -> list[Tensor]:
        """One separable band of all trees from its directional complex bands."""
        real, imaginary = _directions(self.ndim)
        scale = 2 ** (-(self.ndim - 1) / 2)
        values = [band.real for band in bands] + [band.imag for band in bands]
        rows = [*real, *imaginary]
        return [_weighted(values, [row[tree] for row in rows]) * scale for tree in range(2**self.ndim)]


def _directions(ndim: int) -> tuple[list[list[int]], list[list[int]]]:
    """Signs per tree of the real and the imaginary parts of ``2^(ndim - 1)`` directions.

    The product of ``(a + i b)`` along the first axis with ``(a +- i b)`` along the others, written out.
    """
    real, imaginary = [], []
    for signs in itertools.product((1, -1), repeat=ndim - 1):
        rows = ([0] * 2**ndim, [0] * 2**ndim)
        for number, tree in enumerate(itertools.product((0, 1), repeat=ndim)):
            sign = 1
            for takes_b, direction in zip(tree[1:], signs):
                sign *= direction if takes_b else 1
            power = sum(tree)  # i^power: 1, i, -1, -i
            rows[power % 2][number] = sign * (-1 if power >= 2 else 1)
        real.append(rows[0])
        imaginary.append(rows[1])
    return real, imaginary


def _weighted(values: list[Tensor], signs: list[int]) -> Tensor:
    total = None
    for value, sign in zip(values, signs):
        if sign:
            total = value * sign if total is None else total.add_(value, alpha=sign)
    return total
