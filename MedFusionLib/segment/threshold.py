"""PET segmentation by a threshold: a fixed value, or a share of the maximum."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Origin, Volume

SEED_RADIUS_MM = 15.0
"""The local maximum is looked for this far around a seed: about the aim of a hand."""

_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class ThresholdRule:
    """Which voxels belong to a lesion.

    Parameters
    ----------
    value : float
        SUV for a fixed threshold; a share in 0..1 for a relative one.
    is_relative : bool
        Whether the value is a share of the lesion's maximum.
    """

    value: float
    is_relative: bool

    @property
    def name(self) -> str:
        """The name used on the command line: ``suv2.5``, ``suvmax41``."""
        return f"suvmax{self.value * 100:g}" if self.is_relative else f"suv{self.value:g}"


def parse_threshold(name: str) -> ThresholdRule:
    """The rule called ``suv<value>`` or ``suvmax<percent>``.

    Raises
    ------
    NotSupported
        For any other name.
    UsageError
        For a value that makes no threshold.
    """
    match = re.fullmatch(r"suv(max)?(\d+(?:\.\d+)?)", name)
    if not match:
        raise NotSupported(
            f"Tumour segmentation {name!r}", "suv<value> such as suv2.5, suvmax<percent> such as suvmax41, or a file"
        )
    value = float(match[2])
    if value <= 0 or (match[1] and value >= 100):
        raise UsageError(f"The threshold {name!r}", "a positive SUV, or more than 0 and less than 100 percent")
    return ThresholdRule(value / 100 if match[1] else value, bool(match[1]))


def threshold_segmentation(
    volume: Volume,
    rule: ThresholdRule,
    *,
    region: np.ndarray | None = None,
    seed: tuple[float, float, float] | None = None,
) -> Segmentation:
    """Segment one lesion on the native grid of a PET volume.

    With a region, all its voxels at or above the threshold belong to the lesion. With a seed, the
    hottest voxel within 15 mm is found and the connected voxels at or above the threshold belong
    to it. Only a fixed threshold may be used without either.

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    rule : ThresholdRule
        The threshold.
    region : (K, J, I) bool array or None
        Region on the volume's grid.
    seed : tuple of float or None
        A point in the lesion, RAS in mm.

    Raises
    ------
    UsageError
        When the volume is not SUV, a relative threshold has neither region nor seed, the seed lies
        outside, nothing is above the threshold, or a seeded lesion runs into hotter tissue.
    """
    if volume.modality != "PT" or volume.unit != SUV_BODY_WEIGHT:
        raise UsageError(
            f"{volume.name} is {volume.modality} in {volume.unit}", "PET in SUVbw",
            "Read the PET series as DICOM, or give the unit {SUVbw}g/ml if the values are SUV",
        )  # fmt: skip
    if region is None and seed is None and rule.is_relative:
        raise UsageError(
            f"{rule.name} without a region or a seed", "a region or a seed",
            "The hottest voxel of a whole body is usually not the tumour: mark it with --roi or --seed",
        )  # fmt: skip
    if region is not None:
        mask, threshold = _within(volume, rule, region)
    elif seed is not None:
        mask, threshold = _around(volume, rule, seed)
    else:
        mask, threshold = volume.array >= rule.value, rule.value
    if not mask.any():
        hottest = float(volume.array[region].max() if region is not None else volume.array.max())
        raise UsageError(f"No voxel reaches SUV {threshold:.2f}; the highest is {hottest:.2f}", "a lower threshold")
    name = f"Lesion, SUV >= {threshold:.2f}"
    note = f"threshold-based ({rule.name}), to be reviewed"
    return Segmentation(mask.astype(np.uint8), volume.geometry, (Segment(1, name),), source=Origin(notes=(note,)))


def _within(volume: Volume, rule: ThresholdRule, region: np.ndarray) -> tuple[np.ndarray, float]:
    if region.shape != volume.geometry.shape:
        raise UsageError(f"A region of shape {region.shape}", f"the volume's {volume.geometry.shape}")
    if not region.any():
        raise UsageError("The region holds no voxel of the PET volume", "a region that covers the lesion")
    threshold = rule.value * float(volume.array[region].max()) if rule.is_relative else rule.value
    return region & (volume.array >= threshold), threshold


def _around(volume: Volume, rule: ThresholdRule, seed: tuple[float, float, float]) -> tuple[np.ndarray, float]:
    peak = _local_maximum(volume, seed)
    highest = float(volume.array[peak])
    threshold = rule.value * highest if rule.is_relative else rule.value
    if highest < threshold or threshold <= 0:
        raise UsageError(
            f"The highest SUV within {SEED_RADIUS_MM:g} mm of the seed is {highest:.2f}", f"at least {threshold:.2f}"
        )
    labels, _ = ndimage.label(volume.array >= threshold, structure=_NEIGHBOURS)
    mask = labels == labels[peak]
    if rule.is_relative and float(volume.array[mask].max()) > highest:
        raise UsageError(
            f"The lesion at the seed (maximum SUV {highest:.2f}) runs into hotter tissue", "a lesion that stands alone",
            "Mark it with a region instead of a seed",
        )  # fmt: skip
    return mask, threshold


def _local_maximum(volume: Volume, seed: tuple[float, float, float]) -> tuple[int, int, int]:
    """Index (k, j, i) of the hottest voxel within 15 mm of the seed."""
    geometry = volume.geometry
    centre = geometry.to_ijk(np.asarray(seed, dtype=np.float64))[::-1]
    if (centre < -0.5).any() or (centre > np.array(geometry.shape) - 0.5).any():
        raise UsageError(f"The seed {tuple(seed)} lies outside {volume.name}", "RAS in mm within the PET volume")
    margin = np.ceil(SEED_RADIUS_MM / np.array(geometry.spacing_kji_mm)).astype(int) + 1
    low = np.maximum(np.rint(centre).astype(int) - margin, 0)
    high = np.minimum(np.rint(centre).astype(int) + margin + 1, geometry.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    kji = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing="ij"), axis=-1)
    distance = np.linalg.norm(geometry.to_ras(kji[..., ::-1]) - np.asarray(seed), axis=-1)
    nearest = distance <= max(SEED_RADIUS_MM, float(distance.min()))
    values = np.where(nearest, volume.array[box], -np.inf)
    return tuple(int(n) for n in kji[np.unravel_index(np.argmax(values), values.shape)])
