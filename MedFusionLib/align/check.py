"""The registration verdict: do the sources line up?"""

from __future__ import annotations

from collections.abc import Sequence

from MedFusionLib.align.evidence import Evidence, gather_evidence
from MedFusionLib.result import Verdict
from MedFusionLib.volume import Case, Volume

LEAST_OVERLAP = 0.05
DOUBTFUL_OVERLAP = 0.5
LARGEST_SPACING_RATIO = 8.0
BETTER_BY = 0.02
"""A moved position counts as better when its similarity exceeds the given one's by this share."""
WEAK_SIMILARITY = 1.03
"""Aligned real pairs reach 1.05 and more; legs and heads that are mirrored or 3 cm off stay below this."""

_SEVERITY = {"pass": 0, "doubt": 1, "fail": 2}


def check_alignment(case: Case, *, transforms: Sequence | None = None) -> Verdict:
    """Judge whether every further source lines up with the reference.

    fail
        The fields of view hardly overlap, the frames of reference are known and differ without a
        transform that connects them, or a source is constant.
    doubt
        Less than half of the smaller field of view is shared, the voxel sizes differ by more than
        eight times, the images match clearly better when moved by 8 mm or mirrored left to right, or
        the frame of reference is unknown and the images have too little in common to judge by.
    pass
        None of that. A common frame of reference is the scanner's claim, not a proof: the same
        checks apply.

    Parameters
    ----------
    case : Case
        Two or more sources.
    transforms : sequence or None
        One per moving source (target LPS to moving LPS, or None).

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
    constant = [v for v in (reference, moving) if float(v.array.min()) == float(v.array.max())]
    if constant:
        return Verdict("fail", (f"{constant[0].name} is constant: there is nothing to compare.",), {})
    evidence = gather_evidence(reference, moving, transform)
    findings = [
        *_frame_of_reference(reference, moving, transform, evidence),
        *_field_of_view(evidence),
        *_voxels(reference, moving),
        *_similarity(evidence),
    ]
    findings.sort(key=lambda finding: -_SEVERITY[finding[0]])
    status = findings[0][0]
    difference = reference.geometry.describe_difference(moving.geometry)
    numbers = {**evidence.as_json(), "grid_difference": difference}
    return Verdict(status, tuple(sentence for _, sentence in findings), numbers)


def _frame_of_reference(reference: Volume, moving: Volume, transform, evidence: Evidence) -> list[tuple[str, str]]:
    mine, theirs = reference.source.frame_of_reference, moving.source.frame_of_reference
    if transform is not None:
        return [("pass", "A transform was given; the images were compared after it.")]
    if not mine or not theirs:
        unknown = "The files do not say whether they share a frame of reference"
        if not evidence.similarity_moved:
            return [("doubt", unknown + ", and the images share too few voxels to judge by.")]
        if evidence.similarity < WEAK_SIMILARITY:
            return [("doubt", f"{unknown}, and the images have little in common ({evidence.similarity:.3f}).")]
        return [("pass", unknown + "; judged by the images alone.")]
    if mine == theirs:
        return [("pass", "Both claim the same frame of reference.")]
    return [("fail", "The frames of reference differ: positions in one image mean nothing in the other. Register.")]


def _field_of_view(evidence: Evidence) -> list[tuple[str, str]]:
    shared = evidence.overlap_fraction
    if shared < LEAST_OVERLAP:
        return [("fail", f"The fields of view share {shared:.0%}: the images show different places.")]
    if shared < DOUBTFUL_OVERLAP:
        return [("doubt", f"The fields of view share only {shared:.0%} of the smaller one.")]
    return [("pass", f"The fields of view share {shared:.0%} of the smaller one.")]


def _voxels(reference: Volume, moving: Volume) -> list[tuple[str, str]]:
    mine, theirs = reference.geometry.voxel_volume_ml, moving.geometry.voxel_volume_ml
    ratio = (max(mine, theirs) / min(mine, theirs)) ** (1 / 3)
    if ratio > LARGEST_SPACING_RATIO:
        return [("doubt", f"The voxel sizes differ by a factor of {ratio:.1f}.")]
    return []


def _similarity(evidence: Evidence) -> list[tuple[str, str]]:
    if not evidence.similarity_moved:
        return []
    here = evidence.similarity
    best, value = max(evidence.similarity_moved.items(), key=lambda item: item[1])
    if value - 1 > (here - 1) * (1 + BETTER_BY) + 1e-4:
        return [("doubt", f"The images match better {best} (similarity {value:.4f} against {here:.4f} as they are).")]
    return [("pass", "No position 8 mm away, and no mirror image, matches better.")]
