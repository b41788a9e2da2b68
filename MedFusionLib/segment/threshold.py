"""PET delineation by rules: fixed, relative, adapted to the background, Otsu, PERCIST, gradient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.segment.candidates import candidate_segmentation
from MedFusionLib.segment.spot import Found, Spot, check_suv, mark_spot
from MedFusionLib.segment.watershed import watershed_lesion
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Origin, Volume

CORE_SHARE = 0.7
"""The lesion's own level is the mean of the voxels at or above this share of its maximum."""
_MOST_ROUNDS = 30
_SETTLED_SUV = 1e-3


class PetRule(Protocol):
    """How a lesion is told from its surroundings in PET."""

    @property
    def name(self) -> str:
        """The name used on the command line."""

    @property
    def needs_mark(self) -> bool:
        """Whether the rule means nothing without a region or a seed."""

    def delineate(self, spot: Spot) -> tuple[Found, float | None]:
        """The lesion at a marked place, and the threshold in SUV if there was one."""


@dataclass(frozen=True)
class ThresholdRule:
    """Which voxels belong to a lesion.

    Parameters
    ----------
    value : float
        SUV for a fixed threshold; a share in 0..1 for a relative one.
    is_relative : bool
        Whether the value is a share of the lesion's maximum.
    label : str
        The name, where the value came from a reference region; empty otherwise.
    """

    value: float
    is_relative: bool
    label: str = ""

    @property
    def name(self) -> str:
        """The name used on the command line: ``suv2.5``, ``suvmax41``."""
        if self.label:
            return self.label
        return f"suvmax{self.value * 100:g}" if self.is_relative else f"suv{self.value:g}"

    @property
    def needs_mark(self) -> bool:
        """Relative ones do: the maximum must be the lesion's."""
        return self.is_relative

    def delineate(self, spot: Spot) -> tuple[Found, float | None]:
        """Voxels at or above the threshold."""
        threshold = self.value * spot.maximum if self.is_relative else self.value
        return spot.lesion(threshold), threshold


@dataclass(frozen=True)
class ContrastRule:
    """A threshold adapted to the contrast: a x level of the lesion + b x background.

    The level is the mean of the voxels at or above 70 % of the maximum, the background is the
    median of the 10 mm around what the threshold selects; both are repeated until they agree.

    Parameters
    ----------
    name : str
        ``adaptive``: a = b = 0.5, half-way between background and lesion, where the edge of an
        object blurred by the scanner lies. ``nestle``: a = 0.15, b = 1.
    level_share, background_share : float
        a and b. Schaefer et al. fit them to phantom scans of each scanner.

    Notes
    -----
    A. Schaefer et al., "A contrast-oriented algorithm for FDG-PET-based delineation of tumour volumes
    for the radiotherapy of lung cancer", European Journal of Nuclear Medicine and Molecular Imaging
    35 (2008) 1989-1999. U. Nestle et al., "Comparison of different methods for delineation of
    18F-FDG PET-positive tissue ...", Journal of Nuclear Medicine 46 (2005) 1342-1348.
    """

    name: str
    level_share: float
    background_share: float
    needs_mark: bool = True

    def delineate(self, spot: Spot) -> tuple[Found, float | None]:
        """Voxels at or above the adapted threshold."""
        core = spot.lesion(CORE_SHARE * spot.maximum)
        level = float(spot.volume.array[core.box][core.mask].mean(dtype=np.float64))
        threshold = CORE_SHARE * spot.maximum
        for _ in range(_MOST_ROUNDS):
            background = spot.background(spot.lesion(threshold))
            wanted = min(self.level_share * level + self.background_share * background, spot.maximum)
            if abs(wanted - threshold) < _SETTLED_SUV:
                break
            threshold = (threshold + wanted) / 2  # half steps, so that two thresholds cannot alternate
        return spot.lesion(threshold), threshold


@dataclass(frozen=True)
class OtsuRule:
    """The threshold that splits the region's histogram best into two.

    Notes
    -----
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
    Man, and Cybernetics 9 (1979) 62-66.
    """

    name: str = "otsu"
    needs_mark: bool = True

    def delineate(self, spot: Spot) -> tuple[Found, float | None]:
        """Voxels above the split of the region, or of the 40 mm around the peak."""
        near = spot.surroundings()
        threshold = split_level(spot.volume.array[near.box][near.mask])
        return spot.lesion(threshold), threshold


@dataclass(frozen=True)
class GradientRule:
    """The watershed of the gradient between the lesion's core and its surroundings."""

    name: str = "gradient"
    needs_mark: bool = True

    def delineate(self, spot: Spot) -> tuple[Found, float | None]:
        """See `watershed.watershed_lesion`."""
        return watershed_lesion(spot), None


RULES = {
    "adaptive": ContrastRule("adaptive", 0.5, 0.5),
    "nestle": ContrastRule("nestle", 0.15, 1.0),
    "otsu": OtsuRule(),
    "gradient": GradientRule(),
}


def parse_threshold(name: str) -> PetRule:
    """The rule called ``suv<value>``, ``suvmax<percent>``, ``adaptive``, ``nestle``, ``otsu`` or ``gradient``.

    Raises
    ------
    NotSupported
        For any other name.
    UsageError
        For a value that makes no threshold.
    """
    if name in RULES:
        return RULES[name]
    match = re.fullmatch(r"suv(max)?(\d+(?:\.\d+)?)", name)
    if not match:
        raise NotSupported(
            f"Tumour segmentation {name!r}",
            "suv<value> such as suv2.5, suvmax<percent> such as suvmax41, " + ", ".join(RULES),
        )
    value = float(match[2])
    if value <= 0 or (match[1] and value >= 100):
        raise UsageError(f"The threshold {name!r}", "a positive SUV, or more than 0 and less than 100 percent")
    return ThresholdRule(value / 100 if match[1] else value, bool(match[1]))


def threshold_segmentation(
    volume: Volume,
    rule: PetRule,
    *,
    region: np.ndarray | None = None,
    seed: tuple[float, float, float] | None = None,
) -> Segmentation:
    """Segment on the native grid of a PET volume.

    With a region, all its voxels at or above the threshold belong to the lesion. With a seed, the
    hottest voxel within 15 mm is found and the connected voxels at or above the threshold belong
    to it. Only a fixed threshold may be used without either: it lists candidates (see
    `candidates.candidate_segmentation`).

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    rule : PetRule
        The rule, see `parse_threshold`.
    region : (K, J, I) bool array or None
        Region on the volume's grid.
    seed : tuple of float or None
        A point in the lesion, RAS in mm.

    Raises
    ------
    UsageError
        When the volume is not SUV, constant or negative, a relative or adaptive rule has neither region nor
        seed, the seed lies outside, nothing is above the threshold, or a seeded lesion runs into
        hotter tissue.
    """
    check_suv(volume)
    spot = mark_spot(volume, region=region, seed=seed)
    note = f"threshold-based ({rule.name}), to be reviewed"
    if spot is None:
        if rule.needs_mark:
            raise UsageError(
                f"{rule.name} without a region or a seed", "a region or a seed",
                "The hottest voxel of a whole body is usually not the tumour: mark it with --roi or --seed",
            )  # fmt: skip
        return candidate_segmentation(volume, rule.value, note=note)
    found, threshold = delineate(spot, rule)
    name = f"Lesion, {rule.name}" if threshold is None else f"Lesion, SUV >= {threshold:.2f}"
    labels = found.whole(volume.geometry.shape).view(np.uint8)
    return Segmentation(labels, volume.geometry, (Segment(1, name),), source=Origin(notes=(note,)))


def delineate(spot: Spot, rule: PetRule) -> tuple[Found, float | None]:
    """The lesion at a marked place by a rule, and its threshold in SUV if there was one.

    Where a lesion marked by a seed holds a hotter voxel than the one near the seed, the rule is
    applied again from there, so that the result does not depend on where in the lesion the seed lies.

    Raises
    ------
    UsageError
        When nothing is found, or the hotter tissue is another structure: the place at the seed does
        not belong to what is found from there.
    """
    found, threshold = rule.delineate(spot)
    if spot.region is not None or not rule.needs_mark:
        return found, threshold
    hotter = spot
    for _ in range(_MOST_ROUNDS):
        values = np.where(found.mask, spot.volume.array[found.box], -np.inf)
        hottest = tuple(int(n + s.start) for n, s in zip(np.unravel_index(np.argmax(values), values.shape), found.box))
        if spot.volume.array[hottest] <= hotter.maximum:
            break
        hotter = Spot(spot.volume, None, hottest)
        found, threshold = rule.delineate(hotter)
    if not found.holds(spot.peak):
        raise UsageError(
            f"The lesion at the seed (maximum SUV {spot.maximum:.2f}) runs into hotter tissue "
            f"(SUV {hotter.maximum:.2f})", "a lesion that stands alone", "Mark it with a region instead of a seed",
        )  # fmt: skip
    return found, threshold


def split_level(values: np.ndarray) -> float:
    """Otsu's threshold of a set of values.

    Raises
    ------
    UsageError
        When they are all equal.
    """
    from skimage.filters import threshold_otsu

    if values.size == 0 or float(values.min()) == float(values.max()):
        raise UsageError("All values in the region are equal", "a region with lesion and surroundings")
    return float(threshold_otsu(values))
