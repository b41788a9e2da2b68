"""Carry contours from one grid to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import NotSupported
from MedFusionLib.segment.surface import bounding_box
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Geometry

WAYS = ("nearest", "shape")
_MARGIN_VOXELS = 2
_FAR_OUTSIDE_MM = -1e6


def carry_labels(labels: np.ndarray, geometry: Geometry, target: Geometry, *, way: str = "nearest") -> np.ndarray:
    """Labels (K, J, I) on another grid as uint8; 0 outside.

    Parameters
    ----------
    labels : (K, J, I) array of uint8
        0 is background.
    geometry, target : Geometry
        The grids from and to.
    way : {"nearest", "shape"}
        ``nearest`` takes the value of the nearest voxel: right for measuring on a coarser grid.
        ``shape`` interpolates the signed distance to every label's contour, which gives a smooth
        contour on a finer grid instead of steps.

    Raises
    ------
    NotSupported
        For another way.

    Notes
    -----
    S. P. Raya, J. K. Udupa, "Shape-based interpolation of multidimensional objects", IEEE
    Transactions on Medical Imaging 9 (1990) 32-42.
    """
    if way not in WAYS:
        raise NotSupported(f"Carrying labels by {way!r}", " or ".join(WAYS))
    labels = np.asarray(labels, np.uint8)
    if geometry.same_grid(target):
        return labels.copy()
    if way == "nearest":
        return sample_array(labels, geometry, target, order=0)
    best = np.zeros(target.shape, np.float32)
    found = np.zeros(target.shape, np.uint8)
    for label in (int(value) for value in np.unique(labels) if value):
        depth = sample_array(
            signed_distance(labels == label, geometry), geometry, target, order=1, outside=_FAR_OUTSIDE_MM
        )
        nearer = depth > best
        found[nearer], best[nearer] = label, depth[nearer]
    return found


def carry_segmentation(segmentation: Segmentation, target: Geometry, *, way: str = "shape") -> Segmentation:
    """A segmentation on another grid, see `carry_labels`; measures are dropped, since they would differ."""
    labels = carry_labels(segmentation.labels, segmentation.geometry, target, way=way)
    return replace(segmentation, labels=labels, geometry=target, measures=())


def signed_distance(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Distance in mm to the contour of a non-empty mask, (K, J, I) float32: positive inside, negative outside.

    The contour lies half-way between voxels inside and outside. More than two voxels outside the
    box around the mask the value is only known to be negative.
    """
    spacing = geometry.spacing_kji_mm
    box = bounding_box(mask, (_MARGIN_VOXELS,) * 3)
    depth = np.full(mask.shape, -_MARGIN_VOXELS * max(spacing), np.float32)
    inside = np.pad(mask[box], 1)
    inner = slice(1, -1)
    here = ndimage.distance_transform_edt(inside, sampling=spacing)
    there = ndimage.distance_transform_edt(~inside, sampling=spacing)
    half = min(spacing) / 2
    signed = np.where(inside, here - half, half - there)
    depth[box] = signed[inner, inner, inner]
    return depth


def sample_array(
    array: np.ndarray, geometry: Geometry, target: Geometry, *, order: int = 1, outside: float = 0.0
) -> np.ndarray:
    """Values (K, J, I) of an array on another grid: nearest neighbour (order 0) or linear (order 1)."""
    ijk = geometry.ras_to_ijk @ target.ijk_to_ras
    flip = np.eye(4)[[2, 1, 0, 3]]
    kji = flip @ ijk @ flip
    if order == 0:
        return ndimage.affine_transform(
            array, kji, output_shape=target.shape, order=0, mode="grid-constant", cval=outside
        )
    inside = np.pad(array, 1, mode="edge")  # linear up to the outer faces of the edge voxels
    kji = np.array(kji)
    kji[:3, 3] += 1
    return ndimage.affine_transform(inside, kji, output_shape=target.shape, order=1, mode="constant", cval=outside)
