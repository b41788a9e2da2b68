"""Gradient watershed of a PET lesion."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.spot import Found, Spot

CORE_SHARE = 0.7
COLD_SHARE = 0.2
SMOOTHING_MM = 2.0
_LESION, _REST = 1, 2


def watershed_lesion(spot: Spot) -> Found:
    """The lesion that the gradient's ridge encloses, flooded from its core and from its surroundings.

    The core is what reaches 70 % of the maximum; the surroundings start at the border of the region (or
    of the ball of 40 mm around a seed's peak) and at everything below 20 % of the maximum. So the
    outline needs no threshold, but the two markers must be right: a lesion with a second, weaker
    part keeps only what the first ridge encloses.

    Raises
    ------
    UsageError
        When the core fills the region.

    Notes
    -----
    X. Geets et al., "A gradient-based method for segmenting FDG-PET images: methodology and
    validation", European Journal of Nuclear Medicine and Molecular Imaging 34 (2007) 1427-1438, is
    the idea; here without its deblurring.
    """
    from skimage.segmentation import watershed

    near, core = spot.surroundings(), spot.lesion(CORE_SHARE * spot.maximum)
    core_here = core.whole(spot.volume.geometry.shape)[near.box] & near.mask
    values = spot.volume.array[near.box].astype(np.float64)
    spacing = np.array(spot.volume.geometry.spacing_kji_mm)
    smooth = ndimage.gaussian_filter(values, SMOOTHING_MM / spacing, mode="nearest")
    steep = np.sqrt(sum((part / step) ** 2 for part, step in zip(_gradient(smooth), spacing)))
    markers = np.zeros(values.shape, np.int32)
    rim = near.mask & ~ndimage.binary_erosion(near.mask, border_value=0)
    markers[rim | ~near.mask | (values < COLD_SHARE * spot.maximum)] = _REST
    markers[core_here] = _LESION
    if not (markers == _REST).any():
        raise UsageError("The lesion's core fills the region", "a region with surroundings", "Mark a larger region")
    return Found(near.box, (watershed(steep, markers) == _LESION) & near.mask)


def _gradient(values: np.ndarray) -> list[np.ndarray]:
    return [np.gradient(values, axis=axis) if n > 1 else np.zeros_like(values) for axis, n in enumerate(values.shape)]
