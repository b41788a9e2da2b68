"""NIfTI-1 and NIfTI-2 files, read strictly."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.checks import check_finite, checked_geometry
from MedFusionLib.io.limits import check_size
from MedFusionLib.volume import Geometry

SUFFIXES = (".nii", ".nii.gz")
MOST_EXTENSION_BYTES = 16 << 20
_LONGEST_HEADER = 540
_VOXELS_AT = {348: ("f", 108), 540: ("q", 168)}
"""Size of the header -> type and place of the offset of the voxels."""
_TO_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}


@dataclass(frozen=True, eq=False)
class RawImage:
    """Voxels (K, J, I) in the file's own scale, their grid, remarks, and further files that were read."""

    array: np.ndarray
    geometry: Geometry
    notes: tuple[str, ...] = ()
    more_files: tuple[Path, ...] = ()


def read_nifti(path: Path) -> RawImage:
    """Voxels and grid of a NIfTI file with three dimensions.

    The sform is preferred over the qform; a disagreement is noted. Header, size, affine and scale
    are checked before voxels are loaded, and the file must hold as many bytes as its header says.

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
            f"{path.name} is not a readable NIfTI file ({type(error).__name__})",
            "a complete NIfTI file",
            "Copy or export it again",
        ) from error


def stated_voxels(path: Path) -> int:
    """Number of voxels that the header of a NIfTI file states; nothing but the header is read.

    Raises
    ------
    UnreadableFile
        When it is not a readable NIfTI file.
    """
    import nibabel

    try:
        _check_start(path)
        return math.prod(int(length) for length in nibabel.load(path).shape)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(f"{path.name} is not a readable NIfTI file ({type(error).__name__})") from error


def _read(path: Path) -> RawImage:
    import nibabel

    _check_start(path)
    image = nibabel.load(path)
    header = image.header
    if image.get_data_dtype().fields is not None or image.get_data_dtype().kind == "c":
        raise UnreadableFile(f"{path.name} holds colours or complex numbers", "one number per voxel")
    shape = _three_dimensions(path, image.shape)
    check_size(path.name, shape)
    notes = []
    affine = _affine(path, header, notes)
    _check_scale(path, header)
    _check_length(path, image, shape)
    stored = np.asarray(image.dataobj, dtype=np.float32).reshape(shape, order="A")
    array = np.ascontiguousarray(stored.transpose(2, 1, 0))
    check_finite(path.name, array)
    return RawImage(array, checked_geometry(path.name, array.shape, affine), tuple(notes))


def _check_start(path: Path) -> None:
    """Extensions lie between header and voxels, and the parser loads them whole: cap what a header may claim."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as stream:
        start = stream.read(_LONGEST_HEADER)
    for order in "<>":
        size = struct.unpack_from(order + "i", start)[0] if len(start) >= 4 else 0
        if size in _VOXELS_AT and len(start) >= size:
            kind, place = _VOXELS_AT[size]
            offset = struct.unpack_from(order + kind, start, place)[0]
            if not 0 <= offset <= MOST_EXTENSION_BYTES:
                raise UnreadableFile(
                    f"{path.name} says its voxels begin at byte {offset:.6g}", f"0 to {MOST_EXTENSION_BYTES}"
                )


def _three_dimensions(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    kept = tuple(shape) + (1,) * (3 - len(shape))
    if len(kept) > 3 and max(kept[3:]) > 1:
        frames = int(np.prod(kept[3:]))
        raise UnreadableFile(
            f"{path.name} has {len(kept)} dimensions with {frames} frames", "one scalar volume",
            "Extract the frame you want, for example the mean over time",
        )  # fmt: skip
    return kept[:3]


def _affine(path: Path, header, notes: list[str]) -> np.ndarray:
    """Voxel to RAS in mm: sform, else qform, else refused."""
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = header.get_qform(coded=True)
    if not sform_code and not qform_code:
        raise UnreadableFile(f"{path.name} has neither sform nor qform", "a position in the patient", "Export it again")
    affine = np.array(sform if sform_code else qform, dtype=np.float64)
    if sform_code and qform_code and np.isfinite(affine).all():
        off = np.abs(sform - qform).max()
        if not off < 0.01:
            notes.append(f"sform and qform disagree by up to {off:.4g} mm; the sform was used")
    unit = header.get_xyzt_units()[0]
    if unit not in _TO_MM:
        raise UnreadableFile(f"{path.name} measures space in {unit!r}", "millimetres")
    if _TO_MM[unit] != 1.0:
        affine[:3] *= _TO_MM[unit]
        notes.append(f"coordinates converted from {unit}s to mm")
    return affine


def _check_scale(path: Path, header) -> None:
    # nibabel treats a slope of 0 or NaN as "no scaling"; an infinite one it would apply
    for name in ("scl_slope", "scl_inter"):
        if np.isinf(float(header[name])):
            raise UnreadableFile(f"{path.name} has an infinite {name}", "a finite scale")


def _check_length(path: Path, image, shape: tuple[int, int, int]) -> None:
    """The file holds all bytes that the header promises; a compressed one is counted, not kept."""
    needed = int(image.dataobj.offset) + int(np.prod(shape, dtype=np.int64)) * image.get_data_dtype().itemsize
    if path.name.lower().endswith(".gz"):
        found = 0
        with gzip.open(path, "rb") as stream:
            while found < needed and (block := stream.read(1 << 20)):
                found += len(block)
    else:
        found = path.stat().st_size
    if found < needed:
        raise UnreadableFile(
            f"{path.name} is truncated: {found} bytes", f"{needed} bytes by its header", "Copy or download it again"
        )
