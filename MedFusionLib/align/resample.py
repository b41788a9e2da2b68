"""Resample volumes and label maps onto another grid, once, in world coordinates.

Both grids are handed to ITK in index coordinates and the way between them as one transform
(target index -> RAS -> moving RAS -> source index). So oblique and sheared grids need no special
case, and LPS occurs only around a transform read from an ITK file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib import units
from MedFusionLib.align.transform import RAS_LPS, TransformLike, affine_transform, as_transform, ras_matrix
from MedFusionLib.volume import Case, Geometry, Volume

if TYPE_CHECKING:
    import SimpleITK


def outside_value(volume: Volume) -> float:
    """What lies outside a volume's field of view, in its unit.

    Air for CT in HU; zero for PET and SPECT (no measured activity) and for MR, whose background is
    noise around zero; the smallest value otherwise. Zero is never used where it lies outside the
    volume's range.
    """
    if volume.modality == "CT" and volume.unit == units.HOUNSFIELD:
        return units.AIR_HU
    lowest, highest = float(volume.array.min()), float(volume.array.max())
    if volume.modality in ("PT", "NM", "MR") and lowest <= 0 <= highest:
        return 0.0
    return lowest


def resample_to(
    volume: Volume, geometry: Geometry, *, fill: float | None = None, transform: TransformLike = None
) -> Volume:
    """The volume on another grid, by linear interpolation.

    Parameters
    ----------
    volume : Volume
        The moving volume.
    geometry : Geometry
        The target grid.
    fill : float or None
        Value outside the field of view; None takes `outside_value`.
    transform : path, SimpleITK transform, or None
        From the target's LPS to the moving volume's LPS, as ITK writes it; None is the identity.

    Returns
    -------
    Volume
        Same modality, unit and name; its origin remembers the native spacing. A volume that lies on
        the grid already is returned as it is.
    """
    if transform is None and volume.geometry.same_grid(geometry):
        return volume
    fill = outside_value(volume) if fill is None else float(fill)
    array = _resample(volume.array, volume.geometry, geometry, transform, fill, nearest=False)
    native = volume.source.native_spacing_mm or volume.geometry.spacing_mm
    return Volume(
        array,
        geometry,
        volume.modality,
        volume.unit,
        volume.name,
        replace(volume.source, native_spacing_mm=native),
    )


def resample_labels_to(
    labels: np.ndarray, geometry: Geometry, target: Geometry, *, transform: TransformLike = None
) -> np.ndarray:
    """Labels (K, J, I) on another grid as uint8, by nearest neighbour; 0 outside."""
    if transform is None and geometry.same_grid(target):
        return np.asarray(labels, dtype=np.uint8)
    return _resample(np.asarray(labels, dtype=np.uint8), geometry, target, transform, 0, nearest=True)


def coverage(geometry: Geometry, target: Geometry, *, transform: TransformLike = None) -> np.ndarray:
    """(K, J, I) bool on the target grid, True inside the field of view of `geometry`."""
    ones = np.ones(geometry.shape, np.uint8)
    return _resample(ones, geometry, target, transform, 0, nearest=True) > 0


def to_reference(case: Case, *, transforms: Sequence | None = None) -> Case:
    """Every source of a case on the grid of its first one.

    Parameters
    ----------
    case : Case
        The sources.
    transforms : sequence or None
        One per moving source, see `resample_to`.
    """
    moving = case.sources[1:]
    given = list(transforms) if transforms is not None else [None] * len(moving)
    target = case.reference.geometry
    return Case([case.reference, *(resample_to(v, target, transform=t) for v, t in zip(moving, given))])


def in_reference_space(case: Case, transforms: Sequence, *, aligned: Case | None = None) -> Case:
    """Every source where it lies against the reference, with its own voxels wherever that is possible.

    Without a transform a source is as it was; a rigid one moves its grid and leaves the voxels
    alone, so that values measured in it are native ones. Any other bends or scales space, and the
    source is resampled on the reference grid.

    Parameters
    ----------
    case : Case
        The sources as they were scanned.
    transforms : sequence
        One per moving source: reference LPS to moving LPS, or None.
    aligned : Case or None
        What `to_reference` made of the case, where it is there already.
    """
    grid, sources = case.reference.geometry, [case.reference]
    for number, (volume, transform) in enumerate(zip(case.sources[1:], transforms), 1):
        placed = _moved(volume, transform)
        if placed is None:
            placed = resample_to(volume, grid, transform=transform) if aligned is None else aligned.sources[number]
        sources.append(placed)
    return Case(sources)


def _moved(volume: Volume, transform) -> Volume | None:
    """The volume with its grid moved into reference space; None where the transform is not rigid."""
    if transform is None:
        return volume
    matrix = ras_matrix(transform)
    if matrix is None or not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-6):
        return None
    geometry = Geometry(volume.geometry.shape, np.linalg.inv(matrix) @ volume.geometry.ijk_to_ras)
    return replace(volume, geometry=geometry)


def _resample(array, source: Geometry, target: Geometry, transform, fill: float, *, nearest: bool) -> np.ndarray:
    import SimpleITK as sitk

    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in target.shape[::-1]])
    resampler.SetOutputOrigin([0.0] * 3)
    resampler.SetOutputSpacing([1.0] * 3)
    resampler.SetDefaultPixelValue(fill)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    resampler.SetTransform(_index_to_index(source, target, transform))
    return sitk.GetArrayFromImage(resampler.Execute(sitk.GetImageFromArray(np.ascontiguousarray(array))))


def _index_to_index(source: Geometry, target: Geometry, transform) -> SimpleITK.Transform:
    """Target index to source index, both (i, j, k)."""
    import SimpleITK as sitk

    if transform is None:
        return affine_transform(source.ras_to_ijk @ target.ijk_to_ras)
    transform = as_transform(transform)
    # a composite applies what was added last first
    to_lps = affine_transform(RAS_LPS @ target.ijk_to_ras)
    from_lps = affine_transform(source.ras_to_ijk @ RAS_LPS)
    return sitk.CompositeTransform([from_lps, transform, to_lps])
