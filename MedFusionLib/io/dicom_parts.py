"""Split a series into the volumes it holds, by named rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io.dicom_files import Series
from MedFusionLib.io.dicom_frames import APART, Frame, frames_of
from MedFusionLib.io.identity import file_digest

ORIENTATION_TOLERANCE = 1e-4
SPACING_TOLERANCE_MM = 1e-4
DUPLICATE_MM = 0.01


@dataclass(frozen=True, eq=False)
class Part:
    """Frames of one series that may make one volume.

    Parameters
    ----------
    frames : tuple of Frame
        In the order of the files.
    what : str
        What tells it from the other parts, in words; empty when it is the only one.
    rule : str
        The rule by which the series was split; empty when it was not.
    notes : tuple of str
        What was left out.
    """

    frames: tuple[Frame, ...]
    what: str = ""
    rule: str = ""
    notes: tuple[str, ...] = ()


def parts_of(series: Series) -> list[Part]:
    """The volumes of a series.

    A series is split where orientation, matrix, pixel size or frame of reference differ; localisers are left out; and
    images at one place are told apart by echo, time point, b-value, phase, kind of image, stack or acquisition,
    whichever does it first. Copies of one file are dropped.

    Raises
    ------
    UnreadableFile
        Rules LOCALIZER (nothing else in the series) and DUPLICATE_POSITION (images at one place that nothing tells
        apart).
    """
    label = f"The {series.modality} series"
    frames, notes = _without_copies(frames_of(series))
    slices = [frame for frame in frames if not frame.is_localiser]
    if not slices:
        raise UnreadableFile(
            f"{label} is a localiser (rule LOCALIZER)", "a series of parallel slices", "Choose another series"
        )
    if len(slices) < len(frames):
        notes.append(f"{len(frames) - len(slices)} localisers of the series were left out (rule LOCALIZER)")
    parts = [part for grid, rule in _by_grid(slices) for part in _by_meaning(label, grid, rule)]
    if len(parts) == 1:
        return [Part(parts[0].frames, "", "", tuple(notes))]
    return [Part(part.frames, part.what, part.rule, tuple(notes)) for part in parts]


def _without_copies(frames: Sequence[Frame]) -> tuple[list[Frame], list[str]]:
    """Drop files that are there twice, byte by byte."""
    seen: dict[tuple[str, int], Frame] = {}
    kept, copies = [], 0
    for frame in frames:
        key = str(frame.header.dataset.get("SOPInstanceUID", "")), frame.number
        other = seen.get(key) if key[0] else None
        if other is not None and file_digest(other.header.path) == file_digest(frame.header.path):
            copies += frame.number == 0
            continue
        seen[key] = frame
        kept.append(frame)
    return kept, [f"{copies} copies of files were left out"] if copies else []


def _by_grid(frames: Sequence[Frame]) -> list[tuple[list[Frame], str]]:
    """Frames of one orientation, matrix, pixel size and frame of reference, with the rule that parts them."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for members in groups:
            if not _difference(members[0], frame):
                members.append(frame)
                break
        else:
            groups.append([frame])
    rule = _difference(groups[0][0], groups[1][0]) if len(groups) > 1 else ""
    return [(members, rule) for members in groups]


def _difference(one: Frame, other: Frame) -> str:
    if np.abs(one.orientation - other.orientation).max() > ORIENTATION_TOLERANCE:
        return "IMAGE_ORIENTATION_INCONSISTENT"
    if one.matrix != other.matrix or np.abs(one.spacing - other.spacing).max() > SPACING_TOLERANCE_MM:
        return "MIXED_SPACING"
    frames_of_reference = (str(f.header.dataset.get("FrameOfReferenceUID", "")) for f in (one, other))
    return "FRAME_OF_REFERENCE_INCONSISTENT" if len(set(frames_of_reference)) > 1 else ""


def _by_meaning(label: str, frames: list[Frame], rule: str) -> list[Part]:
    """Split frames that share places."""
    what = _place(frames[0]) if rule else ""
    if not _shares_places(frames):
        return [Part(tuple(frames), what, rule)]
    for name, keywords in APART.items():
        for keyword in keywords:
            groups: dict[str, list[Frame]] = {}
            for frame in frames:
                groups.setdefault(str(frame.value(keyword)), []).append(frame)
            if _makes_volumes(groups.values(), _number_of_places(frames)):
                ordered = [groups[value] for value in sorted(groups, key=_as_number)]
                return [
                    Part(tuple(members), f"{what}{', ' if what else ''}{name} {number}", "DUPLICATE_POSITION")
                    for number, members in enumerate(ordered, start=1)
                ]
    duplicates = len(frames) - _number_of_places(frames)
    raise UnreadableFile(
        f"{label} has {duplicates} slices at the place of another, and nothing tells them apart "
        "(rule DUPLICATE_POSITION)",
        "one slice per position", "It may hold several time points or echoes: export one of them",
    )  # fmt: skip


def _makes_volumes(groups: Collection[list[Frame]], places: int) -> bool:
    """Whether frames were told apart into stacks, rather than every frame from every other."""
    least = 1 if places == 1 else 2
    return len(groups) > 1 and all(len(members) >= least and not _shares_places(members) for members in groups)


def _as_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def _shares_places(frames: Sequence[Frame]) -> bool:
    return _number_of_places(frames) < len(frames)


def _number_of_places(frames: Sequence[Frame]) -> int:
    """Different depths along the normal."""
    normal = np.cross(*frames[0].orientation)
    depths = np.sort([frame.position @ normal for frame in frames])
    return 1 + int((np.diff(depths) >= DUPLICATE_MM).sum())


def _place(frame: Frame) -> str:
    normal = np.abs(np.cross(*frame.orientation))
    plane = ("sagittal", "coronal", "axial")[int(np.argmax(normal))]
    rows, columns = frame.matrix
    return f"{plane} {columns} x {rows}"
