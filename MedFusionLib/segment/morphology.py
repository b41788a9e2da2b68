"""Change masks: fill, smooth, drop islands, combine."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.surface import bounding_box
from MedFusionLib.volume import Geometry

TOUCHING = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner belong to one island."""

_WAYS = {
    "union": np.logical_or,
    "intersection": np.logical_and,
    "difference": lambda a, b: a & ~b,
    "exclusive": np.logical_xor,
}


def combine(first: np.ndarray, second: np.ndarray, way: str) -> np.ndarray:
    """Two masks of one grid as one: ``union``, ``intersection``, ``difference`` (first without second), ``exclusive``.

    Raises
    ------
    UsageError
        For masks of different shapes or another way.
    """
    if way not in _WAYS:
        raise UsageError(f"Combining masks by {way!r}", "one of " + ", ".join(_WAYS))
    if first.shape != second.shape:
        raise UsageError(
            f"Masks of shapes {first.shape} and {second.shape}", "one grid", "Carry one over with carry_labels"
        )
    return _WAYS[way](np.asarray(first, bool), np.asarray(second, bool))


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with everything filled that is enclosed on all sides (no path to the outside by faces)."""
    if not mask.any():
        return mask.copy()
    filled = mask.copy()
    box = bounding_box(mask)
    filled[box] = ndimage.binary_fill_holes(mask[box])
    return filled


def keep_islands(mask: np.ndarray, geometry: Geometry, *, smallest_ml: float = 0.0, most: int = 0) -> np.ndarray:
    """The mask without its small islands.

    Parameters
    ----------
    mask : (K, J, I) bool array
        The mask.
    geometry : Geometry
        Its grid.
    smallest_ml : float
        Islands below this volume are dropped.
    most : int
        At most this many of the largest islands stay; 0 keeps all.
    """
    islands, count = ndimage.label(mask, structure=TOUCHING)
    sizes = np.bincount(islands.ravel(), minlength=count + 1)[1:]
    keep = sizes * geometry.voxel_volume_ml >= smallest_ml
    if most:
        keep &= np.isin(np.arange(count), np.argsort(-sizes, kind="stable")[:most])
    return np.concatenate([[False], keep])[islands]


def smooth_mask(mask: np.ndarray, geometry: Geometry, *, width_mm: float) -> np.ndarray:
    """A smoother mask of the same volume, to the voxel.

    The mask is blurred with a Gaussian of standard deviation `width_mm`, and as many voxels with the highest
    values are taken as it had; so unlike opening or a median it neither shrinks nor grows. Details smaller than the
    width go.

    Raises
    ------
    UsageError
        For a negative width.
    """
    if width_mm < 0:
        raise UsageError(f"Smoothing by {width_mm} mm", "0 mm or more")
    if width_mm == 0 or not mask.any():
        return mask.copy()
    sigma = width_mm / np.array(geometry.spacing_kji_mm)
    box = bounding_box(mask, tuple(np.ceil(4 * sigma).astype(int)))
    inside = mask[box]
    # equal values are ranked by the original mask, so that the count can always be met exactly
    rank = ndimage.gaussian_filter(inside.astype(np.float64), sigma, mode="nearest") + 1e-9 * inside
    count = int(inside.sum())
    chosen = np.zeros(inside.size, bool)
    chosen[np.argsort(-rank.ravel(), kind="stable")[:count]] = True
    smoothed = np.zeros_like(mask)
    smoothed[box] = chosen.reshape(inside.shape)
    return smoothed


def close_mask(mask: np.ndarray, geometry: Geometry, *, radius_mm: float) -> np.ndarray:
    """Morphological closing with a ball: gaps narrower than twice the radius are bridged."""
    if not mask.any():
        return mask.copy()
    spacing = np.array(geometry.spacing_kji_mm)
    margin = np.ceil(radius_mm / spacing).astype(int) + 1
    box = bounding_box(mask)
    padded = np.pad(mask[box], [(n, n) for n in margin])
    grown = ndimage.distance_transform_edt(~padded, sampling=spacing) <= radius_mm
    closed = ndimage.distance_transform_edt(grown, sampling=spacing) > radius_mm
    inner = tuple(slice(n, size - n) for n, size in zip(margin, padded.shape))
    found = mask.copy()
    found[box] |= closed[inner]
    return found
