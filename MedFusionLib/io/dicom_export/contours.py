"""Outlines of masks as closed contours, exact to the voxel."""

from __future__ import annotations

import numpy as np


def slice_contours(mask: np.ndarray) -> list[np.ndarray]:
    """Closed contours of one slice of a mask, holes joined to their outline by a channel of no width.

    The contours run halfway between voxels inside and outside, so that a voxel centre lies inside
    a contour exactly where the mask is set, by the even-odd rule.

    Parameters
    ----------
    mask : (J, I) bool

    Returns
    -------
    list of (N, 2) float64
        Points ``(i, j)`` in voxels, the first one not repeated. One contour per connected region.

    Notes
    -----
    Marching squares by scikit-image: W. Lorensen, H. Cline, "Marching cubes", SIGGRAPH 1987. Channels
    ("keyholes") as PS3.3 C.8.8.6.3 describes for CLOSED_PLANAR.
    """
    from skimage.measure import find_contours

    padded = np.pad(mask.astype(np.float32), 1)
    rings = [ring[:-1, ::-1] - 1 for ring in find_contours(padded, 0.5, fully_connected="low")]
    areas = [_signed_area(ring) for ring in rings]
    outlines = [ring for ring, area in zip(rings, areas) if area * _outline_sign(rings, areas) > 0]
    holes = [ring for ring, area in zip(rings, areas) if area * _outline_sign(rings, areas) < 0]
    for hole in sorted(holes, key=lambda ring: ring[:, 0].max(), reverse=True):
        owner = _owner(hole, outlines)
        outlines[owner] = _joined(outlines[owner], hole)
    return outlines


def _outline_sign(rings: list[np.ndarray], areas: list[float]) -> float:
    """Direction of outlines: that of the ring with the leftmost point, which can be no hole."""
    leftmost = min(range(len(rings)), key=lambda n: rings[n][:, 0].min())
    return np.sign(areas[leftmost])


def _signed_area(ring: np.ndarray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _owner(hole: np.ndarray, outlines: list[np.ndarray]) -> int:
    """The smallest outline that a hole lies in."""
    inside = [n for n, outline in enumerate(outlines) if contains(outline, hole[:1])[0]]
    return min(inside, key=lambda n: abs(_signed_area(outlines[n])))


def _joined(outline: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One ring that walks the outline, crosses to the hole at the nearest points, round it, and back."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(outline).query(hole)
    start = int(np.argmin(distance))
    at = int(nearest[start])
    around = np.concatenate([hole[start:], hole[: start + 1]])
    return np.concatenate([outline[: at + 1], around, outline[at:]])


def contains(ring: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points (N, 2) lie inside a ring (M, 2), by the even-odd rule; (N,) bool."""
    ends = np.roll(ring, -1, axis=0)
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(ring, ends):
        if y0 == y1:
            continue
        crosses = (y0 > points[:, 1]) != (y1 > points[:, 1])
        inside ^= crosses & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return inside
