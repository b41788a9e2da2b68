"""The tumour of a case: found, read or given, and measured. The part of the pipeline that needs no fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedFusionLib.errors import NotAligned
from MedFusionLib.region import BoxRegion, LabelRegion, Region
from MedFusionLib.result import Verdict
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Case, Volume


def refuse_misaligned(verdict: Verdict) -> None:
    """Raise when the verdict is "fail".

    Raises
    ------
    NotAligned
        With the reasons.
    """
    if verdict.status == "fail":
        raise NotAligned(
            "The sources do not line up: " + "; ".join(verdict.reasons), "sources that share one space",
            "Register them first, give a transform, or force it if you know better",
        )  # fmt: skip


def segment_tumour(
    case: Case,
    method: str = "auto",
    seed: tuple[float, float, float] | None = None,
    roi: str | Path | Segmentation | Region | None = None,
    *,
    liver: tuple[float, float, float] | None = None,
    blood_pool: tuple[float, float, float] | None = None,
    force: bool = False,
    transforms: Sequence | None = None,
) -> Segmentation:
    """Segment a tumour and measure it on every source's native grid.

    Parameters
    ----------
    case : Case
        The sources. PET rules need PET in SUVbw and answer on its grid; the other methods use all
        sources and answer on the grid of the first one.
    method : str
        ``auto`` (a random walker over all sources), ``random-walker``, ``graph-cut``, ``level-set``, ``kfcm``,
        ``region-growing``, ``suv<value>``, ``suvmax<percent>``, ``percist``, ``adaptive``, ``nestle``, ``otsu``,
        ``gradient``, ``lesion-net`` (experimental) or ``model:<folder>`` (the user's own network).
    seed : tuple of float or None
        A point in the lesion, RAS in mm.
    roi : path of a label map or of a Slicer markups ROI, Segmentation, Region, or None
        The region to look in.
    liver, blood_pool : tuple of float or None
        Reference tissue of ``percist``, RAS in mm.
    force : bool
        Go on although the sources do not line up.
    transforms : sequence or None
        One per moving source: a transform from reference to moving (LPS), or None. With one that scales or
        bends, the tumour is looked for in the resampled source and measured in the native one.

    Raises
    ------
    NotAligned
        When several sources do not line up and `force` is not set: a contour of one would be
        measured in the wrong place of the other.
    UsageError, NotSupported
        See `segment.segment`.
    """
    from MedFusionLib.align import check_alignment, in_reference_space
    from MedFusionLib.segment import Marks, segment

    transforms = transforms or [None] * (len(case.sources) - 1)
    if len(case.sources) > 1 and not force:
        refuse_misaligned(check_alignment(case, transforms=transforms))
    placed = in_reference_space(case, transforms)
    marks = Marks(seed, as_region(roi, placed.sources), liver, blood_pool)
    return _measured(segment(placed.sources, method, marks), placed, case, transforms)


def _measured(found: Segmentation, placed: Case, case: Case, transforms: Sequence) -> Segmentation:
    """With measures on native voxels: `placed` holds what lies in the reference's space, `case` what was scanned."""
    from MedFusionLib.align import labels_in_moving_space, points_in_reference_space, resample_labels_to
    from MedFusionLib.segment import measure_lesions
    from MedFusionLib.segment.measures import BentSource

    def bent(volume: Volume, transform) -> BentSource:
        return BentSource(
            volume,
            lambda labels, geometry, target: labels_in_moving_space(labels, geometry, target, transform),
            lambda point: points_in_reference_space(point[None], found.labels, found.geometry, transform)[0],
        )

    sources = [
        there if np.may_share_memory(native.array, there.array) else bent(native, transform)
        for native, there, transform in zip(case.sources, placed.sources, (None, *transforms))
    ]
    return measure_lesions(found, sources, resample_labels_to)


def as_region(roi: str | Path | Segmentation | Region | None, sources: Sequence[Volume] = ()) -> Region | None:
    """A region from whatever may state one: a file, a segmentation, a region; `sources` may bear its contours.

    Raises
    ------
    UnreadableFile, NotSupported, UsageError
        When the file cannot be read or marks nothing.
    """
    from MedFusionLib.io import read_labels
    from MedFusionLib.io.markups import is_markups, read_roi
    from MedFusionLib.io.masks import read_dicom_marks

    if roi is None or isinstance(roi, (BoxRegion, LabelRegion)):
        return roi
    if isinstance(roi, Segmentation):
        return LabelRegion(roi.labels, roi.geometry)
    if is_markups(roi):
        return read_roi(roi)
    marked = read_dicom_marks(roi, sources) if sources else None
    return LabelRegion(*read_labels(roi)) if marked is None else LabelRegion(marked.labels, marked.geometry)


def tumour_of(case: Case, tumour, *, transforms: Sequence | None = None, **options) -> Segmentation | None:
    """The tumour with measures: given, read from a file, or found by a method; options as for `segment_tumour`."""
    from MedFusionLib.align import in_reference_space
    from MedFusionLib.segment import is_method

    if tumour is None:
        return None
    if isinstance(tumour, str) and not Path(tumour).exists() and (is_method(tumour) or not Path(tumour).suffix):
        return segment_tumour(case, tumour, transforms=transforms, **options)
    transforms = transforms or [None] * (len(case.sources) - 1)
    placed = in_reference_space(case, transforms)
    found = tumour if isinstance(tumour, Segmentation) else _read_segmentation(tumour, placed.sources)
    return _measured(found, placed, case, transforms)


def with_fused_contrast(lesions: Segmentation | None, fused: Volume) -> Segmentation | None:
    """The lesions with their contrast in the fused volume beside that in the sources."""
    from MedFusionLib.align import resample_labels_to
    from MedFusionLib.segment import contrast

    if lesions is None:
        return None
    labels = resample_labels_to(lesions.labels, lesions.geometry, fused.geometry)
    measures = []
    for segment, known in zip(lesions.segments, lesions.measures):
        mask = labels == segment.label
        measures.append({**known, "fused": contrast(fused, mask, labels > 0) if mask.any() else None})
    return replace(lesions, measures=tuple(measures))


def _read_segmentation(path: str | Path, sources: Sequence[Volume]) -> Segmentation:
    """A DICOM object with its names and codes, or a label map."""
    from MedFusionLib.io import read_labels
    from MedFusionLib.io.masks import read_dicom_marks
    from MedFusionLib.segment import segmentation_from_labels

    found = read_dicom_marks(path, sources)
    if found is not None:
        return found
    labels, geometry = read_labels(path)
    return segmentation_from_labels(labels, geometry)
