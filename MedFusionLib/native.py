"""Sources on their own grid, for methods that need no resampling of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedFusionLib.intensity import Window, normalise
from MedFusionLib.volume import Case, Geometry

LARGEST_TILT = 0.05
"""Samples by which a straight line of the reference may leave one of the source, over the whole grid."""
COARSE = 0.5
"""Samples of the source per sample of the reference; above, keeping its own grid gains nothing."""
ON_A_PLANE = 0.01


@dataclass(frozen=True, eq=False)
class NativeSlices:
    """A moving source on its own grid, one picture per slice of the reference.

    Parameters
    ----------
    images : (N, h, w) float32 ndarray
        In 0..1; every sample is one of the source. Black where a slice lies outside it.
    rows, columns : tuple of float
        Scale and offset: sample of the picture = scale * sample of the reference slice + offset.
    own_planes : bool
        Whether every picture is a plane of the source; otherwise it is interpolated between two of them.
    """

    images: np.ndarray
    rows: tuple[float, float]
    columns: tuple[float, float]
    own_planes: bool


def native_slices(
    array: np.ndarray, geometry: Geometry, reference: Geometry, slice_axis: int = 0
) -> tuple[NativeSlices | None, str]:
    """The source for every slice of the reference, on its own in-plane grid.

    Parameters
    ----------
    array : (K, J, I) float32
        The source in 0..1.
    geometry, reference : Geometry
        Of the source and of the reference.
    slice_axis : int
        Array axis across the slices of the reference.

    Returns
    -------
    tuple
        The slices and an empty string, or None and the reason why the source must be resampled.
    """
    if geometry.same_grid(reference):
        return None, "it lies on the grid of the reference"
    lines = _axes(geometry, reference)
    if lines is None:
        return None, "its axes are not parallel to those of the reference"
    across, row, column = (lines[axis] for axis in (slice_axis, *(a for a in range(3) if a != slice_axis)))
    if max(abs(row[1]), abs(column[1])) > COARSE:
        return None, "its voxels are hardly larger than those of the reference"
    stack = np.transpose(array, (across[0], row[0], column[0]))
    places = across[1] * np.arange(reference.shape[slice_axis]) + across[2]
    images, own_planes = _planes(stack, places)
    return NativeSlices(images, row[1:], column[1:], own_planes), ""


def own_grids(native: Case, windows: Sequence[Window], slice_axis: int) -> tuple[tuple, dict[str, str]]:
    """Functional sources of a case on their own grids.

    Parameters
    ----------
    native : Case
        Every source on its own voxels, in the reference's space.
    windows : sequence of Window
        Per source.
    slice_axis : int
        Array axis across the slices of the reference.

    Returns
    -------
    tuple
        Per moving source its slices or None, empty when there are none at all; and what became of each, for a record.
    """
    found, kept = [], {}
    for number, (source, window) in enumerate(zip(native.sources[1:], windows[1:]), 1):
        slices, reason = None, "it is not functional"
        if source.is_functional:
            array = normalise(source, window)
            slices, reason = native_slices(array, source.geometry, native.reference.geometry, slice_axis)
        found.append(slices)
        planes = "its own planes" if slices is not None and slices.own_planes else "interpolated between its planes"
        kept[f"source {number}"] = f"resampled: {reason}" if slices is None else f"own grid in the plane, {planes}"
    return (tuple(found) if any(one is not None for one in found) else ()), kept


def _axes(geometry: Geometry, reference: Geometry) -> list[tuple[int, float, float]] | None:
    """Per array axis of the reference the axis of the source, scale and offset; None where they are not parallel."""
    matrix = geometry.ras_to_ijk @ reference.ijk_to_ras
    linear, offset = matrix[:3, :3][::-1, ::-1], matrix[:3, 3][::-1]
    found = []
    for axis in range(3):
        along = int(np.argmax(np.abs(linear[:, axis])))
        others = np.delete(np.abs(linear[along]), axis) * np.delete(np.array(reference.shape) - 1, axis)
        if others.sum() > LARGEST_TILT:
            return None
        found.append((along, float(linear[along, axis]), float(offset[along])))
    return found if len({one[0] for one in found}) == 3 else None


def _planes(stack: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, bool]:
    """Planes at these places, between two of them interpolated; black outside."""
    nearest = np.rint(places)
    on_planes = bool((np.abs(places - nearest) <= ON_A_PLANE).all())
    places = nearest if on_planes else places
    last = len(stack) - 1
    lower = np.clip(np.floor(places).astype(int), 0, last)
    share = np.clip(places - lower, 0, 1)[:, None, None].astype(np.float32)
    images = (1 - share) * stack[lower] + share * stack[np.minimum(lower + 1, last)]
    images[(places < -0.5) | (places > last + 0.5)] = 0
    return np.ascontiguousarray(images, dtype=np.float32), on_planes
