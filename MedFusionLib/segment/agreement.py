"""How well two masks agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.spatial import cKDTree

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.surface import boundary_faces
from MedFusionLib.volume import Geometry

TOLERANCE_MM = 3.0
"""Default tolerance of the surface Dice; always reported beside it."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of a mask with a reference mask.

    Parameters
    ----------
    dice, jaccard : float
        2 |A and B| / (|A| + |B|), and |A and B| / |A or B|; both masks empty 1, one empty 0.
    sensitivity, precision : float
        Share of the reference that is found, and share of what is found that is right; NaN for 0/0.
    volume_error_ml, volume_error : float
        Volume of the mask minus the reference's, in ml and as a share of the reference's (NaN when
        that is empty).
    hd_mm, hd95_mm, assd_mm : float
        Hausdorff distance, its 95th percentile and average surface distance. HD95 is the larger of
        the two directed percentiles (some tools pool both directions, which gives less). Infinite
        when one mask is empty, NaN when both are.
    nsd : float
        Normalised surface distance (surface Dice): share of both surfaces that lies within
        `tolerance_mm` of the other one, weighted by area.
    tolerance_mm : float
        That tolerance.
    """

    dice: float
    jaccard: float
    sensitivity: float
    precision: float
    volume_error_ml: float
    volume_error: float
    hd_mm: float
    hd95_mm: float
    assd_mm: float
    nsd: float
    tolerance_mm: float

    def as_json(self) -> dict:
        """Plain JSON types; what is not finite becomes None."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


def measure_agreement(
    mask: np.ndarray,
    reference: np.ndarray,
    geometry: Geometry,
    *,
    reference_geometry: Geometry | None = None,
    tolerance_mm: float = TOLERANCE_MM,
) -> Agreement:
    """Agreement of two masks on one grid.

    Surfaces are the faces between voxels inside and outside, each a point with its area, in RAS mm;
    so spacing and obliqueness are taken into account.

    Parameters
    ----------
    mask, reference : (K, J, I) bool arrays
        The masks.
    geometry : Geometry
        The grid of the mask.
    reference_geometry : Geometry or None
        The grid of the reference, to be checked against; None when it is the same one.
    tolerance_mm : float
        Tolerance of `nsd`.

    Raises
    ------
    UsageError
        When the masks lie on different grids or the tolerance is negative.

    Notes
    -----
    S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy",
    Journal of Medical Internet Research 23 (2021) e26151 (surface Dice).
    """
    _check_grids(mask, reference, geometry, reference_geometry)
    if tolerance_mm < 0:
        raise UsageError(f"A tolerance of {tolerance_mm} mm", "0 or more")
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    found, wanted = int(mask.sum()), int(reference.sum())
    common = int((mask & reference).sum())
    either = found + wanted - common
    hd, hd95, assd, nsd = _surface_distances(mask, reference, geometry, tolerance_mm)
    return Agreement(
        dice=2 * common / (found + wanted) if either else 1.0,
        jaccard=common / either if either else 1.0,
        sensitivity=common / wanted if wanted else float("nan"),
        precision=common / found if found else float("nan"),
        volume_error_ml=(found - wanted) * geometry.voxel_volume_ml,
        volume_error=(found - wanted) / wanted if wanted else float("nan"),
        hd_mm=hd,
        hd95_mm=hd95,
        assd_mm=assd,
        nsd=nsd,
        tolerance_mm=float(tolerance_mm),
    )


def _check_grids(mask, reference, geometry: Geometry, other: Geometry | None) -> None:
    difference = geometry.describe_difference(other) if other is not None else ""
    if not difference and not mask.shape == reference.shape == geometry.shape:
        difference = f"the shapes are {mask.shape} and {reference.shape} on a grid of {geometry.shape}."
    if difference:
        raise UsageError(
            f"The masks lie on different grids: {difference}", "one grid", "Carry one mask over with carry_labels"
        )


def _surface_distances(mask, reference, geometry: Geometry, tolerance_mm: float) -> tuple[float, float, float, float]:
    """HD, HD95, ASSD in mm and NSD."""
    if not mask.any() and not reference.any():
        return float("nan"), float("nan"), float("nan"), 1.0
    if not mask.any() or not reference.any():
        return float("inf"), float("inf"), float("inf"), 0.0
    (ours, our_areas), (theirs, their_areas) = (boundary_faces(m, geometry) for m in (mask, reference))
    there, _ = cKDTree(theirs).query(ours)
    back, _ = cKDTree(ours).query(theirs)
    areas = np.concatenate([our_areas, their_areas])
    both = np.concatenate([there, back])
    hd95 = max(_percentile(there, our_areas, 0.95), _percentile(back, their_areas, 0.95))
    average = (np.average(there, weights=our_areas) + np.average(back, weights=their_areas)) / 2
    return float(both.max()), hd95, float(average), float(areas[both <= tolerance_mm + 1e-9].sum() / areas.sum())


def _percentile(distances: np.ndarray, areas: np.ndarray, share: float) -> float:
    """The distance that `share` of the area does not exceed."""
    order = np.argsort(distances)
    reached = np.cumsum(areas[order]) / areas.sum()
    return float(distances[order][min(int(np.searchsorted(reached, share)), len(order) - 1)])
