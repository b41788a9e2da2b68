"""From frames to one grid, or a refusal that says by which rule there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io.checks import checked_geometry
from MedFusionLib.io.dicom_frames import Frame
from MedFusionLib.io.dicom_parts import DUPLICATE_MM, Part
from MedFusionLib.volume import Geometry

LARGEST_IGNORED_TILT_DEGREES = 0.5
LARGEST_TILT_DEGREES = 45.0
STEP_TOLERANCE = 0.05
"""Real PET steps differ by a few hundredths of a millimetre; up to 5 % of the step is accepted."""
LARGEST_DRIFT = 0.25
"""Small differences of one sign add up: no slice may end up further than this part of a step from its grid plane."""
FEW_SLICES = 4
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames in order of position, their grid, and remarks.

    Parameters
    ----------
    frames : tuple of Frame
        Ascending along the normal (row direction x column direction).
    geometry : Geometry
        The grid of the frames, sheared when the gantry was tilted.
    tilt_degrees : float
        Angle between the direction of stacking and the normal, where it is too large to be left alone; else 0.
    notes : tuple of str
        What a person should know.
    """

    frames: tuple[Frame, ...]
    geometry: Geometry
    tilt_degrees: float
    notes: tuple[str, ...]


def stack_frames(label: str, part: Part) -> Stack:
    """Sort frames of one orientation along their normal and find the grid.

    Raises
    ------
    UnreadableFile
        Rules SLICE_INCREMENT_INCONSISTENT (missing or uneven slices) and NON_CUBICAL_IMAGE (slices shifted sideways,
        or sheared beyond reason).
    """
    orientation, spacing = part.frames[0].orientation, part.frames[0].spacing
    positions = np.array([frame.position for frame in part.frames])
    normal = np.cross(*orientation)
    order = np.argsort(positions @ normal, kind="stable")
    frames, positions = tuple(part.frames[n] for n in order), positions[order]
    notes = list(part.notes)
    step, tilt = _step(label, frames, positions, normal, notes)
    matrix = np.eye(4)
    matrix[:3, 0] = orientation[0] * spacing[1]
    matrix[:3, 1] = orientation[1] * spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = positions[0]
    shape = (len(frames), *frames[0].matrix)
    return Stack(frames, checked_geometry(label, shape, LPS_TO_RAS @ matrix), tilt, tuple(notes))


def _step(label, frames: Sequence[Frame], positions, normal, notes: list[str]) -> tuple[np.ndarray, float]:
    """Vector from one slice to the next in LPS, such that first and last slice are exact, and its tilt."""
    if len(frames) == 1:
        return normal * _thickness(frames[0], notes), 0.0
    steps = np.diff(positions @ normal)
    if steps.min() < DUPLICATE_MM:
        raise UnreadableFile(f"{label} has slices at the place of another (rule DUPLICATE_POSITION)", "one per place")
    _check_even(label, steps)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    tilt = _tilt(label, step, normal, notes)
    _check_straight(label, positions - positions[0] - np.arange(len(positions))[:, None] * step, normal, step, notes)
    if len(frames) < FEW_SLICES:
        notes.append(f"only {len(frames)} slices")
    return step, tilt


def _thickness(frame: Frame, notes: list[str]) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        stated = abs(float(frame.value(keyword) or 0))
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
            f"{label} has slices shifted sideways by up to {sideways:.2f} mm (rule NON_CUBICAL_IMAGE)",
            "slices stacked along a straight line",
        )
    if drift > LARGEST_DRIFT * size:
        raise UnreadableFile(
            f"{label} has uneven steps: slices lie up to {drift:.2f} mm from even steps of {size:.2f} mm "
            "(rule SLICE_INCREMENT_INCONSISTENT)",
            "even steps between slices",
        )
    if drift > 1e-3:
        notes.append(f"slice positions deviate by up to {drift:.3f} mm from even steps of {size:.4f} mm")


def _tilt(label: str, step: np.ndarray, normal: np.ndarray, notes: list[str]) -> float:
    """Degrees between the direction of stacking and the normal; 0 for what is left alone."""
    along = float(step @ normal)
    angle = float(np.degrees(np.arctan2(np.linalg.norm(step - along * normal), along)))
    if angle > LARGEST_TILT_DEGREES:
        raise UnreadableFile(
            f"{label} is sheared by {angle:.1f} degrees (rule NON_CUBICAL_IMAGE)",
            f"at most {LARGEST_TILT_DEGREES:g} degrees, as a tilted gantry makes",
        )
    if 0.05 < angle <= LARGEST_IGNORED_TILT_DEGREES:
        notes.append(f"slices are sheared by {angle:.2f} degrees; the grid follows them")
    return angle if angle > LARGEST_IGNORED_TILT_DEGREES else 0.0


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
            f"{label} lacks {missing} slices, beginning {steps[:widest].sum() + steps.min():.1f} mm from its end "
            "(rule SLICE_INCREMENT_INCONSISTENT)",
            f"a slice every {steps.min():.2f} mm", "Send the whole series again",
        )  # fmt: skip
    raise UnreadableFile(
        f"{label} has uneven steps from {steps.min():.2f} to {steps.max():.2f} mm (rule SLICE_INCREMENT_INCONSISTENT)",
        "even steps between slices",
    )
