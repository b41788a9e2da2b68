"""Contourlet transform: a Laplacian pyramid whose details are cut into directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from MedFusionLib.transforms.directional import DirectionalBank, wedge_bank
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan

SEAM = 8


@dataclass(frozen=True)
class Contourlets(Pyramid):
    """Decimated contourlets of slices: 4/3 times the directions as many samples as the image.

    The pyramid decimates, the directional windows do not; together they are cheaper than the
    non-subsampled transform and still exact, but change a little under shifts.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes halved per level.
    shape : (H, W)
        Size of the slices.
    directions : tuple of int
        Number of directions per level, fine to coarse; the last one holds for all further levels.

    Notes
    -----
    M. N. Do, M. Vetterli, "The contourlet transform: an efficient directional multiresolution image
    representation", IEEE Trans. Image Process. 14 (2005) 2091-2106; windows in the frequency domain
    stand where the paper has a decimated directional filter bank.
    """

    plan: Plan
    shape: tuple[int, ...]
    directions: tuple[int, ...] = (16, 8, 8, 4)
    ndim: int = 2

    @cached_property
    def _laplacian(self) -> LaplacianPyramid:
        return LaplacianPyramid(self.plan, self.ndim)

    @cached_property
    def _banks(self) -> list[DirectionalBank]:
        shapes = self._laplacian.shapes(self.shape)
        return [wedge_bank(_extended(shape), shape, self._count(level)) for level, shape in enumerate(shapes[:-1])]

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Directional details of one level, and the image smoothed and halved."""
        (detail,), coarse = self._laplacian.split(image, level)
        return list(self._banks[level].bands(detail)), coarse

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The image whose directional details and coarser image these are."""
        return self._laplacian.merge([sum(details)], coarse, level, shape)

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Half of the halved axes, rounded up."""
        return self._laplacian.coarser(shape, level)

    def count(self, level: int) -> int:
        """The directions."""
        return self._count(level)

    def reach(self, rule_reach: int) -> None:
        """None: directional windows see the whole slice."""
        return

    def _count(self, level: int) -> int:
        return self.directions[min(level, len(self.directions) - 1)]


def _extended(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(length + min(SEAM, length) for length in shape)
