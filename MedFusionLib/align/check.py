"""The registration verdict: do the sources line up?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedFusionLib.align.evidence import TOLERATED_DEG, Evidence, Position, gather_evidence, tolerated_mm
from MedFusionLib.align.pose import rotation_degrees
from MedFusionLib.align.transform import ras_matrix
from MedFusionLib.result import Verdict
from MedFusionLib.volume import Case, Volume

LEAST_OVERLAP = 0.05
DOUBTFUL_OVERLAP = 0.5
LARGEST_SPACING_RATIO = 8.0
LARGEST_EXTENT_RATIO = 8.0
CONFIDENT = 0.9
LEAST_GAIN = 0.075
"""Share of the best similarity that a better position must win: less cannot be told from chance."""
DRIFT_MM = 13.0
BETTER_BY = 0.02
"""A mirror image counts as better when its similarity exceeds the best one's by this share."""
WEAK_SIMILARITY = 1.03
"""Aligned real pairs reach 1.06 and more; images of different places stay below this."""
LARGEST_SCALE = 1.3
LARGEST_TURN_DEG = 25.0
"""Between two scans of a lying patient; knees and hips bend further, and then someone should look."""

_SEVERITY = {"pass": 0, "doubt": 1, "fail": 2}
_DIRECTIONS = (
    ("to the patient's left", "to the patient's right"),
    ("to posterior", "to anterior"),
    ("to inferior", "to superior"),
)


def check_alignment(case: Case, *, transforms: Sequence | None = None) -> Verdict:
    """Judge whether every further source lines up with the reference.

    fail
        The fields of view hardly overlap, the frames of reference are known and differ without a
        transform that connects them, a source is constant or holds values that are not numbers, or
        a transform mirrors or scales beyond reason.
    doubt
        Less than half of the smaller field of view is shared, voxels or fields of view differ in
        size by more than eight times, the images match better at a position that is 3 mm or 3 degrees away (with
        voxels larger than 5 mm: 0.6 of a voxel), when mirrored or turned by 180 degrees, or when slices are
        moved against each other, a transform turns the patient by more than 25 degrees, or the images have
        too little in common to judge by.
    pass
        None of that. A common frame of reference is the scanner's claim, not a proof: the same
        checks apply.

    Parameters
    ----------
    case : Case
        Two or more sources.
    transforms : sequence or None
        One per moving source (reference LPS to moving LPS, or None).

    Returns
    -------
    Verdict
        Reasons are sentences; evidence holds one entry per moving source.
    """
    given = list(transforms) if transforms is not None else [None] * (len(case.sources) - 1)
    status, reasons, pairs = "pass", [], []
    for number, (moving, transform) in enumerate(zip(case.sources[1:], given), start=1):
        verdict = _check_pair(case.reference, moving, transform)
        status = max(status, verdict.status, key=_SEVERITY.get)
        prefix = f"Source {number} ({moving.modality}): " if len(case.sources) > 2 else ""
        reasons.extend(prefix + reason for reason in verdict.reasons)
        pairs.append({"source": number, "status": verdict.status, **verdict.evidence})
    return Verdict(status, tuple(reasons), {"pairs": pairs})


def _check_pair(reference: Volume, moving: Volume, transform) -> Verdict:
    for volume in (reference, moving):
        if not np.isfinite(volume.array).all():
            reason = f"{volume.name} holds values that are not finite: there is nothing to compare."
            return Verdict("fail", (reason,), {})
        if float(volume.array.min()) == float(volume.array.max()):
            return Verdict("fail", (f"{volume.name} is constant: there is nothing to compare.",), {})
    evidence = gather_evidence(reference, moving, transform)
    findings = [
        *_transform(transform),
        *_frame_of_reference(reference, moving, transform),
        *_field_of_view(reference, moving, evidence),
        *_voxels(reference, moving),
        *_common(evidence),
        *_position(reference, moving, evidence),
        *_mirror(evidence),
        *_drift(evidence),
    ]
    findings.sort(key=lambda finding: -_SEVERITY[finding[0]])
    status = findings[0][0]
    numbers = {
        **evidence.as_json(),
        "frames_of_reference": [v.source.frame_of_reference or None for v in (reference, moving)],
        "grid_difference": reference.geometry.describe_difference(moving.geometry),
    }
    return Verdict(status, tuple(sentence for _, sentence in findings), numbers)


def _transform(transform) -> list[tuple[str, str]]:
    matrix = ras_matrix(transform)
    if transform is None or matrix is None:
        return []
    if np.linalg.det(matrix[:3, :3]) <= 0:
        return [("fail", "The transform mirrors the patient.")]
    scales = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    if scales.max() > LARGEST_SCALE or scales.min() < 1 / LARGEST_SCALE:
        words = f"between {scales.min():.2f} and {scales.max():.2f}"
        return [("fail", f"The transform scales the patient by a factor {words}.")]
    angle = rotation_degrees(matrix)
    if angle > LARGEST_TURN_DEG:
        return [("doubt", f"The transform turns the patient by {angle:.0f} degrees: did the posture change that much?")]
    return []


def _frame_of_reference(reference: Volume, moving: Volume, transform) -> list[tuple[str, str]]:
    mine, theirs = reference.source.frame_of_reference, moving.source.frame_of_reference
    if transform is not None:
        return [("pass", "A transform was given; the images were compared after it.")]
    if not mine or not theirs:
        return [("pass", "The files do not say whether they share a frame of reference; judged by the images alone.")]
    if mine == theirs:
        return [("pass", "Both claim the same frame of reference.")]
    return [("fail", "The frames of reference differ: positions in one image mean nothing in the other. Register.")]


def _field_of_view(reference: Volume, moving: Volume, evidence: Evidence) -> list[tuple[str, str]]:
    shared = evidence.overlap_fraction
    if shared < LEAST_OVERLAP:
        return [("fail", f"The fields of view share {shared:.0%}: the images show different places.")]
    found = []
    if shared < DOUBTFUL_OVERLAP:
        found.append(("doubt", f"The fields of view share only {shared:.0%} of the smaller one."))
    else:
        found.append(("pass", f"The fields of view share {shared:.0%} of the smaller one."))
    sizes = [v.geometry.number_of_voxels * v.geometry.voxel_volume_ml for v in (reference, moving)]
    ratio = (max(sizes) / min(sizes)) ** (1 / 3)
    if ratio > LARGEST_EXTENT_RATIO:
        found.append(("doubt", f"The fields of view differ in size by a factor of {ratio:.1f}."))
    return found


def _voxels(reference: Volume, moving: Volume) -> list[tuple[str, str]]:
    mine, theirs = reference.geometry.voxel_volume_ml, moving.geometry.voxel_volume_ml
    ratio = (max(mine, theirs) / min(mine, theirs)) ** (1 / 3)
    if ratio > LARGEST_SPACING_RATIO:
        return [("doubt", f"The voxel sizes differ by a factor of {ratio:.1f}.")]
    return []


def _common(evidence: Evidence) -> list[tuple[str, str]]:
    if np.isnan(evidence.similarity):
        return [("doubt", "The images share too few voxels to judge by.")]
    best = evidence.similarity if evidence.better is None else evidence.better.similarity
    if best < WEAK_SIMILARITY:
        return [("doubt", f"The images have little in common ({best:.3f}): do they show the same place?")]
    return []


def _position(reference: Volume, moving: Volume, evidence: Evidence) -> list[tuple[str, str]]:
    better, here = evidence.better, evidence.similarity
    if better is None:
        return []
    limit = tolerated_mm(reference.geometry, moving.geometry)
    numbers = f"similarity {better.similarity:.4f} against {here:.4f} as they are"
    words = f"{better.displacement_mm:.1f} mm and {better.rotation_deg:.1f} degrees away"
    if better.displacement_mm <= limit and better.rotation_deg <= TOLERATED_DEG:
        return [("pass", f"The best position nearby is {words}: within the {limit:.1f} mm that can be told apart.")]
    gain = (better.similarity - here) / max(better.similarity - 1, 1e-6)
    if better.confidence < CONFIDENT or gain < LEAST_GAIN:
        sure = f"by {gain:.0%}, and {better.confidence:.0%} of resampled parts agree"
        return [("pass", f"A position {words} matches slightly better ({sure}): too little to tell.")]
    return [("doubt", f"The images match better when the moving one is {_way(better)} ({numbers}, "
             f"confidence {better.confidence:.0%}).")]  # fmt: skip


def _way(better: Position) -> str:
    """Where the moving image would have to go, in words."""
    shifts = [
        f"{abs(mm):.1f} mm {_DIRECTIONS[axis][int(mm > 0)]}"
        for axis, mm in sorted(enumerate(better.move_mm), key=lambda one: -abs(one[1]))
        if abs(mm) >= 1
    ]
    parts = ["moved " + ", ".join(shifts)] if shifts else []
    if better.rotation_deg >= 1:
        parts.append(f"turned by {better.rotation_deg:.1f} degrees")
    return " and ".join(parts) or f"moved by {better.displacement_mm:.1f} mm"


def _mirror(evidence: Evidence) -> list[tuple[str, str]]:
    if not evidence.mirrored or evidence.better is None:
        return []
    best = evidence.better.similarity
    words, value = max(evidence.mirrored.items(), key=lambda item: item[1])
    if value - 1 > (best - 1) * (1 + BETTER_BY):
        return [("doubt", f"The images match better when one is {words} ({value:.4f} against {best:.4f}).")]
    return [("pass", "Neither a mirror image nor one turned by 180 degrees matches better.")]


def _drift(evidence: Evidence) -> list[tuple[str, str]]:
    if np.isnan(evidence.drift_mm) or evidence.drift_mm <= DRIFT_MM:
        return []
    return [("doubt", f"Some slices match best {evidence.drift_mm:.0f} mm away from where others do: "
             "did the patient breathe or move?")]  # fmt: skip
