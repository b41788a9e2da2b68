"""List what DICOM files hold, from headers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from MedFusionLib.errors import MedFusionError
from MedFusionLib.io.dicom_contours import STRUCTURE_SET
from MedFusionLib.io.dicom_files import (
    SEGMENTATIONS,
    Header,
    Series,
    group,
    has_image,
    is_dicom,
    list_files,
    read_header,
    without_quotes,
)
from MedFusionLib.io.dicom_parts import parts_of
from MedFusionLib.io.dicom_registration import DEFORMABLE_REGISTRATION, SPATIAL_REGISTRATION
from MedFusionLib.io.dicom_stack import Stack, stack_frames
from MedFusionLib.io.dicom_units import meaning_of
from MedFusionLib.io.identity import description_of, hashed_uid
from MedFusionLib.units import Unit

_OBJECTS = {
    **dict.fromkeys(SEGMENTATIONS, "segmentation"),
    STRUCTURE_SET: "contours",
    SPATIAL_REGISTRATION: "registration",
    DEFORMABLE_REGISTRATION: "registration",
}
MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Listed:
    """One volume, or one object that is no volume, as its headers describe it.

    Parameters
    ----------
    kind : {"image", "segmentation", "contours", "registration", "other"}
        What it is.
    modality : str
        DICOM modality code.
    files : int
        Number of files of the series.
    series, frame_of_reference : str
        Hashed UIDs; empty when there is none.
    folder : Path
        Where the first file lies.
    part : int or None
        Number to read it by, where a series holds several volumes.
    stack : Stack or None
        Its frames and grid; None when it makes no volume.
    unit : Unit or None
        What its values would be in; None when that is not known.
    problems : tuple of str
        What a person should know, or why it makes no volume.
    description : str
        SeriesDescription, or that it is withheld; for the screen only.
    """

    kind: str
    modality: str
    files: int
    series: str
    frame_of_reference: str
    folder: Path
    part: int | None = None
    stack: Stack | None = None
    unit: Unit | None = None
    problems: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder holds: the image series, everything listed, and files that cannot be read."""

    series: tuple[Series, ...]
    entries: tuple[Listed, ...]
    broken: tuple[str, ...]


def list_dicom(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Listing:
    """Everything in a folder with its subfolders, or in one file; no pixel is read.

    Parameters
    ----------
    path : Path
        A folder, a file or a DICOMDIR.
    progress : callable
        Called with the number of files looked at and their total.

    Raises
    ------
    UnreadableFile
        When there are too many files. Files that cannot be read are listed as broken.
    """
    files, headers, broken = list_files(path), [], []
    for number, file in enumerate(files, start=1):
        try:
            if is_dicom(file):
                headers.append(read_header(file))
        except MedFusionError as error:
            broken.append(error.what)
        progress(number, len(files))
    images = group(h for h in headers if has_image(h.dataset) and h.kind not in _OBJECTS)
    others = group(h for h in headers if not has_image(h.dataset) or h.kind in _OBJECTS)
    entries = [entry for series in images for entry in _volumes(series)]
    entries += [_described(series, _OBJECTS.get(series.headers[0].kind, "other")) for series in others]
    hidden = len(broken) - MOST_NAMED
    return Listing(
        tuple(images), tuple(entries), (*broken[:MOST_NAMED], *([f"{hidden} more files"] if hidden > 0 else []))
    )


def _volumes(series: Series) -> list[Listed]:
    """The volumes of an image series, or the reason why there is none."""
    try:
        with without_quotes():
            parts = parts_of(series)
            many = len(parts) > 1
            return [_volume(series, part, number if many else None) for number, part in enumerate(parts, start=1)]
    except MedFusionError as error:
        return [_described(series, "image", problems=(str(error),))]
    except Exception as error:  # header values are parsed when they are touched
        return [_described(series, "image", problems=(f"invalid header values ({type(error).__name__})",))]


def _volume(series: Series, part, number: int | None) -> Listed:
    problems = [f"one of several volumes of its series: {part.what} (rule {part.rule})"] if number else []
    if any(header.is_polyglot for header in series.headers):
        problems.append("the preamble of a file is not empty: other programs may take it for one of theirs")
    try:
        stack = stack_frames(f"The {series.modality} series", part)
    except MedFusionError as error:
        return _described(series, "image", part=number, problems=(*problems, str(error)))
    if stack.tilt_degrees:
        problems.append(
            f"gantry tilt of {stack.tilt_degrees:.1f} degrees: resampled when it is read (rule GANTRY_TILT)"
        )
    try:
        unit = meaning_of(stack, series)
    except MedFusionError as error:
        unit = None
        problems.append(str(error))
    return _described(
        series, "image", part=number, stack=stack, unit=unit, problems=(*problems, *stack.notes),
        header=stack.frames[0].header,
    )  # fmt: skip


def _described(series: Series, kind: str, *, header: Header | None = None, **more) -> Listed:
    header = header or series.headers[0]
    frame = hashed_uid(header.dataset.get("FrameOfReferenceUID"))
    return Listed(kind, series.modality, len(series.headers), hashed_uid(series.uid), frame, header.path.parent,
                  description=_description(header), **more)  # fmt: skip


def _description(header: Header) -> str:
    try:
        with without_quotes():
            return description_of(header.dataset)
    except Exception:  # text in no known character set
        return ""
