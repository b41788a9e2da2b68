"""Transforms between patients' spaces: read, write, apply to points.

As ITK has it, a transform leads from a point of the reference (LPS, in mm) to the point of the moving
image (LPS) that belongs there. Matrices here are RAS.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import ResourcesExhausted, UnreadableFile, UsageError

if TYPE_CHECKING:
    import SimpleITK

RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SUFFIXES = (".h5", ".tfm")

TransformLike = "str | Path | SimpleITK.Transform | None"


def read_transform(path: str | Path) -> SimpleITK.Transform:
    """A transform from an ITK file (.h5, .tfm, .txt): target LPS to moving LPS.

    Raises
    ------
    UnreadableFile
        When there is no such file or it holds no three-dimensional transform.
    """
    import SimpleITK as sitk

    if not Path(path).is_file():
        raise UnreadableFile(f"No transform file {Path(path).name}", "an ITK transform (.h5 or .tfm)")
    try:
        transform = sitk.ReadTransform(str(path))
    except Exception as error:
        raise UnreadableFile(f"{Path(path).name} cannot be read as a transform", "an ITK transform") from error
    if transform.GetDimension() != 3:
        raise UnreadableFile(f"{Path(path).name} holds a {transform.GetDimension()}-D transform", "a 3-D one")
    return transform


def map_points(transform: TransformLike, points_ras: np.ndarray) -> np.ndarray:
    """RAS points (N, 3) of the reference mapped to RAS points of the moving volume; None is the identity."""
    if transform is None:
        return points_ras
    linear = ras_matrix(transform)
    if linear is not None:
        return points_ras @ linear[:3, :3].T + linear[:3, 3]
    transform = as_transform(transform)
    flip = np.array([-1.0, -1.0, 1.0])
    return np.array([transform.TransformPoint(point) for point in (points_ras * flip).tolist()]) * flip


def ras_matrix(transform: TransformLike) -> np.ndarray | None:
    """(4, 4) reference RAS to moving RAS of a linear transform; None when it bends space."""
    if transform is None:
        return np.eye(4)
    transform = as_transform(transform)
    if not transform.IsLinear():
        return None
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    matrix[:3, :3] = np.transpose([transform.TransformPoint(axis) for axis in np.eye(3).tolist()]) - matrix[:3, 3:]
    return RAS_LPS @ matrix @ RAS_LPS


def to_transform(matrix: np.ndarray) -> SimpleITK.AffineTransform:
    """The ITK transform (LPS) of a 4x4 from reference RAS to moving RAS."""
    return affine_transform(RAS_LPS @ matrix @ RAS_LPS)


def as_transform(transform: TransformLike) -> SimpleITK.Transform:
    """A transform, read from its file if need be.

    Raises
    ------
    UnreadableFile
        When the file is not a transform.
    UsageError
        For anything but a file or a SimpleITK transform.
    """
    import SimpleITK as sitk

    if isinstance(transform, (str, Path)):
        transform = read_transform(transform)
    if not isinstance(transform, sitk.Transform):
        raise UsageError(f"A transform of type {type(transform).__name__}", "a file or a SimpleITK transform")
    return transform


def affine_transform(matrix: np.ndarray) -> SimpleITK.AffineTransform:
    """The ITK transform of a 4x4, as it is."""
    import SimpleITK as sitk

    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix[:3, :3].ravel().tolist())
    affine.SetTranslation(matrix[:3, 3].tolist())
    return affine


def simplified(transform: SimpleITK.Transform) -> SimpleITK.Transform:
    """One affine transform where the given one is linear, else the given one without nested composites."""
    import SimpleITK as sitk

    matrix = ras_matrix(transform)
    if matrix is not None:
        return to_transform(matrix)
    flat = sitk.CompositeTransform(transform)
    flat.FlattenTransform()
    return flat


def joined(after, first) -> SimpleITK.Transform:
    """The transform that applies `first`, then `after`."""
    import SimpleITK as sitk

    return simplified(sitk.CompositeTransform([after, first]))


def write_transform(transform: SimpleITK.Transform, path: str | Path) -> Path:
    """Write a transform as ITK does, so that Slicer reads it; whole or not at all.

    Raises
    ------
    UsageError
        For another suffix than .h5 or .tfm, or a folder that cannot be written.
    """
    import SimpleITK as sitk

    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UsageError(f"A transform named {path.name}", "a name that ends in .h5 or .tfm")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            whole = Path(folder) / path.name
            sitk.WriteTransform(simplified(transform), str(whole))
            os.replace(whole, path)
    except PermissionError as error:
        raise UsageError(f"{path} cannot be written", "a folder you may write to") from error
    except (OSError, RuntimeError) as error:
        raise ResourcesExhausted(f"{path.name} could not be written", "room on the disk") from error
    return path
