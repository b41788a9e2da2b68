"""Gradient pyramid: the details of every scale as derivatives along several directions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from MedFusionLib.transforms.filters import symmetric_filter
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan


@dataclass(frozen=True)
class GradientPyramid(Pyramid):
    """Directional derivatives of a Gaussian pyramid.

    Per level one band along every axis and every face diagonal (four in the plane, nine in space),
    and one residual band: what the Laplacian detail has beyond the second derivatives that the
    gradients stand for. With it the inverse is exact, where the original one is an approximation.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes halved per level.
    ndim : int
        Number of trailing spatial axes, 2 or 3.

    Notes
    -----
    P. J. Burt, R. J. Kolczynski, "Enhanced image capture through fusion", Proc. ICCV (1993) 173-182.
    """

    plan: Plan
    ndim: int

    @cached_property
    def _laplacian(self) -> LaplacianPyramid:
        return LaplacianPyramid(self.plan, self.ndim)

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Derivatives and residual of one level, and the image smoothed and halved."""
        (detail,), coarse = self._laplacian.split(image, level)
        smooth = image + symmetric_filter(image, [0.5, 0.25], range(-self.ndim, 0))
        gradients = [_derivative(smooth, steps) for steps in self._steps(level)]
        return [*gradients, detail - self._stand_for(gradients, level)], coarse

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The image whose derivatives, residual and coarser image these are."""
        detail = details[-1] + self._stand_for(details[:-1], level)
        return self._laplacian.merge([detail], coarse, level, shape)

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Half of the halved axes, rounded up."""
        return self._laplacian.coarser(shape, level)

    def count(self, level: int) -> int:
        """The directions and the residual."""
        return len(self._steps(level)) + 1

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output."""
        return tuple(reach + 4 * 2 ** len(self.plan) for reach in self._laplacian.reach(rule_reach))

    def _steps(self, level: int) -> list[dict[int, int]]:
        """Per direction, the step along each axis (negative numbers count from the last)."""
        axes = [axis - self.ndim for axis in self.plan[level]]
        diagonals = [
            {first: 1, second: sign} for first, second in itertools.combinations(axes, 2) for sign in (1, -1)
        ]  # fmt: skip
        return [*({axis: 1} for axis in axes), *diagonals]

    def _stand_for(self, gradients: list[Tensor], level: int) -> Tensor:
        """The part of the Laplacian detail that derivatives make up: their own derivatives, turned back."""
        total = torch.zeros_like(gradients[0])
        for gradient, steps in zip(gradients, self._steps(level)):
            total += _adjoint(gradient, steps)
        return total.mul_(1 / (4 * max(1, len(self.plan[level]))))


def _derivative(image: Tensor, steps: dict[int, int]) -> Tensor:
    """Difference to the neighbour `steps` away, by its distance; 0 where there is no neighbour."""
    out = torch.zeros_like(image)
    here, there = _pair(image, steps)
    target, _ = _pair(out, steps)
    torch.sub(there, here, out=target)
    return out.mul_(len(steps) ** -0.5)


def _adjoint(gradient: Tensor, steps: dict[int, int]) -> Tensor:
    """Transpose of `_derivative`: its product with it is the negative second derivative."""
    out = torch.zeros_like(gradient)
    here, there = _pair(out, steps)
    values, _ = _pair(gradient, steps)
    there += values
    here -= values
    return out.mul_(len(steps) ** -0.5)


def _pair(image: Tensor, steps: dict[int, int]) -> tuple[Tensor, Tensor]:
    """Views of the samples that have a neighbour `steps` away, and of these neighbours."""
    here = there = image
    for axis, step in steps.items():
        length = image.shape[axis] - 1
        here = here.narrow(axis, 0 if step > 0 else 1, length)
        there = there.narrow(axis, 1 if step > 0 else 0, length)
    return here, there
