"""The place in a PET volume that a person marked: a region, or the hottest voxel near a click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.morphology import TOUCHING
from MedFusionLib.segment.surface import bounding_box
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Volume

SEED_RADIUS_MM = 15.0
"""The local maximum is looked for this far around a seed: about the aim of a hand."""
NEIGHBOURHOOD_MM = 40.0
"""What counts as the surroundings of a seed, where a method needs both lesion and background."""
BACKGROUND_SHELL_MM = 10.0
_FIRST_REACH_MM = 60.0
_MOST_NEGATIVE = 0.1

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Found:
    """Part of a volume: a mask within a box, so that large volumes need no whole masks.

    Parameters
    ----------
    box : tuple of slice
        Along K, J, I.
    mask : bool array
        Of the box's shape.
    """

    box: Box
    mask: np.ndarray

    def holds(self, kji: tuple[int, int, int]) -> bool:
        """Whether a voxel of the whole grid belongs to it."""
        place = tuple(n - part.start for n, part in zip(kji, self.box))
        return all(0 <= n < size for n, size in zip(place, self.mask.shape)) and bool(self.mask[place])

    def whole(self, shape: tuple[int, int, int]) -> np.ndarray:
        """The mask on the whole grid, (K, J, I) bool."""
        mask = np.zeros(shape, bool)
        mask[self.box] = self.mask
        return mask


@dataclass(frozen=True, eq=False)
class Spot:
    """A marked place in a PET volume.

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    region : Found or None
        The region, or None for a seed.
    peak : tuple of int
        Index (k, j, i) of the hottest voxel in the region or near the seed.
    """

    volume: Volume
    region: Found | None
    peak: tuple[int, int, int]

    @property
    def maximum(self) -> float:
        """SUV of the hottest voxel."""
        return float(self.volume.array[self.peak])

    def lesion(self, threshold: float) -> Found:
        """What reaches the threshold: within the region, or connected to the peak.

        Raises
        ------
        UsageError
            When nothing reaches it.
        """
        if self.maximum < threshold or threshold <= 0:
            where = "in the region" if self.region else f"within {SEED_RADIUS_MM:g} mm of the seed"
            raise UsageError(
                f"No voxel reaches SUV {threshold:.2f}: the highest {where} is {self.maximum:.2f}", "a lower threshold"
            )
        if self.region:
            box, inside = self.region.box, self.region.mask
            return Found(box, inside & (self.volume.array[box] >= threshold))
        return self._connected(threshold)

    def surroundings(self) -> Found:
        """The region, or the ball of 40 mm around the peak."""
        return self.region or ball(self.volume, self.volume.geometry.to_ras(self.peak[::-1]), NEIGHBOURHOOD_MM)

    def background(self, found: Found) -> float:
        """Median SUV of the shell of 10 mm around a lesion."""
        spacing = np.array(self.volume.geometry.spacing_kji_mm)
        box, offset = _grown(found.box, np.ceil(BACKGROUND_SHELL_MM / spacing).astype(int), self.volume.array.shape)
        inside = np.zeros([s.stop - s.start for s in box], bool)
        inside[offset] = found.mask
        shell = (ndimage.distance_transform_edt(~inside, sampling=spacing) <= BACKGROUND_SHELL_MM) & ~inside
        if not shell.any():
            raise UsageError("The lesion fills the whole image", "background around it")
        return float(np.median(self.volume.array[box][shell]))

    def _connected(self, threshold: float) -> Found:
        reach = np.ceil(_FIRST_REACH_MM / np.array(self.volume.geometry.spacing_kji_mm)).astype(int)
        while True:
            box = tuple(
                slice(max(p - r, 0), min(p + r + 1, n)) for p, r, n in zip(self.peak, reach, self.volume.array.shape)
            )
            islands, _ = ndimage.label(self.volume.array[box] >= threshold, structure=TOUCHING)
            mask = islands == islands[tuple(p - s.start for p, s in zip(self.peak, box))]
            if not _touches_inner_border(mask, box, self.volume.array.shape):
                return Found(box, mask)
            reach = reach * 2


def mark_spot(
    volume: Volume, *, region: np.ndarray | None = None, seed: tuple[float, float, float] | None = None
) -> Spot | None:
    """The marked place; None when neither region nor seed is given.

    Raises
    ------
    UsageError
        When the volume is no PET in SUVbw, the region is empty or on another grid, or the seed lies
        outside.
    """
    check_suv(volume)
    if region is not None:
        if region.shape != volume.geometry.shape:
            raise UsageError(f"A region of shape {region.shape}", f"the volume's {volume.geometry.shape}")
        if not region.any():
            raise UsageError("The region holds no voxel of the PET volume", "a region that covers the lesion")
        box = bounding_box(region)
        inside = region[box]
        hottest = np.unravel_index(np.argmax(np.where(inside, volume.array[box], -np.inf)), inside.shape)
        return Spot(volume, Found(box, inside), tuple(int(n + s.start) for n, s in zip(hottest, box)))
    return None if seed is None else Spot(volume, None, local_maximum(volume, seed))


def check_suv(volume: Volume) -> None:
    """Refuse what is no PET in SUVbw, is constant, or is negative beyond what reconstruction leaves.

    Raises
    ------
    UsageError
        With the reason.
    """
    if volume.modality != "PT" or volume.unit != SUV_BODY_WEIGHT:
        raise UsageError(
            f"{volume.name} is {volume.modality} in {volume.unit}", "PET in SUVbw",
            "Read the PET series as DICOM, or give the unit {SUVbw}g/ml if the values are SUV",
        )  # fmt: skip
    lowest, highest = float(volume.array.min()), float(volume.array.max())
    if not np.isfinite([lowest, highest]).all():
        raise UsageError(f"{volume.name} holds values that are not finite", "SUV in every voxel")
    if lowest == highest:
        raise UsageError(f"{volume.name} is constant (SUV {lowest:g})", "a PET volume with uptake")
    if highest <= 0 or lowest < -_MOST_NEGATIVE * highest:
        raise UsageError(
            f"{volume.name} reaches from SUV {lowest:.2f} to {highest:.2f}", "SUV of 0 and more",
            "Negative SUV point to a wrong scale or to a subtraction image",
        )  # fmt: skip


def ball(volume: Volume, centre_ras: np.ndarray, radius_mm: float) -> Found:
    """Voxels whose centre lies within a ball (at least the nearest voxel).

    Raises
    ------
    UsageError
        When the centre lies outside the volume.
    """
    geometry = volume.geometry
    centre = geometry.to_ijk(np.asarray(centre_ras, np.float64))[::-1]
    if (centre < -0.5).any() or (centre > np.array(geometry.shape) - 0.5).any():
        place = ", ".join(f"{c:g}" for c in centre_ras)
        raise UsageError(f"The point {place} lies outside {volume.name}", "RAS in mm within the volume")
    reach = radius_mm * np.linalg.norm(geometry.ras_to_ijk[:3, :3], axis=1)[::-1]
    low = np.maximum(np.floor(centre - reach).astype(int), 0)
    high = np.minimum(np.ceil(centre + reach).astype(int) + 1, geometry.shape)
    kji = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing="ij"), axis=-1)
    distance = np.linalg.norm(geometry.to_ras(kji[..., ::-1]) - np.asarray(centre_ras), axis=-1)
    mask = distance <= max(radius_mm, float(distance.min()))
    return Found(tuple(slice(int(a), int(b)) for a, b in zip(low, high)), mask)


def local_maximum(volume: Volume, seed: tuple[float, float, float]) -> tuple[int, int, int]:
    """Index (k, j, i) of the hottest voxel within 15 mm of the seed."""
    near = ball(volume, np.asarray(seed, np.float64), SEED_RADIUS_MM)
    values = np.where(near.mask, volume.array[near.box], -np.inf)
    hottest = np.unravel_index(np.argmax(values), values.shape)
    return tuple(int(n + s.start) for n, s in zip(hottest, near.box))


def _grown(box: Box, margin: np.ndarray, shape: tuple[int, ...]) -> tuple[Box, Box]:
    """A box grown within the grid, and where the old one lies in it."""
    grown = tuple(slice(max(s.start - m, 0), min(s.stop + m, n)) for s, m, n in zip(box, margin.tolist(), shape))
    return grown, tuple(slice(s.start - g.start, s.stop - g.start) for s, g in zip(box, grown))


def _touches_inner_border(mask: np.ndarray, box: Box, shape: tuple[int, ...]) -> bool:
    """Whether the mask reaches a side of the box that is not the image's edge."""
    for axis, (part, size) in enumerate(zip(box, shape)):
        if part.start > 0 and mask.take(0, axis=axis).any():
            return True
        if part.stop < size and mask.take(-1, axis=axis).any():
            return True
    return False
