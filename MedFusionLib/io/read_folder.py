"""Read everything of a folder that makes a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from MedFusionLib.errors import MedFusionError, SuvUnavailable, UnreadableFile
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.io.archive import opened
from MedFusionLib.io.dicom import read_series
from MedFusionLib.io.dicom_list import list_dicom
from MedFusionLib.io.identity import hashed_uid
from MedFusionLib.units import BECQUEREL_PER_ML
from MedFusionLib.volume import Volume


def read_all_series(
    path: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Volume], list[str]]:
    """Every image series of a DICOM folder with its subfolders, and what a person should know.

    PET becomes SUVbw; where its header lacks what that needs it stays in Bq/ml and the reason is told.

    Parameters
    ----------
    path : path
        A folder, DICOMDIR, zip archive or file.
    progress : callable
        ``progress(done, total)``; half of it is for the headers, half for the pixels.

    Returns
    -------
    volumes : list of Volume
        Named by modality, numbered where there are several.
    notes : list of str
        Series that make no volume, and PET that did not become SUV.

    Raises
    ------
    UnreadableFile
        When the folder holds no volume.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path.name}", "a folder with DICOM series")
    volumes, notes = [], []
    with opened(path) as place:
        listing = list_dicom(place, lambda done, total: (checkpoint(), progress(done, 2 * total)))
        by_uid = {hashed_uid(series.uid): series for series in listing.series}
        entries = [entry for entry in listing.entries if entry.kind == "image"]
        for number, entry in enumerate(entries, start=1):
            checkpoint()
            try:
                volumes.append(_read(by_uid[entry.series], entry, notes))
            except MedFusionError as error:
                notes.append(f"A series of {entry.modality} was left out: {error}")
            progress(len(entries) + number, 2 * len(entries))
    notes += [f"A file cannot be read: {sentence}" for sentence in listing.broken]
    if not volumes:
        raise UnreadableFile(f"{path.name} holds no volume. {' '.join(notes)}".strip(), "a folder with DICOM series")
    return _numbered(volumes), notes


def _read(series, entry, notes: list[str]) -> Volume:
    try:
        return read_series(series, part=entry.part)
    except SuvUnavailable as error:
        notes.append(f"PET stays in Bq/ml: {error}")
        return read_series(series, None, BECQUEREL_PER_ML, part=entry.part)


def _numbered(volumes: list[Volume]) -> list[Volume]:
    """Names by modality, with a number where there are several of one."""
    count, seen, named = Counter(volume.modality for volume in volumes), Counter(), []
    for volume in volumes:
        seen[volume.modality] += 1
        number = f" {seen[volume.modality]}" if count[volume.modality] > 1 else ""
        named.append(volume.with_array(volume.array, name=volume.modality + number))
    return named
