"""Regions that a person marked: a box or a label map, asked for on any grid."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.volume import Geometry


class Region(Protocol):
    """A part of the patient."""

    def mask_on(self, geometry: Geometry) -> np.ndarray:
        """(K, J, I) bool, True for voxels of the grid whose centre lies in the region."""

    def bounds_ras(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest RAS, (3,) each in mm."""


@dataclass(frozen=True, eq=False)
class BoxRegion:
    """A box, upright or oblique.

    Parameters
    ----------
    centre_ras : (3,) array_like
        RAS in mm.
    size_mm : (3,) array_like
        Lengths of the edges.
    axes : (3, 3) array_like or None
        Unit vectors of the edges in RAS, one per column; None for an upright box.

    Raises
    ------
    UsageError
        When a size is not positive or the axes are not perpendicular unit vectors.
    """

    centre_ras: np.ndarray
    size_mm: np.ndarray
    axes: np.ndarray | None = None

    def __post_init__(self) -> None:
        axes = np.eye(3) if self.axes is None else np.array(self.axes, np.float64)
        centre, size = np.array(self.centre_ras, np.float64), np.array(self.size_mm, np.float64)
        if centre.shape != (3,) or size.shape != (3,) or not (np.isfinite(centre).all() and (size > 0).all()):
            raise UsageError(f"A box at {self.centre_ras} of size {self.size_mm} mm", "a point and three lengths")
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
            raise UsageError("The axes of a box are not perpendicular unit vectors", "a rotation")
        for name, value in (("centre_ras", centre), ("size_mm", size), ("axes", axes)):
            object.__setattr__(self, name, value)

    def mask_on(self, geometry: Geometry) -> np.ndarray:
        """(K, J, I) bool, True for voxels whose centre lies in the box."""
        corners = geometry.to_ijk(self._corners())[:, ::-1]
        low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, geometry.shape)
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low, geometry.shape)
        to_box = self.axes.T @ geometry.ijk_to_ras[:3, :3]
        start = self.axes.T @ (geometry.ijk_to_ras[:3, 3] - self.centre_ras)
        k, j, i = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high))]
        inside = np.ones(tuple(high - low), bool)
        for edge in range(3):
            place = to_box[edge, 0] * i + to_box[edge, 1] * j + to_box[edge, 2] * k + start[edge]
            inside &= np.abs(place) <= self.size_mm[edge] / 2 + 1e-6
        mask = np.zeros(geometry.shape, bool)
        mask[tuple(slice(a, b) for a, b in zip(low, high))] = inside
        return mask

    def bounds_ras(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest RAS of the corners."""
        corners = self._corners()
        return corners.min(axis=0), corners.max(axis=0)

    def _corners(self) -> np.ndarray:
        signs = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
        return self.centre_ras + (signs * self.size_mm) @ self.axes.T


@dataclass(frozen=True, eq=False)
class LabelRegion:
    """Every labelled voxel of a label map.

    Parameters
    ----------
    labels : (K, J, I) array
        0 is outside.
    geometry : Geometry
        The grid.

    Raises
    ------
    UsageError
        When no voxel is labelled or the shapes differ.
    """

    labels: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.shape != self.geometry.shape:
            raise UsageError(f"A region of shape {labels.shape}", f"the grid's shape {self.geometry.shape}")
        if not labels.any():
            raise UsageError(
                "The region is empty", "at least one labelled voxel", "Check that the right file was chosen"
            )

    def mask_on(self, geometry: Geometry) -> np.ndarray:
        """(K, J, I) bool, by the nearest voxel."""
        from scipy import ndimage

        inside = np.asarray(self.labels) > 0
        if geometry.same_grid(self.geometry):
            return inside
        flip = np.eye(4)[[2, 1, 0, 3]]
        kji = flip @ self.geometry.ras_to_ijk @ geometry.ijk_to_ras @ flip
        options = {"output_shape": geometry.shape, "order": 0, "mode": "grid-constant"}
        return ndimage.affine_transform(inside.view(np.uint8), kji, **options) > 0

    def bounds_ras(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest RAS of the labelled voxels, including their extent."""
        found = [np.flatnonzero((np.asarray(self.labels) > 0).any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
        edges = [(float(hit[0]) - 0.5, float(hit[-1]) + 0.5) for hit in found]
        corners = self.geometry.to_ras(list(itertools.product(*edges)))
        return corners.min(axis=0), corners.max(axis=0)


def box_around(region: Region, *, margin_mm: float = 0.0) -> BoxRegion:
    """The upright box around a region, grown on all sides."""
    low, high = region.bounds_ras()
    return BoxRegion((low + high) / 2, high - low + 2 * margin_mm)
