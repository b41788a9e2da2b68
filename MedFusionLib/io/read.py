"""Read any supported file or folder as one volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionLib.io import itk, nifti, picture
from MedFusionLib.io.checks import whole_numbers
from MedFusionLib.io.identity import digest_of_all, file_digest
from MedFusionLib.io.meaning import find_meaning, stem_of
from MedFusionLib.units import Unit
from MedFusionLib.volume import Geometry, Origin, Volume

_READERS = (
    (nifti.SUFFIXES, nifti.read_nifti),
    (itk.SUFFIXES, itk.read_itk),
    (picture.SUFFIXES, picture.read_picture),
)


def read_volume(
    path: str | Path,
    modality: str | None = None,
    unit: str | Unit | None = None,
    *,
    name: str | None = None,
    tracer: int | None = None,
    part: int | None = None,
    series: str | None = None,
) -> Volume:
    """Read one volume.

    Parameters
    ----------
    path : path
        NIfTI, NRRD, MHA, PNG or TIFF file, or a folder, DICOMDIR, zip archive or file of a DICOM series.
    modality : {"CT", "MR", "PT", "NM", "OT"} or None
        Used where the file does not say.
    unit : str, Unit or None
        UCUM code or common name, used where the file does not say. A DICOM PET series becomes SUVbw
        unless ``"Bq/ml"`` or another SUV (``"SUVlbm"``, ``"SUVlbm-james"``, ``"SUVlbm-janma"``, ``"SUVbsa"``,
        ``"SUVibw"``) is asked for.
    name : str or None
        Name for people; otherwise from the file name.
    tracer : int or None
        Which radiopharmaceutical a DICOM PET series is of, from 1; needed when its header names several.
    part : int or None
        Which volume of a DICOM series that holds several (echoes, time points, orientations), from 1.
    series : str or None
        Which series, where a place holds several: the hash that `inspect_path` lists, or its beginning. Without it the
        modality chooses, where only one series is of it.

    Returns
    -------
    Volume

    Raises
    ------
    UnreadableFile
        When the input is missing, broken, or not one scalar volume.
    UsageError
        When an argument contradicts the file.
    SuvUnavailable
        When a PET series lacks what SUV needs.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path}", "an image file or a folder with one DICOM series")
    reader = _reader_for(path)
    if reader is None:
        from MedFusionLib.io.dicom import read_dicom

        return read_dicom(path, modality, unit, name=name, tracer=tracer, part=part, series=series)
    raw = reader(path)
    meaning = find_meaning(path, modality, unit, float(raw.array.min()))
    files = (path, *raw.more_files)
    digest = digest_of_all(map(file_digest, files)) if raw.more_files else file_digest(path)
    origin = Origin(tuple(file.name for file in files), digest, notes=(*raw.notes, *meaning.notes))
    return Volume(raw.array, raw.geometry, meaning.modality, meaning.unit, name or stem_of(path), origin)


def read_labels(path: str | Path) -> tuple[np.ndarray, Geometry]:
    """Labels (K, J, I) uint8 and their grid, from a NIfTI, NRRD or MHA file or a DICOM Segmentation.

    Raises
    ------
    UnreadableFile
        When the file is missing, broken, or holds anything but whole numbers in 0..255.
    NotSupported
        For files of another kind; contours need the images they were drawn on: see `read_contours`.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableFile(f"No file {path}", "a label map as NIfTI, NRRD, MHA or DICOM Segmentation")
    reader = _reader_for(path)
    if reader is None:
        from MedFusionLib.io.dicom_files import is_dicom
        from MedFusionLib.io.dicom_seg import read_dicom_segmentation

        if is_dicom(path):
            found = read_dicom_segmentation(path)
            return found.labels, found.geometry
    if reader is None or reader is picture.read_picture:
        raise NotSupported(f"Labels from {path.name}", "a label map as NIfTI, NRRD or MHA")
    raw = reader(path)
    return whole_numbers(path.name, raw.array), raw.geometry


def has_reader(path: Path) -> bool:
    """Whether a file is of a known type by its name."""
    return _reader_for(path) is not None


def _reader_for(path: Path):
    """The reader for a file by its name; None for DICOM (folders and anything else)."""
    if path.is_dir():
        return None
    for suffixes, reader in _READERS:
        if path.name.lower().endswith(suffixes):
            return reader
    return None
