"""Carry labels of the reference into the space of a moving volume, on its own voxels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.align.resample import resample_labels_to
from MedFusionLib.align.transform import RAS_LPS, TransformLike, as_transform, map_points, ras_matrix, to_transform
from MedFusionLib.volume import Geometry

MARGIN_MM = 15.0
"""The transform is looked at this far around the labels."""
FIELD_MM = 3.0
_MOST_ROUNDS = 50
_SETTLED_MM = 0.01
_FLIP = np.array([-1.0, -1.0, 1.0])


def labels_in_moving_space(
    labels: np.ndarray, geometry: Geometry, target: Geometry, transform: TransformLike
) -> np.ndarray:
    """Labels (K, J, I) of the reference on the voxels of a moving volume, by the nearest label; 0 elsewhere.

    So a lesion is measured in the values that the scanner wrote, even where a transform scales or
    bends the moving volume.

    Parameters
    ----------
    labels : (K, J, I) array of uint8
        On the reference's grid.
    geometry, target : Geometry
        The reference's grid, and the moving volume's own.
    transform : path, SimpleITK transform, or None
        Reference LPS to moving LPS.

    Raises
    ------
    UnreadableFile, UsageError
        See `transform.as_transform`.
    """
    labels = np.asarray(labels, np.uint8)
    matrix = ras_matrix(transform)
    if matrix is not None:
        return resample_labels_to(labels, geometry, target, transform=to_transform(np.linalg.inv(matrix)))
    found = np.zeros(target.shape, np.uint8)
    if not labels.any():
        return found
    inverse = _LocalInverse(labels, geometry, as_transform(transform))
    box = inverse.reach_in(target)
    if box is None:
        return found
    grids = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
    points = target.to_ras(np.stack(grids[::-1], axis=-1).reshape(-1, 3))
    ijk = np.rint(geometry.to_ijk(inverse.points(points))).astype(int)
    kji = ijk[:, ::-1]
    within = ((kji >= 0) & (kji < geometry.shape)).all(axis=1)
    values = np.zeros(len(points), np.uint8)
    values[within] = labels[tuple(kji[within].T)]
    found[box] = values.reshape(grids[0].shape)
    return found


def points_in_reference_space(
    points_ras: np.ndarray, labels: np.ndarray, geometry: Geometry, transform: TransformLike
) -> np.ndarray:
    """RAS points (N, 3) of the moving volume, near the labels, as RAS points of the reference."""
    matrix = ras_matrix(transform)
    if matrix is not None:
        back = np.linalg.inv(matrix)
        return points_ras @ back[:3, :3].T + back[:3, 3]
    return _LocalInverse(labels, geometry, as_transform(transform)).points(points_ras)


class _LocalInverse:
    """The inverse of a bending transform around some labels.

    The transform is sampled on a grid around them; its best affine fit gives the step of Newton's
    method, which converges where the rest bends less than it.
    """

    def __init__(self, labels: np.ndarray, geometry: Geometry, transform) -> None:
        inside = np.argwhere(labels)
        corners = np.array(np.meshgrid(*zip(inside.min(axis=0), inside.max(axis=0)), indexing="ij")).reshape(3, -1).T
        ras = geometry.to_ras(corners[:, ::-1])
        self.low, high = ras.min(axis=0) - MARGIN_MM, ras.max(axis=0) + MARGIN_MM
        counts = np.maximum(np.ceil((high - self.low) / FIELD_MM).astype(int) + 1, 2)
        self.moved = _sampled(transform, self.low, counts)
        line = [self.low[axis] + FIELD_MM * np.arange(counts[axis]) for axis in range(3)]
        here = np.stack(np.meshgrid(*line, indexing="ij"), axis=-1).reshape(-1, 3)
        fit, *_ = np.linalg.lstsq(np.c_[here, np.ones(len(here))], self.moved.reshape(-1, 3), rcond=None)
        self.back, self.offset = np.linalg.inv(fit[:3].T), fit[3]
        self.lesion = map_points(transform, ras)

    def reach_in(self, target: Geometry) -> tuple[slice, slice, slice] | None:
        """Voxels of the moving volume that the labels may cover."""
        points = np.concatenate([self.lesion, self.moved.reshape(-1, 3)])
        kji = target.to_ijk(points)[:, ::-1]
        low = np.clip(np.floor(kji.min(axis=0)).astype(int), 0, target.shape)
        high = np.clip(np.ceil(kji.max(axis=0)).astype(int) + 1, 0, target.shape)
        return None if (high <= low).any() else tuple(slice(int(a), int(b)) for a, b in zip(low, high))

    def points(self, moving_ras: np.ndarray) -> np.ndarray:
        """Reference points (N, 3) that the transform takes to the given ones."""
        found = (moving_ras - self.offset) @ self.back.T
        for _ in range(_MOST_ROUNDS):
            missing = moving_ras - self._apply(found)
            found = found + missing @ self.back.T
            if np.abs(missing).max() < _SETTLED_MM:
                break
        return found

    def _apply(self, ras: np.ndarray) -> np.ndarray:
        place = ((ras - self.low) / FIELD_MM).T
        return np.stack(
            [ndimage.map_coordinates(self.moved[..., c], place, order=1, mode="nearest") for c in range(3)], 1
        )


def _sampled(transform, low: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(R, A, S, 3) where the points of a grid along R, A, S go, RAS in mm."""
    import SimpleITK as sitk

    start = (RAS_LPS[:3, :3] @ (low + FIELD_MM * np.array([counts[0] - 1, counts[1] - 1, 0]))).tolist()
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, [int(n) for n in counts], start, [FIELD_MM] * 3, np.eye(3).ravel().tolist()
    )
    displaced = sitk.GetArrayFromImage(field)[:, ::-1, ::-1] * _FLIP  # (S, A, R), now with R and A rising
    line = [low[axis] + FIELD_MM * np.arange(counts[axis]) for axis in range(3)]
    return np.stack(np.meshgrid(*line, indexing="ij"), axis=-1) + displaced.transpose(2, 1, 0, 3)
