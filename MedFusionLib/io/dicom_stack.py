"""From the slices of a series to one grid, or a refusal that says why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionLib.io.checks import checked_geometry
from MedFusionLib.io.dicom_files import Header, Series
from MedFusionLib.volume import Geometry

ORIENTATION_TOLERANCE = 1e-4
DUPLICATE_MM = 0.01
LARGEST_TILT_DEGREES = 0.5
STEP_TOLERANCE = 0.05
"""Real PET steps differ by a few hundredths of a millimetre; up to 5 % of the step is accepted."""
LARGEST_DRIFT = 0.25
"""Small differences of one sign add up: no slice may end up further than this part of a step from its grid plane."""
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order of position, their grid, and remarks."""

    headers: tuple[Header, ...]
    geometry: Geometry
    notes: tuple[str, ...]


def stack_series(series: Series) -> Stack:
    """Sort the slices of a series along their normal and find the grid.

    Raises
    ------
    UnreadableFile
        For mixed orientations, matrices or frames of reference, duplicate positions, missing or uneven
        slices, slices shifted sideways, missing geometry, a localiser, colours.
    NotSupported
        For multi-frame objects, a tilted gantry and tables of pixel values.
    """
    label = f"The {series.modality} series"
    _check_kind(label, series)
    orientation = _one_orientation(label, series)
    spacing = _one_matrix(label, series)
    positions = np.array([_numbers(label, h, "ImagePositionPatient", 3) for h in series.headers])
    normal = np.cross(orientation[0], orientation[1])
    order = np.argsort(positions @ normal, kind="stable")
    headers, positions = tuple(series.headers[n] for n in order), positions[order]
    notes: list[str] = []
    step = _step(label, headers, positions, normal, notes)
    matrix = np.eye(4)
    matrix[:3, 0] = orientation[0] * spacing[1]
    matrix[:3, 1] = orientation[1] * spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = positions[0]
    first = headers[0].dataset
    shape = (len(headers), int(first.Rows), int(first.Columns))
    return Stack(headers, checked_geometry(label, shape, _LPS_TO_RAS @ matrix), tuple(notes))


def _check_kind(label: str, series: Series) -> None:
    for header in series.headers:
        dataset = header.dataset
        if int(dataset.get("NumberOfFrames", 1) or 1) > 1 or "PerFrameFunctionalGroupsSequence" in dataset:
            raise NotSupported(f"{label} is a multi-frame object", "single-frame images", "Export it as single frames")
        if "ModalityLUTSequence" in dataset:
            raise NotSupported(f"{label} translates its pixels by a table", "a rescale slope and intercept")
        photometric = str(dataset.get("PhotometricInterpretation", "") or "MONOCHROME2").upper()
        if int(dataset.get("SamplesPerPixel", 1) or 1) != 1 or not photometric.startswith("MONOCHROME"):
            raise UnreadableFile(
                f"{label} is in colour, probably a secondary capture", "one number per pixel",
                "Choose the original series: colours carry no quantity",
            )  # fmt: skip
        if "LOCALIZER" in [str(part).upper() for part in dataset.get("ImageType", []) or []]:
            raise UnreadableFile(f"{label} is a localiser", "a series of parallel slices", "Choose another series")
    frames = len({str(header.dataset.get("FrameOfReferenceUID", "")) for header in series.headers})
    if frames > 1:
        raise UnreadableFile(
            f"{label} lies in {frames} frames of reference", "one position of the patient", "Split it by position"
        )


def _one_orientation(label: str, series: Series) -> np.ndarray:
    """(2, 3) direction of increasing column index, and of increasing row index, in LPS."""
    found = np.array([_numbers(label, h, "ImageOrientationPatient", 6) for h in series.headers])
    different = np.abs(found - found[0]).max(axis=1) > ORIENTATION_TOLERANCE
    if different.any():
        count = len(np.unique(np.round(found, 3), axis=0))
        raise UnreadableFile(
            f"{label} mixes {count} orientations", "parallel slices", "Split it by orientation and choose one"
        )
    rows, columns = found[0, :3], found[0, 3:]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(rows @ columns) > 0.01:
        raise UnreadableFile(
            f"{label} states directions that are not perpendicular unit vectors", "a valid orientation"
        )
    return np.stack([rows / lengths[0], columns / lengths[1]])


def _one_matrix(label: str, series: Series) -> np.ndarray:
    """Row and column spacing in mm."""
    sizes = {(int(h.dataset.Rows), int(h.dataset.Columns)) for h in series.headers}
    spacing = np.array([_numbers(label, h, "PixelSpacing", 2) for h in series.headers])
    if len(sizes) > 1 or np.abs(spacing - spacing[0]).max() > 1e-4:
        raise UnreadableFile(f"{label} mixes matrices or pixel sizes", "slices of one size")
    if spacing[0].min() <= 0:
        raise UnreadableFile(f"{label} states a pixel spacing of {spacing[0].tolist()}", "positive millimetres")
    return spacing[0]


def _step(label, headers, positions: np.ndarray, normal: np.ndarray, notes: list[str]) -> np.ndarray:
    """Vector from one slice to the next in LPS, such that first and last slice are exact."""
    if len(headers) == 1:
        return normal * _thickness(headers[0], notes)
    depth = positions @ normal
    steps = np.diff(depth)
    duplicates = int((steps < DUPLICATE_MM).sum())
    if duplicates:
        raise UnreadableFile(
            f"{label} has {duplicates} slices at the place of another", "one slice per position",
            "It may hold several time points or echoes: export one of them",
        )  # fmt: skip
    _check_tilt(label, positions, normal, notes)
    _check_even(label, steps)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    _check_straight(label, positions - positions[0] - np.arange(len(positions))[:, None] * step, normal, step, notes)
    if len(headers) < 4:
        notes.append(f"only {len(headers)} slices")
    return step


def _thickness(header: Header, notes: list[str]) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        stated = abs(float(header.dataset.get(keyword) or 0))
        if stated > 0:
            notes.append(f"a single slice; its thickness of {stated:g} mm is taken from {keyword}")
            return stated
    notes.append("a single slice; its thickness is not stated and taken as 1 mm")
    return 1.0


def _check_straight(label, off: np.ndarray, normal: np.ndarray, step: np.ndarray, notes: list[str]) -> None:
    """Where each slice lies against its plane of the grid, (K, 3) in mm: along the normal and sideways."""
    along = off @ normal
    sideways = float(np.linalg.norm(off - along[:, None] * normal, axis=1).max())
    drift, size = float(np.abs(along).max()), float(step @ normal)
    if sideways > STEP_TOLERANCE * size:
        raise UnreadableFile(
            f"{label} has slices shifted sideways by up to {sideways:.2f} mm", "slices stacked along a straight line"
        )
    if drift > LARGEST_DRIFT * size:
        raise UnreadableFile(
            f"{label} has uneven steps: slices lie up to {drift:.2f} mm from even steps of {size:.2f} mm",
            "even steps between slices",
        )
    if drift > 1e-3:
        notes.append(f"slice positions deviate by up to {drift:.3f} mm from even steps of {size:.4f} mm")


def _check_tilt(label: str, positions: np.ndarray, normal: np.ndarray, notes: list[str]) -> None:
    way = positions[-1] - positions[0]
    along = float(way @ normal)
    angle = float(np.degrees(np.arctan2(np.linalg.norm(way - along * normal), along)))
    if 0.05 < angle <= LARGEST_TILT_DEGREES:
        notes.append(f"slices are sheared by {angle:.2f} degrees; the grid follows them")
    if angle > LARGEST_TILT_DEGREES:
        raise NotSupported(
            f"{label} was taken with a tilted gantry: slices are sheared by {angle:.1f} degrees",
            "slices stacked along their normal", "Export it resampled to an upright grid",
        )  # fmt: skip


def _check_even(label: str, steps: np.ndarray) -> None:
    usual = float(np.median(steps))
    worst = int(np.argmax(np.abs(steps - usual)))
    if abs(steps[worst] - usual) <= STEP_TOLERANCE * usual:
        return
    ratio = steps.max() / steps.min()
    if abs(ratio - round(ratio)) < STEP_TOLERANCE * ratio and ratio >= 1.9:
        missing = int(np.round(steps / steps.min() - 1).sum())
        widest = int(np.argmax(steps))
        raise UnreadableFile(
            f"{label} lacks {missing} slices, beginning {steps[:widest].sum() + steps.min():.1f} mm from its end",
            f"a slice every {steps.min():.2f} mm", "Send the whole series again",
        )  # fmt: skip
    raise UnreadableFile(
        f"{label} has uneven steps from {steps.min():.2f} to {steps.max():.2f} mm", "even steps between slices"
    )


def _numbers(label: str, header: Header, keyword: str, count: int) -> list[float]:
    """Finite numbers of an element, or a refusal that names it."""
    value = header.dataset.get(keyword)
    try:
        numbers = [float(v) for v in value]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise UnreadableFile(f"{label} has no valid {keyword}", f"{count} numbers in every slice")
    return numbers
