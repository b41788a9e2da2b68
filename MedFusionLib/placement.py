"""Bring the sources of a case onto its reference, or refuse. The part of the pipeline before the fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import asking
from MedFusionLib.request import FusionRequest
from MedFusionLib.result import Verdict
from MedFusionLib.steps import Steps
from MedFusionLib.tumour import refuse_misaligned
from MedFusionLib.volume import Case, Volume


@dataclass(frozen=True, eq=False)
class Placed:
    """Sources on the grid of the reference.

    Parameters
    ----------
    aligned : Case
        Every source resampled onto the reference grid.
    native : Case
        Every source on its own voxels, in the reference's space where the transform is rigid.
    transforms : tuple
        Per moving source the SimpleITK transform (reference LPS to moving LPS) that was used, or None.
    registrations : list of dict
        What the registrations say, as JSON types.
    verdict : Verdict
        Whether the sources line up, with the transforms.
    """

    aligned: Case
    native: Case
    transforms: tuple
    registrations: list[dict]
    verdict: Verdict


def place(case: Case, request: FusionRequest, steps: Steps) -> Placed:
    """Register where asked, judge, and resample every source once.

    Raises
    ------
    NotAligned
        When the verdict is "fail" and the request does not force.
    UsageError
        When the number of transforms does not fit the sources.
    """
    from MedFusionLib.align import check_alignment, in_reference_space, to_reference

    given = _transforms(request.transform, len(case.sources))
    with asking(steps.cancelled):
        transforms, registrations = _register(case, request.register, given)
        verdict = check_alignment(case, transforms=transforms)
    if not request.force:
        refuse_misaligned(verdict)
    aligned = to_reference(case, transforms=transforms)
    native = in_reference_space(case, transforms, aligned=aligned)
    return Placed(aligned, native, tuple(transforms), registrations, verdict)


def _register(case: Case, model: str | None, transforms: list) -> tuple[list, list[dict]]:
    """The transforms to use, and what the registrations say; given transforms are read."""
    from MedFusionLib.align import register as find
    from MedFusionLib.align.transform import simplified

    given = [None if t is None else simplified(_read(t, case.reference, moving))
             for moving, t in zip(case.sources[1:], transforms)]  # fmt: skip
    if model in (None, "none"):
        return given, []
    found = [find(case.reference, moving, model, initial=t) for moving, t in zip(case.sources[1:], given)]
    used = [one.transform if one.applied else t for one, t in zip(found, given)]
    return used, [one.as_json() for one in found]


def _read(transform, reference: Volume, moving: Volume):
    """The SimpleITK transform of a file, ITK's or a DICOM Spatial Registration, or as it was given."""
    from MedFusionLib.align.transform import as_transform, to_transform
    from MedFusionLib.io.dicom_files import is_dicom
    from MedFusionLib.io.dicom_registration import transform_between

    if isinstance(transform, (str, Path)) and Path(transform).is_file() and is_dicom(Path(transform)):
        return to_transform(transform_between(transform, reference, moving))
    return as_transform(transform)


def _transforms(transform, count: int) -> list:
    """One transform (or None) per moving source."""
    if transform is None:
        return [None] * (count - 1)
    given = list(transform) if isinstance(transform, Sequence) and not isinstance(transform, str) else [transform]
    if len(given) != count - 1:
        raise UsageError(f"{len(given)} transforms for {count - 1} moving sources", "one per moving source")
    return given
