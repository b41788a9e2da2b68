"""Write volumes, whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from MedFusionLib.errors import NotSupported, ResourcesExhausted, UsageError
from MedFusionLib.volume import Geometry, Volume

GZIP_LEVEL = 1
"""Noise does not compress: higher levels cost ten times the time for a few percent."""


def write_volume(volume: Volume, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a volume as NIfTI (``.nii``, ``.nii.gz``), NRRD or MetaImage, float32.

    Raises
    ------
    UsageError
        When the file exists and `overwrite` is not set, or the folder is not there or not writable.
    NotSupported
        For another file type.
    ResourcesExhausted
        When the disk is full; nothing is left behind.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UsageError(f"{path.name} exists already", "a new file name", "Choose another name or allow overwriting")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(volume.array, volume.geometry, path)
    elif name.endswith((".nrrd", ".mha")):
        from MedFusionLib.io.itk import to_itk_image

        write_itk(to_itk_image(volume.array, volume.geometry), path)
    else:
        raise NotSupported(f"Writing {path.name}", "a name that ends in .nii, .nii.gz, .nrrd or .mha")
    return path


def write_nifti(array: np.ndarray, geometry: Geometry, path: Path, *, slope: float | None = None) -> None:
    """Write voxels as NIfTI with equal sform and qform.

    Parameters
    ----------
    array : (K, J, I), (S, K, J, I) or (K, J, I, 3) uint8 array
        A scalar volume, several volumes along the fourth axis, or RGB colours.
    geometry : Geometry
        The grid.
    path : Path
        Ends in .nii or .nii.gz.
    slope : float or None
        Scale from stored to real values.
    """
    import nibabel
    from nibabel.openers import Opener

    if array.ndim == 4 and array.shape[-1] == 3 and array.dtype == np.uint8:
        colours = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        stored = np.ascontiguousarray(array).view(colours)[..., 0].transpose(2, 1, 0)
    elif array.ndim == 4:
        stored = array.transpose(3, 2, 1, 0)
    else:
        stored = array.transpose(2, 1, 0)
    image = nibabel.Nifti1Image(stored, geometry.ijk_to_ras)
    image.header.set_xyzt_units("mm")
    image.set_sform(geometry.ijk_to_ras, code=1)
    if geometry.is_orthogonal:
        image.set_qform(geometry.ijk_to_ras, code=1)
    else:
        image.set_qform(None, code=0)  # a quaternion cannot hold a shear
    if slope is not None:
        image.header.set_slope_inter(slope, 0.0)
    compression = {"compresslevel": GZIP_LEVEL} if path.name.lower().endswith(".gz") else {}
    with atomic(path) as temporary, Opener(str(temporary), "wb", **compression) as stream:
        image.to_stream(stream) if slope is None else _write_stored(image, stored, stream)


def _write_stored(image, stored: np.ndarray, stream) -> None:
    """Header with its scale and the stored integers as they are; nibabel would rescale them."""
    header = image.header
    header["vox_offset"] = 352
    stream.write(header.binaryblock)
    stream.write(b"\0" * (352 - len(header.binaryblock)))
    stream.write(np.asfortranarray(stored).tobytes(order="F"))


def write_itk(image, path: Path) -> None:
    """Write a SimpleITK image as compressed NRRD or MetaImage.

    Raises
    ------
    ResourcesExhausted
        When it cannot be written to its end.
    """
    import SimpleITK as sitk

    with atomic(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:  # SimpleITK does not hand on the system's error number
            raise ResourcesExhausted(
                f"{path.name} could not be written to its end", "enough free disk space", "Free space and retry"
            ) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends well.

    Raises
    ------
    UsageError
        When the folder is not there or not writable.
    ResourcesExhausted
        When the disk is full.
    """
    path = Path(path)
    temporary = None
    suffix = "".join(path.suffixes[-2:]) if path.name.lower().endswith((".nii.gz", ".seg.nrrd")) else path.suffix
    try:
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def disk_error(error: OSError, path: Path) -> UsageError | ResourcesExhausted:
    """What an operating system's error while writing means for a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ResourcesExhausted(
            f"No space left to write {path.name}", "enough free disk space", "Free space and retry"
        )
    return UsageError(f"{path.name} cannot be written ({os.strerror(error.errno) if error.errno else error})",
                      "a folder that exists and is writable", "Choose another folder")  # fmt: skip


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
