"""A segmentation from an existing label map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.segmentation import Segment, Segmentation, segment_type
from MedFusionLib.volume import Geometry, Origin

COLOURS = ((0.0, 0.9, 0.2), (1.0, 0.35, 0.2), (0.25, 0.6, 1.0), (1.0, 0.85, 0.1), (0.85, 0.4, 1.0))


def segmentation_from_labels(
    labels: np.ndarray, geometry: Geometry, *, names: dict[int, str] | None = None, source: Origin | None = None
) -> Segmentation:
    """One segment per label value; the type is Mass, since a label map states no diagnosis.

    Parameters
    ----------
    labels : (K, J, I) integer array
        0 is background.
    geometry : Geometry
        The grid.
    names : dict of int to str or None
        Names by label value; otherwise "Lesion", or "Lesion 1", "Lesion 2" ...
    source : Origin or None
        Where the labels came from.

    Raises
    ------
    UsageError
        When no voxel is labelled.
    """
    values = [int(value) for value in np.unique(labels) if value != 0]
    if not values:
        raise UsageError(
            "The label map is empty", "at least one labelled voxel", "Check that the right file was chosen"
        )
    names = names or {}
    segments = tuple(
        Segment(value, names.get(value, "Lesion" if len(values) == 1 else f"Lesion {value}"), COLOURS[n % len(COLOURS)])
        for n, value in enumerate(values)
    )
    return Segmentation(labels, geometry, segments, source=source or Origin())


def with_type(segmentation: Segmentation, name: str) -> Segmentation:
    """The segmentation with every segment of one type: mass, primary, secondary, oedema, necrosis ...

    Only a person may say that a mass is a neoplasm, or primary.

    Raises
    ------
    NotSupported
        For a name that `segmentation.segment_types` does not hold.
    """
    kind = segment_type(name)
    changed = {"type_code": kind.type_code, "category_code": kind.category_code}
    if len(segmentation.segments) == 1:
        changed["colour"] = kind.colour
    return replace(segmentation, segments=tuple(replace(one, **changed) for one in segmentation.segments))
