"""NRRD and MetaImage files, through SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.checks import check_finite, checked_geometry
from MedFusionLib.io.limits import check_size
from MedFusionLib.io.nifti import RawImage
from MedFusionLib.volume import Geometry

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_itk(path: Path) -> RawImage:
    """Voxels and grid of an NRRD or MetaImage file with three dimensions.

    Raises
    ------
    UnreadableFile
        Whatever is wrong with the file.
    """
    try:
        return _read(path)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable NRRD or MetaImage file", "a complete file with its data", "Export it again"
        ) from error


def to_itk_image(array: np.ndarray, geometry: Geometry):
    """A SimpleITK image (LPS) of voxels (K, J, I)."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    matrix = LPS_TO_RAS @ geometry.ijk_to_ras
    spacing = np.asarray(geometry.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    return image


def _read(path: Path) -> RawImage:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.GetNumberOfComponents() != 1:
        raise UnreadableFile(
            f"{path.name} has {reader.GetNumberOfComponents()} values per voxel", "one number per voxel"
        )
    if reader.GetDimension() not in (2, 3):
        raise UnreadableFile(f"{path.name} has {reader.GetDimension()} dimensions", "one scalar volume")
    check_size(path.name, reader.GetSize())
    image = reader.Execute()
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    check_finite(path.name, array)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return RawImage(array, checked_geometry(path.name, array.shape, LPS_TO_RAS @ matrix))
