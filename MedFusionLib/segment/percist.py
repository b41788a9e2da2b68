"""Thresholds from a reference tissue, as PERCIST has them."""

from __future__ import annotations

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.spot import ball, check_suv
from MedFusionLib.segment.threshold import ThresholdRule
from MedFusionLib.volume import Volume

LIVER_DIAMETER_MM = 30.0
BLOOD_POOL_DIAMETER_MM, BLOOD_POOL_LENGTH_MM = 10.0, 20.0


def percist_rule(
    volume: Volume,
    *,
    liver: tuple[float, float, float] | None = None,
    blood_pool: tuple[float, float, float] | None = None,
) -> ThresholdRule:
    """The fixed threshold that a patient's own normal tissue gives.

    Liver: 1.5 x mean + 2 SD of a sphere of 3 cm in the right lobe. Blood pool, where the liver is
    diseased: 2 x mean + 2 SD of a cylinder of 1 cm diameter and 2 cm length along the body in the
    descending aorta. PERCIST states them for SUL (lean body mass); on SUVbw the factors are the
    same, since both sides scale alike.

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    liver, blood_pool : tuple of float or None
        The middle of the reference tissue, RAS in mm; one of them.

    Raises
    ------
    UsageError
        Without exactly one point, when it lies outside, or when the tissue has no uptake.

    Notes
    -----
    R. L. Wahl et al., Journal of Nuclear Medicine 50 (2009) 122S-150S; J. H. O, M. A. Lodge,
    R. L. Wahl, "Practical PERCIST", Radiology 280 (2016) 576-584.
    """
    check_suv(volume)
    if (liver is None) == (blood_pool is None):
        raise UsageError(
            "percist without its reference tissue" if liver is None else "percist with two reference tissues",
            "a point in the right lobe of the liver (3 cm inside), or in the descending aorta",
            "Give --liver R,A,S or --blood-pool R,A,S",
        )
    if liver is not None:
        found = ball(volume, np.asarray(liver), LIVER_DIAMETER_MM / 2)
        return _rule(volume.array[found.box][found.mask], 1.5, "liver")
    found = ball(volume, np.asarray(blood_pool), np.hypot(BLOOD_POOL_DIAMETER_MM, BLOOD_POOL_LENGTH_MM) / 2)
    kji = np.argwhere(found.mask)
    offset = volume.geometry.to_ras((kji + [s.start for s in found.box])[:, ::-1]) - np.asarray(blood_pool)
    inside = (np.hypot(offset[:, 0], offset[:, 1]) <= BLOOD_POOL_DIAMETER_MM / 2) & (
        np.abs(offset[:, 2]) <= BLOOD_POOL_LENGTH_MM / 2
    )
    return _rule(volume.array[found.box][found.mask][inside], 2.0, "blood pool")


def _rule(values: np.ndarray, factor: float, tissue: str) -> ThresholdRule:
    values = values.astype(np.float64)
    if values.size < 2 or values.mean() <= 0:
        raise UsageError(f"The {tissue} holds {values.size} voxels without uptake", "a point in the tissue")
    return ThresholdRule(factor * float(values.mean()) + 2 * float(values.std(ddof=1)), False, "percist")
