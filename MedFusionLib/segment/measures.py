"""Measures of lesions, on the native grid of every source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Geometry, Volume

ResampleLabels = Callable[[np.ndarray, Geometry, Geometry], np.ndarray]


def measure_lesions(
    segmentation: Segmentation, sources: Sequence[Volume], resample_labels: ResampleLabels
) -> Segmentation:
    """The segmentation with measures of every segment.

    Values are taken from each source on its own grid, never from resampled voxels; only the labels
    are carried over (nearest neighbour) where their grid is another one.

    Parameters
    ----------
    segmentation : Segmentation
        The lesions.
    sources : sequence of Volume
        On their native grids.
    resample_labels : callable
        ``resample_labels(labels, from_geometry, to_geometry)``, nearest neighbour.

    Returns
    -------
    Segmentation
        With one dict per segment: ``name``, ``volume_ml``, ``centroid_ras_mm``, for PET in SUV
        ``suv_max``, ``suv_mean`` and ``tlg_g`` (total lesion glycolysis: mean SUV times volume),
        and ``sources``: per source modality, unit, voxels, min, max, mean, sd.
    """
    on_grids = [
        segmentation.labels
        if source.geometry.same_grid(segmentation.geometry)
        else resample_labels(segmentation.labels, segmentation.geometry, source.geometry)
        for source in sources
    ]
    measures = tuple(_measure(segmentation, segment, sources, on_grids) for segment in segmentation.segments)
    return replace(segmentation, measures=measures)


def _measure(segmentation: Segmentation, segment: Segment, sources: Sequence[Volume], on_grids: list) -> dict:
    mask = segmentation.mask(segment)
    voxels = int(mask.sum())
    centre = segmentation.geometry.to_ras(np.argwhere(mask)[:, ::-1].mean(axis=0)) if voxels else np.full(3, np.nan)
    measures = {
        "name": segment.name,
        "volume_ml": voxels * segmentation.geometry.voxel_volume_ml,
        "centroid_ras_mm": [float(c) for c in centre] if voxels else None,
        "sources": [_statistics(source, labels == segment.label) for source, labels in zip(sources, on_grids)],
    }
    for source, statistics in zip(sources, measures["sources"]):
        if source.modality == "PT" and source.unit == SUV_BODY_WEIGHT and statistics["voxels"]:
            measures["suv_max"] = statistics["max"]
            measures["suv_mean"] = statistics["mean"]
            measures["tlg_g"] = statistics["mean"] * statistics["voxels"] * source.geometry.voxel_volume_ml
            break
    return measures


def _statistics(source: Volume, mask: np.ndarray) -> dict:
    values = source.array[mask].astype(np.float64)
    found = {"modality": source.modality, "unit": source.unit.code, "voxels": int(values.size)}
    if values.size:
        found |= {
            "min": float(values.min()),
            "max": float(values.max()),
            "mean": float(values.mean()),
            "sd": float(values.std()),
        }
    return found
