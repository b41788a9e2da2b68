"""Say what is in a file or folder, problems included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.dicom import read_series
from MedFusionLib.io.dicom_files import Series, find_series
from MedFusionLib.io.read import has_reader, read_volume
from MedFusionLib.volume import Volume


def inspect_path(path: str | Path, modality: str | None = None, unit: str | None = None) -> list[dict]:
    """Describe every volume in a file or folder.

    A volume that cannot be read is described by its problems; a folder with several DICOM series
    gives one entry per series.

    Parameters
    ----------
    path : path
        A file or folder.
    modality, unit
        As for `read_volume`.

    Returns
    -------
    list of dict
        ``path``, ``modality``, ``unit``, ``shape_kji``, ``spacing_mm``, ``ijk_to_ras``, ``min``,
        ``max``, ``frame_of_reference`` (hashed) and ``problems``; what is not known is None.

    Raises
    ------
    UnreadableFile
        When nothing is there, or a folder holds nothing to describe.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path}", "an image file or a folder with DICOM series")
    if path.is_file():
        return [_describe(path, modality, partial(read_volume, path, modality, unit))]
    try:
        series = find_series(path)
    except MedFusionError as error:
        return [_problem(path, modality, str(error))]
    if series:
        return [_describe_series(path, one, len(series), modality, unit) for one in series]
    files = sorted(p for p in path.iterdir() if p.is_file() and has_reader(p))
    if not files:
        raise UnreadableFile(f"{path} holds no image", "DICOM, NIfTI, NRRD, MHA, PNG or TIFF files")
    return [_describe(file, modality, partial(read_volume, file, modality, unit)) for file in files]


def _describe_series(path: Path, series: Series, count: int, modality: str | None, unit: str | None) -> dict:
    found = _describe(path, series.modality, partial(read_series, series, modality, unit))
    if count > 1:
        folder = series.headers[0].path.parent
        found["problems"].insert(
            0, f"one of {count} series in this folder ({series.describe()} in {folder.name}/): read them one by one"
        )
    return found


def _describe(path: Path, modality: str | None, read: Callable[[], Volume]) -> dict:
    try:
        volume = read()
    except MedFusionError as error:
        return _problem(path, modality, str(error))
    return {
        "path": str(path),
        "modality": volume.modality,
        "unit": volume.unit.code,
        "shape_kji": list(volume.geometry.shape),
        "spacing_mm": list(volume.geometry.spacing_mm),
        "ijk_to_ras": volume.geometry.ijk_to_ras.tolist(),
        "min": float(volume.array.min()),
        "max": float(volume.array.max()),
        "frame_of_reference": volume.source.frame_of_reference,
        "problems": [*_remarks(volume), *volume.source.notes],
    }


def _remarks(volume: Volume) -> list[str]:
    remarks = []
    if not volume.unit.is_known:
        remarks.append("unit unknown: the values are not treated as HU or SUV")
    if float(volume.array.min()) == float(volume.array.max()):
        remarks.append("constant: there is nothing to see")
    if not volume.geometry.is_orthogonal:
        remarks.append("the voxel axes are not perpendicular")
    return remarks


def _problem(path: Path, modality: str | None, sentence: str) -> dict:
    unknown = ("unit", "shape_kji", "spacing_mm", "ijk_to_ras", "min", "max", "frame_of_reference")
    return {"path": str(path), "modality": modality, **dict.fromkeys(unknown), "problems": [sentence]}
