"""How active a band is around each sample: the measures that rules compare."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from MedFusionLib.methods.rules.base import share_between_winners
from MedFusionLib.methods.rules.windows import smooth_121, sum_of_three
from MedFusionLib.transforms.filters import box_mean, difference, shifted

TINY = 1e-12


class Activity(Protocol):
    """Measures how much happens around each sample of a band."""

    @property
    def reach(self) -> int | None:
        """How many samples it looks sideways; None when it looks at the whole band."""

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Activity, not negative, of bands (N, S, *spatial)."""


@dataclass(frozen=True)
class Energy:
    """Weighted local energy: the squared band under ``[1 2 1] / 4`` along each axis."""

    @property
    def reach(self) -> int:
        """One window of three."""
        return 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Energy of bands (N, S, *spatial)."""
        return smooth_121(bands.abs().square(), ndim)


@dataclass(frozen=True)
class Variance:
    """Local variance.

    Parameters
    ----------
    radius : int
        Half size of the window in samples.
    """

    radius: int = 2

    @property
    def reach(self) -> int:
        """One window."""
        return self.radius

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Variance of bands (N, S, *spatial)."""
        mean = box_mean(bands, self.radius, ndim)
        return box_mean(bands * bands, self.radius, ndim).sub_(mean * mean).clamp_(min=0)


@dataclass(frozen=True)
class Gradient:
    """Local spatial frequency: root of the mean squared differences to the next samples.

    Parameters
    ----------
    radius : int
        Half size of the window in samples.

    Notes
    -----
    S. Li, J. T. Kwok, Y. Wang, "Combination of images with diverse focuses using the spatial
    frequency", Information Fusion 2 (2001) 169-176.
    """

    radius: int = 1

    @property
    def reach(self) -> int:
        """The window and the difference."""
        return self.radius + 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Spatial frequency of bands (N, S, *spatial)."""
        squares = torch.zeros_like(bands)
        for axis in range(-ndim, 0):
            squares += difference(bands, axis).square_()
        return box_mean(squares, self.radius, ndim).clamp_(min=0).sqrt_()


@dataclass(frozen=True)
class SumModifiedLaplacian:
    """Weighted sum of the eight-neighbour modified Laplacian (all neighbours in three dimensions).

    Differences to the neighbours count by the inverse of their distance; the result is averaged over
    three samples along each axis and weighted by ``[1 2 1] / 4``.

    Notes
    -----
    M. Yin, X. Liu, Y. Liu, X. Chen, "Medical image fusion with parameter-adaptive pulse coupled
    neural network in nonsubsampled shearlet transform domain", IEEE Trans. Instrum. Meas. 68 (2019)
    49-64.
    """

    @property
    def reach(self) -> int:
        """The neighbours and two windows of three."""
        return 3

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Activity of bands (N, S, *spatial)."""
        total = torch.zeros_like(bands)
        for step in itertools.product((-1, 0, 1), repeat=ndim):
            if any(step):
                neighbour = bands
                for axis, shift in enumerate(step, -ndim):
                    neighbour = shifted(neighbour, axis, shift) if shift else neighbour
                total.add_((bands - neighbour).abs_(), alpha=1 / math.sqrt(sum(s * s for s in step)))
        return smooth_121(sum_of_three(total, ndim), ndim)


@dataclass(frozen=True)
class EnergyTimesLaplacian:
    """Local energy times modified Laplacian, for bases: bright and structured wins over merely bright.

    M. Yin et al., IEEE Trans. Instrum. Meas. 68 (2019) 49-64.
    """

    @property
    def reach(self) -> int:
        """The Laplacian's."""
        return SumModifiedLaplacian().reach

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Activity of bands (N, S, *spatial)."""
        return Energy()(bands, ndim) * SumModifiedLaplacian()(bands, ndim)


@dataclass(frozen=True)
class Stronger:
    """Give a sample to the source with the larger activity, verified by the votes of its neighbours.

    Parameters
    ----------
    activity : Activity
        What is compared.
    """

    activity: Activity

    @property
    def reach(self) -> int | None:
        """The activity's and one window of three."""
        return None if self.activity.reach is None else self.activity.reach + 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights 0, 1 (or an equal share in a tie), shape (N, S, *spatial)."""
        leads = share_between_winners(self.activity(bands, ndim))
        votes = sum_of_three(leads, ndim)
        return share_between_winners((votes * 12).round_())  # thirds and halves add up without rounding errors


@dataclass(frozen=True)
class InProportion:
    """Weight the sources by their share of the activity; equal shares where nothing is active.

    Parameters
    ----------
    activity : Activity
        What is compared.
    """

    activity: Activity

    @property
    def reach(self) -> int | None:
        """The activity's."""
        return self.activity.reach

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, *spatial)."""
        activity = self.activity(bands, ndim) + TINY
        return activity.div_(activity.sum(dim=1, keepdim=True))
