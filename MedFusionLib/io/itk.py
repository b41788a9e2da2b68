"""NRRD and MetaImage files, through SimpleITK."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.checks import check_finite, checked_geometry
from MedFusionLib.io.limits import check_size
from MedFusionLib.io.nifti import RawImage
from MedFusionLib.volume import Geometry

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
MOST_HEADER_BYTES = 1 << 20
_ZLIB_OR_GZIP = 47
_BLOCK = 1 << 20
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_itk(path: Path) -> RawImage:
    """Voxels and grid of an NRRD or MetaImage file with three dimensions.

    Voxels may lie in a second file of the same folder (``.nhdr``, ``.mhd``), but nowhere else.

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

    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    header, start = _header(path, is_nrrd=is_nrrd)
    voxels = _separate_voxels(path, header)
    reader = sitk.ImageFileReader()
    # named, since SimpleITK would otherwise choose a parser by content, DICOM included
    reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.GetNumberOfComponents() != 1:
        raise UnreadableFile(
            f"{path.name} has {reader.GetNumberOfComponents()} values per voxel", "one number per voxel"
        )
    if reader.GetDimension() not in (2, 3):
        raise UnreadableFile(f"{path.name} has {reader.GetDimension()} dimensions", "one scalar volume")
    check_size(path.name, reader.GetSize())
    if not is_nrrd and header.get("compresseddata", "").lower() == "true":
        _check_compressed(path, voxels[0] if voxels else path, 0 if voxels else start, header, _bytes_of(reader))
    image = reader.Execute()
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    check_finite(path.name, array)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    notes = () if "space" in header or not is_nrrd else ("the file names no patient space; taken as LPS",)
    return RawImage(array, checked_geometry(path.name, array.shape, LPS_TO_RAS @ matrix), notes, voxels)


def _bytes_of(reader) -> int:
    """Bytes of the voxels that a reader has announced."""
    import SimpleITK as sitk

    voxel = sitk.GetArrayViewFromImage(sitk.Image([1] * reader.GetDimension(), reader.GetPixelID())).itemsize
    return voxel * math.prod(reader.GetSize())


def _check_compressed(path: Path, file: Path, start: int, header: dict[str, str], needed: int) -> None:
    """MetaIO never ends on voxels that do not unpack to what the header says: unpack them here first, keeping none."""
    stated = header.get("compresseddatasize", "")
    inflater, found = zlib.decompressobj(_ZLIB_OR_GZIP), 0
    with open(file, "rb") as stream:
        stream.seek(start)
        left = int(stated) if stated.isdecimal() and int(stated) else file.stat().st_size - start
        while left > 0 and found <= needed and not inflater.eof and (block := stream.read(min(left, _BLOCK))):
            left -= len(block)
            while block and found <= needed:
                found += len(inflater.decompress(block, _BLOCK))
                block = inflater.unconsumed_tail
    if found != needed or not inflater.eof:
        raise UnreadableFile(
            f"{path.name} unpacks to {found} bytes", f"{needed} bytes by its header", "Copy or download it again"
        )


def _header(path: Path, *, is_nrrd: bool) -> tuple[dict[str, str], int]:
    """Fields of the text before the voxels, names in lower case without blanks, and where the text ends."""
    fields, sign, size = {}, ":" if is_nrrd else "=", 0
    with open(path, "rb") as stream:
        while line := stream.readline(MOST_HEADER_BYTES):
            size += len(line)
            text = line.decode("latin-1").strip()
            if is_nrrd and not text:
                break
            name, found, value = text.partition(sign)
            if found:
                fields[name.lower().replace(" ", "")] = value.strip()
            if name.strip() == "ElementDataFile":
                break
            if size > MOST_HEADER_BYTES:
                raise UnreadableFile(f"{path.name} has a header without end", "a header of at most 1 MB")
    return fields, size


def _separate_voxels(path: Path, header: dict[str, str]) -> tuple[Path, ...]:
    """The second file that holds the voxels, if there is one: a header must not reach beyond its folder."""
    name = header.get("datafile", header.get("elementdatafile", "LOCAL")).removeprefix("./")
    if name.upper() == "LOCAL":
        return ()
    if "%" in name or "\\" in name or Path(name).name != name or not (path.parent / name).is_file():
        raise UnreadableFile(
            f"{path.name} keeps its voxels elsewhere", "voxels in the file, or in one file of the same folder",
            "Save it as one file (.nrrd, .mha)",
        )  # fmt: skip
    return (path.parent / name,)
