"""Say what is in a file, folder or archive, problems included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.archive import opened
from MedFusionLib.io.dicom import read_series
from MedFusionLib.io.dicom_list import Listed, Listing, list_dicom
from MedFusionLib.io.read import has_reader, read_volume
from MedFusionLib.volume import Volume

_UNKNOWN = ("unit", "shape_kji", "spacing_mm", "ijk_to_ras", "min", "max", "frame_of_reference")


def inspect_path(
    path: str | Path,
    modality: str | None = None,
    unit: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict]:
    """Describe every volume in a file, a folder with its subfolders, a DICOMDIR or a zip archive.

    A volume that cannot be read is described by its problems. DICOM is listed from its headers; only where there is a
    single volume its values are read, too.

    Parameters
    ----------
    path : path
        A file, folder, DICOMDIR or ``.zip``.
    modality, unit
        As for `read_volume`.
    progress : callable
        Called with the number of files looked at and their total.

    Returns
    -------
    list of dict
        ``path``, ``kind`` (image, segmentation, contours, registration, other), ``modality``, ``description``,
        ``files``, ``part``,
        ``unit``, ``shape_kji``, ``spacing_mm``, ``ijk_to_ras``, ``min``, ``max``, ``series`` and
        ``frame_of_reference`` (hashed) and ``problems``; what is not known is None.

    Raises
    ------
    UnreadableFile
        When nothing is there, or a folder holds nothing to describe.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path}", "an image file or a folder with DICOM series")
    if path.is_file() and has_reader(path):
        return [_describe(path, modality, partial(read_volume, path, modality, unit))]
    try:
        with opened(path) as place:
            found = _inspect_place(path, place, modality, unit, progress)
    except MedFusionError as error:
        return [_problem(path, modality, str(error))]
    if not found:
        raise UnreadableFile(f"{path} holds no image", "DICOM, NIfTI, NRRD, MHA, PNG or TIFF files")
    return found


def _inspect_place(path: Path, place: Path, modality, unit, progress) -> list[dict]:
    listing = list_dicom(place, progress)
    found = _values(path, listing, modality, unit) or [_listed(path, place, entry) for entry in listing.entries]
    if listing.broken:
        for entry in found:
            entry["problems"].append("files here cannot be read: this may lack some of them")
    found += [_problem(path, None, sentence) for sentence in listing.broken]
    files = sorted(p for p in place.iterdir() if p.is_file() and has_reader(p)) if place.is_dir() else []
    for file in files:
        shown = path / file.relative_to(place)
        found.append(_describe(shown, modality, partial(read_volume, file, modality, unit)))
    return found


def _values(path: Path, listing: Listing, modality, unit) -> list[dict]:
    """The only volume with its values; empty when there are several things, or something is wrong."""
    if len(listing.entries) != 1 or listing.broken or not listing.series or listing.entries[0].stack is None:
        return []
    series, entry = listing.series[0], listing.entries[0]
    found = _describe(path, series.modality, partial(read_series, series, modality, unit))
    return [{**found, "files": entry.files, "series": entry.series, "description": entry.description}]


def _listed(path: Path, place: Path, entry: Listed) -> dict:
    """A volume as its headers describe it."""
    folder = entry.folder.relative_to(place) if place in (entry.folder, *entry.folder.parents) else Path()
    found = {**_problem(path / folder, entry.modality, ""), "kind": entry.kind, "files": entry.files}
    found |= {
        "description": entry.description,
        "part": entry.part,
        "series": entry.series,
        "frame_of_reference": entry.frame_of_reference,
    }
    found["problems"] = list(entry.problems)
    if entry.unit is not None:
        found["unit"] = entry.unit.code
    if entry.stack is not None:
        geometry = entry.stack.geometry
        found |= {
            "shape_kji": list(geometry.shape), "spacing_mm": list(geometry.spacing_mm),
            "ijk_to_ras": geometry.ijk_to_ras.tolist(),
        }  # fmt: skip
    return found


def _describe(path: Path, modality: str | None, read: Callable[[], Volume]) -> dict:
    try:
        volume = read()
    except MedFusionError as error:
        return _problem(path, modality, str(error))
    return {
        **_problem(path, volume.modality, ""),
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
    """An entry of which nothing is known yet."""
    known = {"path": str(path), "kind": "image", "modality": modality, "files": 1, "part": None, "series": "",
             "description": ""}  # fmt: skip
    return {**known, **dict.fromkeys(_UNKNOWN), "problems": [sentence] if sentence else []}
