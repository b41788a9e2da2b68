"""Checks that every reader makes on what it read."""

from __future__ import annotations

import numpy as np

from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.volume import Geometry


def checked_geometry(label: str, shape: tuple[int, ...], ijk_to_ras: np.ndarray) -> Geometry:
    """The geometry of a file, or an error that names the file."""
    try:
        return Geometry(shape, ijk_to_ras)
    except UsageError as error:
        raise UnreadableFile(
            f"{label}: {error.what}", error.expected, "Export the image again with its geometry"
        ) from error


def check_finite(label: str, array: np.ndarray) -> None:
    """Refuse voxels that are not numbers.

    Raises
    ------
    UnreadableFile
        With the number of such voxels.
    """
    parts = array if array.ndim > 2 else (array,)  # slice by slice: one mask of the whole costs more than the check
    bad = sum(part.size - int(np.count_nonzero(np.isfinite(part))) for part in parts)
    if bad:
        raise UnreadableFile(
            f"{label} holds {bad} voxels that are not finite (NaN or infinite)",
            "a number in every voxel",
            "Replace them by the background value and save the file again",
        )


def whole_numbers(label: str, array: np.ndarray) -> np.ndarray:
    """Labels as uint8.

    Raises
    ------
    UnreadableFile
        When values are not whole numbers in 0..255.
    """
    check_finite(label, array)
    if array.size and (array.min() < 0 or array.max() > 255 or not np.array_equal(array, np.rint(array))):
        raise UnreadableFile(f"{label} is not a label map", "whole numbers from 0 to 255")
    return array.astype(np.uint8)
