"""What multiscale transforms share: going down level by level, and coming back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.sampling import Plan


class Pyramid(ABC):
    """A linear multiscale transform with an exact inverse.

    Attributes
    ----------
    plan : tuple of tuple of int
        Axes that are filtered (and, where the transform decimates, halved) per level.
    ndim : int
        Number of trailing spatial axes, 2 or 3.
    """

    plan: Plan
    ndim: int

    @abstractmethod
    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Detail bands of one level, and the coarser image, of an image (..., *spatial)."""

    @abstractmethod
    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The image (..., *shape) that `split` took apart at that level."""

    @abstractmethod
    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Spatial shape of the coarser image that `split` makes of an image of `shape`."""

    @abstractmethod
    def count(self, level: int) -> int:
        """Number of detail bands of a level."""

    @abstractmethod
    def reach(self, rule_reach: int) -> tuple[int, ...] | None:
        """Per spatial axis, how far in samples an input influences the fused output; None for everywhere.

        `rule_reach` is how many samples of its own band a fusion rule looks sideways.
        """

    @property
    def alignment(self) -> tuple[int, ...]:
        """Per spatial axis, the multiple at which a tile must start: the decimation."""
        return tuple(2 ** sum(axis in axes for axes in self.plan) for axis in range(self.ndim))

    def shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Spatial shapes before each level, and of the base."""
        shapes = [tuple(shape)]
        for level in range(len(self.plan)):
            shapes.append(self.coarser(shapes[-1], level))
        return shapes

    def analyse(self, image: Tensor) -> list[Tensor]:
        """Detail bands from fine to coarse, then the base, of an image (..., *spatial)."""
        bands: list[Tensor] = []
        for level in range(len(self.plan)):
            checkpoint()
            details, image = self.split(image, level)
            bands += details
        return [*bands, image]

    def synthesise(self, bands: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """The image (..., *shape) whose bands, in the order of `analyse`, these are."""
        details, image = list(bands[:-1]), bands[-1]
        shapes = self.shapes(shape)
        for level in reversed(range(len(self.plan))):
            checkpoint()
            first = len(details) - self.count(level)
            image = self.merge(details[first:], image, level, shapes[level])
            del details[first:]
        return image
