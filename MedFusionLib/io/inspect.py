"""Say what is in a file or folder, problems included."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.errors import MedFusionError, UnreadableFile
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
    if path.is_dir():
        series = find_series(path)
        if len(series) > 1:
            return [_one_of_several(path, one) for one in series]
        files = [] if series else sorted(p for p in path.iterdir() if p.is_file() and has_reader(p))
        if not series and not files:
            raise UnreadableFile(f"{path} holds no image", "DICOM, NIfTI, NRRD, MHA, PNG or TIFF files")
        if files:
            return [_describe(file, modality, unit) for file in files]
    return [_describe(path, modality, unit)]


def _describe(path: Path, modality: str | None, unit: str | None) -> dict:
    try:
        volume = read_volume(path, modality, unit)
    except MedFusionError as error:
        return _problem(str(path), modality, str(error))
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


def _one_of_several(path: Path, series: Series) -> dict:
    folder = series.headers[0].path.parent.name
    sentence = f"one of several series in this folder; give its own folder ({folder}/) to read it"
    return _problem(f"{path} ({series.describe()})", series.modality, sentence)


def _remarks(volume: Volume) -> list[str]:
    remarks = []
    if not volume.unit.is_known:
        remarks.append("unit unknown: the values are not treated as HU or SUV")
    if float(volume.array.min()) == float(volume.array.max()):
        remarks.append("constant: there is nothing to see")
    if not volume.geometry.is_orthogonal:
        remarks.append("the voxel axes are not perpendicular")
    return remarks


def _problem(path: str, modality: str | None, sentence: str) -> dict:
    unknown = ("unit", "shape_kji", "spacing_mm", "ijk_to_ras", "min", "max", "frame_of_reference")
    return {"path": path, "modality": modality, **dict.fromkeys(unknown), "problems": [sentence]}
