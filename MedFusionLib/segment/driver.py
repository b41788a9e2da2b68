"""The source that shows a lesion best, and the coarse outline that it gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.morphology import TOUCHING, close_mask, fill_holes
from MedFusionLib.segment.spot import SEED_RADIUS_MM, check_suv, local_maximum
from MedFusionLib.segment.stack import Stack
from MedFusionLib.segment.threshold import split_level
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Volume

SAMPLE_MM = 4.0
"""The level of a lesion in MR or CT is taken this far around the seed."""
LEAST_CONTRAST = 1.5
"""A lesion must differ from its surroundings by this many of their robust standard deviations."""
CLOSING_SHARE = 0.5
"""Gaps in an avid rim are bridged up to this share of the lesion's own radius, on either side."""
_AIR_SHARE = 0.1
_LEAST_SPREAD_SHARE = 1e-6
_FEWEST = 100
_MAD_TO_SD = 1.4826
_LEVELS, _LOWEST_LEVEL = 24, 0.2
_AS_STEEP = 0.95


@dataclass(frozen=True, eq=False)
class Coarse:
    """A coarse outline by one source.

    Parameters
    ----------
    driver : int
        Number of the source.
    mask : (K, J, I) bool array
        On the stack's grid.
    level : float
        The value in the driver's unit that parts lesion from surroundings.
    contrast : float or None
        Difference in robust standard deviations of the surroundings; None for PET and SPECT.
    resolution_mm : float
        How far the driver's outline may be off: its largest voxel edge, or the working grid's.
    """

    driver: int
    mask: np.ndarray
    level: float
    contrast: float | None
    resolution_mm: float


def coarse_outline(stack: Stack, *, region: Region | None = None, seed=None) -> Coarse:
    """The outline by the leading source: PET or SPECT where there is one, else what stands out most.

    PET in a region is parted by Otsu's threshold and not by a share of the maximum, since one hot
    spot must not decide the outline of the cooler parts. FDG shows living tumour only: a cold core,
    and gaps in the avid rim narrower than the lesion's radius, belong to the gross tumour and are
    closed.
    From a seed, and in MR and CT, it is parted at the level between seed and surroundings whose
    contour around the seed is steepest on average (Hojjatoleslami and Kittler 1998): a contour that
    leaks into other tissue or stays within the lesion is less steep, so it matters little where in
    the lesion the seed lies. In MR and CT only enclosed holes are filled.

    Raises
    ------
    UsageError
        When nothing stands out, or the mark does not lie in tissue.

    Notes
    -----
    S. A. Hojjatoleslami, J. Kittler, "Region growing: a new approach", IEEE Transactions on Image
    Processing 7 (1998) 1079-1084.
    """
    for number, source in enumerate(stack.sources):
        if source.is_functional:
            return _by_uptake(stack, number, source, region, seed)
    return _by_contrast(stack)


def _by_uptake(stack: Stack, number: int, source: Volume, region: Region | None, seed) -> Coarse:
    if source.modality == "PT" and source.unit == SUV_BODY_WEIGHT:
        check_suv(source)
    if region is not None:
        level = split_level(source.array[region.mask_on(source.geometry)])
        avid = _marked_island(stack, (stack.values[number] >= level) & stack.inside & stack.covered[number])
    else:
        peak = local_maximum(source, seed)
        place = stack.geometry.to_ijk(source.geometry.to_ras(peak[::-1]))[::-1]
        sample = np.zeros(stack.geometry.shape, bool)
        sample[tuple(np.clip(np.rint(place).astype(int), 0, np.array(sample.shape) - 1))] = True
        contrast, lesion, rest = _contrast(stack, number, sample, stack.inside & ~stack.ball(2 * SAMPLE_MM))
        _check_contrast(contrast)
        avid, level = _steepest(stack, number, sample, lesion, rest)
    if not avid.any():
        raise UsageError("No uptake at the marked place", "a lesion in the PET")
    return Coarse(number, with_cold_parts(stack, avid), level, None, _resolution_mm(stack, number))


def with_cold_parts(stack: Stack, avid: np.ndarray) -> np.ndarray:
    """The living rim with what it encloses, (K, J, I) bool: gaps narrower than the lesion's radius are closed."""
    volume_mm3 = avid.sum() * stack.spacing_mm**3
    radius = CLOSING_SHARE * (3 * volume_mm3 / (4 * np.pi)) ** (1 / 3)
    return fill_holes(close_mask(avid, stack.geometry, radius_mm=radius)) & stack.inside


def _check_contrast(contrast: float) -> None:
    if contrast < LEAST_CONTRAST:
        raise UsageError(
            f"The marked place does not stand out in any source (contrast {contrast:.1f} standard deviations at most)",
            f"a lesion that differs by {LEAST_CONTRAST:g} or more", "Move the seed into the lesion, or draw it by hand",
        )  # fmt: skip


def _by_contrast(stack: Stack) -> Coarse:
    sample, around = _samples(stack)
    contrasts = [_contrast(stack, n, sample, around) for n in range(len(stack.sources))]
    driver = int(np.argmax([one[0] for one in contrasts]))
    contrast, lesion, rest = contrasts[driver]
    _check_contrast(contrast)
    mask, level = _steepest(stack, driver, sample, lesion, rest)
    return Coarse(driver, mask, level, contrast, _resolution_mm(stack, driver))


def _resolution_mm(stack: Stack, number: int) -> float:
    return max(stack.spacing_mm, *stack.sources[number].geometry.spacing_mm)


def _steepest(stack: Stack, driver: int, sample: np.ndarray, lesion: float, rest: float) -> tuple[np.ndarray, float]:
    """The island at the seed with the steepest contour, of all levels between the surroundings and the seed.

    Of levels whose contours are equally steep within 5 % the outermost is taken.
    """
    values, allowed = stack.values[driver], stack.inside & stack.covered[driver]
    width = _resolution_mm(stack, driver) / stack.spacing_mm
    gradient = ndimage.gaussian_gradient_magnitude(values, width, mode="nearest")
    found = []
    for share in np.linspace(_LOWEST_LEVEL, 1.0, _LEVELS):
        level = rest + share * (lesion - rest)
        island = island_of(allowed & ((values >= level) if lesion > rest else (values <= level)), sample)
        if island.any():
            contour = ndimage.binary_dilation(island) ^ ndimage.binary_erosion(island)
            found.append((float(gradient[contour].mean()), level))
    if not found:
        raise UsageError("The marked place holds no lesion voxel", "a seed in the lesion")
    level = next(float(level) for steepness, level in found if steepness >= _AS_STEEP * max(found)[0])
    island = island_of(allowed & ((values >= level) if lesion > rest else (values <= level)), sample)
    return fill_holes(island) & stack.inside, level


def island_of(mask: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """The island (K, J, I) of a mask that shares most voxels with a sample."""
    islands, count = ndimage.label(mask, structure=TOUCHING)
    hits = np.bincount(islands[sample], minlength=count + 1)
    hits[0] = 0
    return islands == int(np.argmax(hits)) if hits.any() else np.zeros_like(mask)


def lesion_sample(stack: Stack) -> np.ndarray:
    """(K, J, I) bool, surely lesion: around the seed, or in a region the hottest tenth or the middle."""
    if stack.seed_kji is not None:
        return _samples(stack)[0]
    for values, covered, source in zip(stack.values, stack.covered, stack.sources):
        if source.is_functional:
            allowed = stack.inside & covered
            return allowed & (values >= np.percentile(values[allowed], 90))
    return _samples(stack)[0]


def _samples(stack: Stack) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that are surely lesion (at the seed, or the middle of the region), and those around it."""
    if stack.seed_kji is not None:
        sample = stack.ball(max(SAMPLE_MM, stack.spacing_mm)) & stack.inside
        return sample, stack.inside & ~stack.ball(2 * SAMPLE_MM)
    depth = ndimage.distance_transform_edt(np.pad(stack.inside, 1))[1:-1, 1:-1, 1:-1]
    return depth >= 0.75 * depth.max(), stack.inside & (depth <= 0.25 * depth.max())


def _contrast(stack: Stack, number: int, sample: np.ndarray, around: np.ndarray) -> tuple[float, float, float]:
    """Contrast in robust standard deviations, level of the lesion, level of the surrounding tissue."""
    values, covered = stack.values[number], stack.covered[number]
    typical = 50 if stack.sources[number].is_functional else 99  # uptake in a lesion may be a hundred times tissue's
    low, high = float(values[covered].min()), float(np.percentile(values[covered], typical))
    air = low + _AIR_SHARE * (high - low)
    lesion = float(np.median(values[sample]))
    tissue = values[around & covered & (values >= air)]
    if tissue.size < _FEWEST:  # no air in the field of view
        tissue, air = values[around & covered], -np.inf
    if lesion < air or tissue.size < _FEWEST:
        return 0.0, lesion, lesion
    rest = float(np.median(tissue))
    spread = _MAD_TO_SD * float(np.median(np.abs(tissue - rest)))
    return abs(lesion - rest) / max(spread, _LEAST_SPREAD_SHARE * abs(lesion), 1e-30), lesion, rest


def _marked_island(stack: Stack, mask: np.ndarray) -> np.ndarray:
    """The island near the seed, where there is one; otherwise the largest."""
    near = mask & stack.ball(SEED_RADIUS_MM) if stack.seed_kji is not None else np.zeros_like(mask)
    return island_of(mask, near if near.any() else mask)
