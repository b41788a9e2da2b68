"""Measures of lesions, on the native grid of every source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from MedFusionLib.segment.diameters import axial_diameters, longest_diameter_mm
from MedFusionLib.segment.peak import peak_mean
from MedFusionLib.segment.surface import bounding_box, cropped_geometry, surface_area_mm2
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Geometry, Volume

ResampleLabels = Callable[[np.ndarray, Geometry, Geometry], np.ndarray]


@dataclass(frozen=True, eq=False)
class BentSource:
    """A source that a transform scales or bends: measured where it was scanned.

    Parameters
    ----------
    volume : Volume
        On its native grid, in its own space.
    carry : callable
        ``carry(labels, from_geometry, to_geometry)``: labels of the reference on its voxels.
    to_reference : callable
        A point (3,) of its space, RAS in mm, in the reference's.
    """

    volume: Volume
    carry: ResampleLabels
    to_reference: Callable[[np.ndarray], np.ndarray]


SHELL_MM = 10.0
"""Thickness of the shell around a lesion that its contrast is measured against."""

UNITS = {
    "volume_ml": "ml",
    "mtv_ml": "ml",
    "suv_max": SUV_BODY_WEIGHT.code,
    "suv_mean": SUV_BODY_WEIGHT.code,
    "suv_median": SUV_BODY_WEIGHT.code,
    "suv_sd": SUV_BODY_WEIGHT.code,
    "suv_peak": SUV_BODY_WEIGHT.code,
    "tlg_g": "g",
    "centroid_ras_mm": "mm",
    "suv_peak_ras_mm": "mm",
    "axial_long_mm": "mm",
    "axial_short_mm": "mm",
    "longest_3d_mm": "mm",
    "surface_cm2": "cm2",
}
"""UCUM codes of the measures."""


def measure_lesions(
    segmentation: Segmentation, sources: Sequence[Volume | BentSource], resample_labels: ResampleLabels
) -> Segmentation:
    """The segmentation with measures of every segment.

    Values are taken from each source on its own grid, never from resampled voxels; only the labels
    are carried over (nearest neighbour) where their grid is another one. Shape is measured on the
    grid of the segmentation.

    Parameters
    ----------
    segmentation : Segmentation
        The lesions.
    sources : sequence of Volume or BentSource
        On their native grids; those that lie in the segmentation's space as plain volumes.
    resample_labels : callable
        ``resample_labels(labels, from_geometry, to_geometry)``, nearest neighbour.

    Returns
    -------
    Segmentation
        With one dict per segment; `UNITS` holds the UCUM codes.
        ``name``, ``volume_ml``, ``centroid_ras_mm``, ``surface_cm2``, ``longest_3d_mm``,
        ``axial_long_mm``, ``axial_short_mm`` (see `diameters`); for the first PET in SUV
        ``suv_max``, ``suv_mean``, ``suv_median``, ``suv_sd`` (n - 1), ``suv_peak`` and
        ``suv_peak_ras_mm`` (see `peak`), ``mtv_ml`` (metabolic tumour volume: the lesion's volume in
        PET voxels) and ``tlg_g`` (total lesion glycolysis: mean SUV times that volume); and
        ``sources``: per source modality, unit, voxels, min, max, mean, median, sd and the contrast
        to the surrounding shell (see `contrast`).
    """
    on_grids = [_carried(segmentation, source, resample_labels) for source in sources]
    measures = tuple(_measure(segmentation, segment, sources, on_grids) for segment in segmentation.segments)
    return replace(segmentation, measures=measures)


def _carried(segmentation: Segmentation, source: Volume | BentSource, resample_labels: ResampleLabels) -> np.ndarray:
    """The labels on a source's own voxels."""
    if isinstance(source, BentSource):
        return source.carry(segmentation.labels, segmentation.geometry, source.volume.geometry)
    if source.geometry.same_grid(segmentation.geometry):
        return segmentation.labels
    return resample_labels(segmentation.labels, segmentation.geometry, source.geometry)


def total_of(measures: Sequence[dict]) -> dict:
    """Measures of all lesions together: counts and volumes add up, the highest SUV is the highest.

    Parameters
    ----------
    measures : sequence of dict
        As `measure_lesions` makes them; segments do not overlap.

    Returns
    -------
    dict
        ``lesions``, ``volume_ml`` and, where they are known of every lesion, ``mtv_ml``, ``tlg_g``,
        ``suv_max``, ``suv_peak`` and ``suv_mean`` (weighted by volume).
    """
    total = {"lesions": len(measures), "volume_ml": float(sum(one["volume_ml"] for one in measures))}
    if measures and all("suv_max" in one for one in measures):
        total |= {key: float(sum(one[key] for one in measures)) for key in ("mtv_ml", "tlg_g")}
        total |= {key: float(max(one[key] for one in measures)) for key in ("suv_max", "suv_peak")}
        total["suv_mean"] = total["tlg_g"] / total["mtv_ml"]
    return total


def contrast(volume: Volume, mask: np.ndarray, others: np.ndarray | None = None) -> dict:
    """How a lesion stands out from what surrounds it within 10 mm.

    Parameters
    ----------
    volume : Volume
        A source, or the fused volume.
    mask : (K, J, I) bool array
        The lesion on the volume's grid.
    others : (K, J, I) bool array or None
        Voxels that must not count as surroundings: other lesions.

    Returns
    -------
    dict
        ``shell_voxels``, ``shell_mean``, ``shell_sd``, ``difference`` (lesion minus shell, in the
        volume's unit) and ``cnr`` = \\|difference\\| / ``shell_sd`` (None where that is 0); without
        voxels in the shell only the count.
    """
    spacing = np.array(volume.geometry.spacing_kji_mm)
    box = bounding_box(mask, tuple(np.ceil(SHELL_MM / spacing).astype(int) + 1))
    inside = mask[box]
    shell = (ndimage.distance_transform_edt(~inside, sampling=spacing) <= SHELL_MM) & ~inside
    if others is not None:
        shell &= ~others[box]
    around = volume.array[box][shell].astype(np.float64)
    found = {"shell_voxels": int(around.size)}
    if around.size > 1:
        difference = float(volume.array[box][inside].mean(dtype=np.float64) - around.mean())
        sd = float(around.std(ddof=1))
        found |= {
            "shell_mean": float(around.mean()),
            "shell_sd": sd,
            "difference": difference,
            "cnr": abs(difference) / sd if sd > 0 else None,
        }
    return found


def _measure(segmentation: Segmentation, segment: Segment, sources: Sequence, on_grids: list) -> dict:
    volumes = [one.volume if isinstance(one, BentSource) else one for one in sources]
    mask = segmentation.mask(segment)
    voxels = int(mask.sum())
    measures = {
        "name": segment.name,
        "volume_ml": voxels * segmentation.geometry.voxel_volume_ml,
        "centroid_ras_mm": None,
        **(_shape(mask, segmentation.geometry) if voxels else {}),
        "sources": [_statistics(source, labels, segment.label) for source, labels in zip(volumes, on_grids)],
    }
    for number, (source, statistics) in enumerate(zip(volumes, measures["sources"])):
        if source.modality == "PT" and source.unit == SUV_BODY_WEIGHT and statistics["voxels"]:
            measures |= _uptake(source, on_grids[number] == segment.label, statistics)
            if isinstance(sources[number], BentSource):
                place = sources[number].to_reference(np.array(measures["suv_peak_ras_mm"]))
                measures["suv_peak_ras_mm"] = [float(c) for c in place]
            break
    return measures


def _shape(mask: np.ndarray, geometry: Geometry) -> dict:
    box = bounding_box(mask)
    inside, local = mask[box], cropped_geometry(geometry, box)
    centre = local.to_ras(np.argwhere(inside)[:, ::-1].mean(axis=0))
    axial = axial_diameters(inside, local)
    return {
        "centroid_ras_mm": [float(c) for c in centre],
        "surface_cm2": surface_area_mm2(inside, local) / 100,
        "longest_3d_mm": longest_diameter_mm(inside, local),
        "axial_long_mm": axial.long_mm,
        "axial_short_mm": axial.short_mm,
    }


def _uptake(source: Volume, mask: np.ndarray, statistics: dict) -> dict:
    volume_ml = statistics["voxels"] * source.geometry.voxel_volume_ml
    peak, centre = peak_mean(source, mask)
    return {
        **{f"suv_{key}": statistics[key] for key in ("max", "mean", "median", "sd")},
        "suv_peak": peak,
        "suv_peak_ras_mm": list(centre),
        "mtv_ml": volume_ml,
        "tlg_g": statistics["mean"] * volume_ml,
    }


def _statistics(source: Volume, labels: np.ndarray, label: int) -> dict:
    mask = labels == label
    values = source.array[mask].astype(np.float64)
    found = {"modality": source.modality, "unit": source.unit.code, "voxels": int(values.size)}
    if values.size:
        found |= {
            "min": float(values.min()),
            "max": float(values.max()),
            "mean": float(values.mean()),
            "median": float(np.median(values)),
            "sd": float(values.std(ddof=1)) if values.size > 1 else 0.0,
            "contrast": contrast(source, mask, labels > 0),
        }
    return found
