"""Bring slices of a tilted gantry onto an orthogonal grid."""

from __future__ import annotations

import numpy as np

from MedFusionLib.io.limits import check_size
from MedFusionLib.volume import Geometry


def upright(label: str, array: np.ndarray, geometry: Geometry, outside: float) -> tuple[np.ndarray, Geometry]:
    """Shift every slice within its plane, so that slices are stacked along their normal.

    Every slice keeps its plane; only rows and columns are interpolated, linearly. The grid grows to hold all slices.

    Parameters
    ----------
    label : str
        The series, for errors.
    array : (K, J, I) float32
        Slices of the sheared grid.
    geometry : Geometry
        The sheared grid.
    outside : float
        Value where there was no slice.

    Returns
    -------
    (K, J', I') float32, Geometry
        The resampled slices and their orthogonal grid.

    Raises
    ------
    UnreadableFile
        When the orthogonal grid would be too large.
    """
    matrix = geometry.ijk_to_ras
    columns, rows, step = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    normal = np.cross(columns, rows)
    normal *= np.sign(normal @ step) / np.linalg.norm(normal)
    # in-plane shift of slice k against slice 0, in columns and rows
    shift = np.arange(len(array))[:, None] * np.array(
        [step @ columns / (columns @ columns), step @ rows / (rows @ rows)]
    )
    low, high = np.floor(shift.min(axis=0)).astype(int), np.ceil(shift.max(axis=0)).astype(int)
    shape = (len(array), array.shape[1] + high[1] - low[1], array.shape[2] + high[0] - low[0])
    check_size(label, shape)
    result = np.full(shape, outside, np.float32)
    for number, image in enumerate(array):
        _paste(result[number], image, shift[number] - low, outside)
    grid = matrix.copy()
    grid[:3, 2] = normal * (step @ normal)
    grid[:3, 3] = matrix[:3, 3] + low[0] * columns + low[1] * rows
    return result, Geometry(shape, grid)


def _paste(canvas: np.ndarray, image: np.ndarray, offset: np.ndarray, outside: float) -> None:
    """Write an image (J, I) into a canvas, moved by a fractional offset (columns, rows) >= 0."""
    whole = np.floor(offset).astype(int)
    right, down = (float(part) for part in offset - whole)
    padded = np.pad(image, ((1, 1), (1, 1)), constant_values=np.float32(outside))
    moved = padded[:, 1:] * np.float32(1 - right) + padded[:, :-1] * np.float32(right)
    moved = moved[1:] * np.float32(1 - down) + moved[:-1] * np.float32(down)
    j, i = min(moved.shape[0], canvas.shape[0] - whole[1]), min(moved.shape[1], canvas.shape[1] - whole[0])
    canvas[whole[1] : whole[1] + j, whole[0] : whole[0] + i] = moved[:j, :i]
