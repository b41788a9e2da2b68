"""SUVpeak: the highest mean in a sphere of 1 cm3."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.segment.surface import bounding_box
from MedFusionLib.volume import Volume

SPHERE_RADIUS_MM = 10 * (3 / (4 * np.pi)) ** (1 / 3)
"""Radius of a sphere of 1 cm3, 6.204 mm."""

_LATTICE_MM = 0.8
_STARTS = 6
_STEPS_VOXELS = (0.5, 0.25, 0.125)
_MOST_MOVES = 6
_SPLINE_REACH = 6


def peak_mean(volume: Volume, mask: np.ndarray) -> tuple[float, tuple[float, float, float]]:
    """The highest mean of a volume in a sphere of 1 cm3 whose centre lies in a mask, and that centre.

    The image between the voxel centres is its cubic spline, clipped to the range of the voxels
    around, so that the mean is that of a round sphere at any place and not of a set of whole
    voxels, and never exceeds the highest voxel. The best voxel centres are found first, then the
    centre is moved by fractions of a voxel. The sphere may reach beyond the mask (as PERCIST has
    it); where it reaches beyond the image, the part inside counts.

    Parameters
    ----------
    volume : Volume
        PET, in any unit.
    mask : (K, J, I) bool array
        The lesion on the volume's grid; at least one voxel.

    Returns
    -------
    mean : float
        In the volume's unit.
    centre_ras : tuple of float
        RAS in mm.

    Notes
    -----
    R. L. Wahl et al., "From RECIST to PERCIST: evolving considerations for PET response criteria in
    solid tumors", Journal of Nuclear Medicine 50 (2009) 122S-150S.
    """
    geometry = volume.geometry
    reach = np.ceil(SPHERE_RADIUS_MM / np.array(geometry.spacing_kji_mm)).astype(int)
    box = bounding_box(mask, tuple(reach + _SPLINE_REACH))
    inside = mask[box]
    sphere = _Sphere(volume.array[box], _sphere_points_kji(geometry.ras_to_ijk))
    starts = _best_voxels(volume.array[box], inside, sphere.points)
    value, centre = max((_climb(sphere, inside, start) for start in starts), key=lambda found: found[0])
    kji = centre + [s.start for s in box]
    return value, tuple(float(c) for c in geometry.to_ras(kji[::-1]))


class _Sphere:
    """Means of an image in a sphere at any place."""

    def __init__(self, values: np.ndarray, points: np.ndarray) -> None:
        self.points = points
        self.spline = ndimage.spline_filter(values.astype(np.float64), 3, mode="nearest")
        self.lowest = ndimage.minimum_filter(values, 3, mode="nearest")
        self.highest = ndimage.maximum_filter(values, 3, mode="nearest")
        self.last = np.array(values.shape) - 0.5

    def means(self, centres: np.ndarray) -> np.ndarray:
        """(N,) means at centres (N, 3) in voxels (k, j, i)."""
        places = (centres[:, None] + self.points).reshape(-1, 3)
        found = ndimage.map_coordinates(self.spline, places.T, order=3, mode="nearest", prefilter=False)
        nearest = tuple(np.clip(np.rint(places).astype(int), 0, np.array(self.spline.shape) - 1).T)
        found = np.clip(found, self.lowest[nearest], self.highest[nearest]).reshape(len(centres), -1)
        counted = ((places >= -0.5) & (places <= self.last)).all(axis=1).reshape(len(centres), -1)
        return (found * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _sphere_points_kji(ras_to_ijk: np.ndarray) -> np.ndarray:
    """(N, 3) offsets (k, j, i) in voxels of a fine lattice in the sphere."""
    steps = np.arange(-np.floor(SPHERE_RADIUS_MM / _LATTICE_MM), SPHERE_RADIUS_MM / _LATTICE_MM + 1) * _LATTICE_MM
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= SPHERE_RADIUS_MM]
    return (points @ ras_to_ijk[:3, :3].T)[:, ::-1]


def _best_voxels(values: np.ndarray, inside: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The voxels of the mask with the highest means over whole voxels, as (N, 3) floats."""
    half = np.maximum(np.ceil(np.abs(points).max(axis=0) - 0.5).astype(int), 0)
    kernel = np.zeros(2 * half + 1)
    np.add.at(kernel, tuple((np.clip(np.rint(points).astype(int), -half, half) + half).T), 1)
    means = ndimage.convolve(values.astype(np.float64), kernel / kernel.sum(), mode="nearest")
    candidates = np.argwhere(inside)
    best = np.argsort(-means[inside], kind="stable")[:_STARTS]
    return candidates[best].astype(np.float64)


def _climb(sphere: _Sphere, inside: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Move the centre to higher means, by ever smaller fractions of a voxel, within the mask."""
    centre, value = start, float(sphere.means(start[None])[0])
    directions = np.concatenate([np.eye(3), -np.eye(3)])
    for step in _STEPS_VOXELS:
        for _ in range(_MOST_MOVES):
            around = centre + step * directions
            nearest = np.rint(around).astype(int)
            allowed = ((nearest >= 0) & (nearest < inside.shape)).all(axis=1)
            allowed[allowed] = inside[tuple(nearest[allowed].T)]
            if not allowed.any():
                break
            means = sphere.means(around[allowed])
            best = int(np.argmax(means))
            if means[best] <= value:
                break
            centre, value = around[allowed][best], float(means[best])
    return value, centre
