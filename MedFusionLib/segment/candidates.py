"""Whole-body candidates: everything above a threshold, one by one, for a person to keep or remove."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.labels import COLOURS
from MedFusionLib.segment.morphology import TOUCHING
from MedFusionLib.segment.spot import check_suv
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Origin, Volume

SMALLEST_ML = 0.5
"""Smaller islands are mostly noise; about a ball of 10 mm."""
MOST_CANDIDATES = 100


def candidate_segmentation(
    volume: Volume, threshold: float, *, smallest_ml: float = SMALLEST_ML, note: str = ""
) -> Segmentation:
    """Every island of voxels at or above a threshold as a segment of its own, the largest first.

    Nothing is judged: brain, heart, kidneys, bladder and the injection site are among them and
    must be removed by a person, see `keep_segments`. The names say where each one lies.

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    threshold : float
        SUV.
    smallest_ml : float
        Smaller islands are left out, unless all are smaller.
    note : str
        Kept with the segmentation.

    Raises
    ------
    UsageError
        When nothing reaches the threshold.
    """
    check_suv(volume)
    above = volume.array >= threshold
    if not above.any():
        raise UsageError(
            f"No voxel reaches SUV {threshold:.2f}: the highest is {float(volume.array.max()):.2f}", "a lower threshold"
        )
    islands, count = ndimage.label(above, structure=TOUCHING)
    sizes_ml = np.bincount(islands.ravel(), minlength=count + 1)[1:] * volume.geometry.voxel_volume_ml
    large = np.flatnonzero(sizes_ml >= min(smallest_ml, sizes_ml.max()))
    chosen = large[np.argsort(-sizes_ml[large], kind="stable")][:MOST_CANDIDATES]
    numbers = np.zeros(count + 1, np.uint8)
    numbers[chosen + 1] = np.arange(1, len(chosen) + 1)
    labels = numbers[islands]
    centres = [
        np.argwhere(labels[box] == n).mean(axis=0) + [part.start for part in box]
        for n, box in enumerate(ndimage.find_objects(labels), start=1)
    ]
    segments = tuple(
        Segment(n, f"Candidate {n}, {describe_place(volume.geometry, centre)}", COLOURS[(n - 1) % len(COLOURS)])
        for n, centre in enumerate(centres, start=1)
    )
    notes = [note] if note else []
    notes.append(f"{count} islands reach SUV {threshold:.2f}; {len(chosen)} are listed, {count - len(chosen)} left out")
    notes.append("physiological uptake is among them: keep the lesions, remove the rest")
    return Segmentation(labels, volume.geometry, segments, source=Origin(notes=tuple(notes)))


def keep_segments(segmentation: Segmentation, labels: tuple[int, ...]) -> Segmentation:
    """The segmentation with only the segments of these labels; their measures stay with them.

    Raises
    ------
    UsageError
        For a label that is not there, or when none is left.
    """
    known = {segment.label for segment in segmentation.segments}
    if not labels or not set(labels) <= known:
        raise UsageError(f"Keeping segments {sorted(labels)}", f"some of {sorted(known)}")
    kept = [n for n, segment in enumerate(segmentation.segments) if segment.label in labels]
    return Segmentation(
        np.where(np.isin(segmentation.labels, list(labels)), segmentation.labels, 0),
        segmentation.geometry,
        tuple(segmentation.segments[n] for n in kept),
        tuple(segmentation.measures[n] for n in kept) if segmentation.measures else (),
        segmentation.source,
    )


def describe_place(geometry: Geometry, kji: tuple[float, float, float]) -> str:
    """Where a voxel lies in the scan, in words: side of the scan's middle and centimetres below its top."""
    place = geometry.to_ras(np.asarray(kji)[::-1])
    low, high = np.array(geometry.bounds_ras()).reshape(3, 2).T
    beside = float(place[0] - (low[0] + high[0]) / 2)
    side = "midline" if abs(beside) < 20 else f"{abs(beside) / 10:.0f} cm to the {'right' if beside > 0 else 'left'}"
    return f"{(high[2] - place[2]) / 10:.0f} cm below the top, {side}"
