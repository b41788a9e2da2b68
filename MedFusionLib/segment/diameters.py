"""Longest diameters of a lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from MedFusionLib.segment.surface import boundary_faces, bounding_box, cropped_geometry
from MedFusionLib.volume import Geometry

_TOUCHING = np.ones((3, 3), bool)


@dataclass(frozen=True)
class AxialDiameters:
    """The longest diameter in any axial slice, and the lesion's width across it in the same slice.

    Parameters
    ----------
    long_mm, short_mm : float
        In millimetres; the short one is perpendicular to the long one.
    slice_s_mm : float
        Superior coordinate of the middle of the long diameter.
    """

    long_mm: float
    short_mm: float
    slice_s_mm: float


def longest_diameter_mm(mask: np.ndarray, geometry: Geometry) -> float:
    """Largest distance in mm between two points of the surface, in any direction.

    Points lie on the faces half-way between voxels inside and outside, so a single voxel has the
    diameter of its longest side.
    """
    box = bounding_box(mask)
    points, _ = boundary_faces(mask[box], cropped_geometry(geometry, box))
    return float(pdist(_extreme(points)).max())


def axial_diameters(mask: np.ndarray, geometry: Geometry) -> AxialDiameters:
    """Diameters in the slices across the array axis that runs closest to superior.

    Within a slice every connected part is measured for itself, so that two islands never make one
    long diameter.

    Notes
    -----
    E. A. Eisenhauer et al., "New response evaluation criteria in solid tumours: revised RECIST
    guideline (version 1.1)", European Journal of Cancer 45 (2009) 228-247. The smallest sizes that
    RECIST accepts as measurable are not applied.
    """
    axis = _axial_axis(geometry)
    box = bounding_box(mask)
    inside, local = np.moveaxis(mask[box], axis, 0), cropped_geometry(geometry, box)
    found = [
        _slice_diameters(np.expand_dims(parts == number, axis), _slice_geometry(local, axis, index))
        for index, section in enumerate(inside)
        for parts, count in [ndimage.label(section, structure=_TOUCHING)]
        for number in range(1, count + 1)
    ]
    return max(found, key=lambda diameters: diameters.long_mm)


def _axial_axis(geometry: Geometry) -> int:
    return 2 - int(np.argmax(np.abs(geometry.directions[2])))


def _slice_geometry(geometry: Geometry, axis: int, index: int) -> Geometry:
    whole = [slice(0, n) for n in geometry.shape]
    whole[axis] = slice(index, index + 1)
    return cropped_geometry(geometry, tuple(whole))


def _slice_diameters(section: np.ndarray, geometry: Geometry) -> AxialDiameters:
    """Diameters of one connected part (one voxel thick) in its own plane."""
    axis = 2 - _axial_axis(geometry)
    normal = np.cross(*(geometry.directions[:, n] for n in range(3) if n != axis))
    normal /= np.linalg.norm(normal)
    points, _ = boundary_faces(section, geometry)
    height = (points - geometry.origin_ras) @ normal
    corners = _extreme(points[np.abs(height) < 1e-6 * max(geometry.spacing_mm)], normal)
    distances = squareform(pdist(corners))
    a, b = np.unravel_index(int(np.argmax(distances)), distances.shape)
    along = (corners[b] - corners[a]) / distances[a, b]
    widths = corners @ np.cross(normal, along)
    return AxialDiameters(
        float(distances[a, b]), float(widths.max() - widths.min()), float((corners[a, 2] + corners[b, 2]) / 2)
    )


def _extreme(points: np.ndarray, normal: np.ndarray | None = None) -> np.ndarray:
    """The points that can be ends of a longest diameter: those of the convex hull, in a plane if one is given."""
    seen = points
    if normal is not None:
        first = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
        first /= np.linalg.norm(first)
        seen = points @ np.stack([first, np.cross(normal, first)], axis=1)
    try:
        return points[ConvexHull(seen).vertices]
    except QhullError:
        return points
