"""All sources of a case on one working grid around what a person marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.carry import sample_array
from MedFusionLib.segment.surface import cropped_geometry
from MedFusionLib.volume import Geometry, Volume

MOST_VOXELS = 400_000
SEED_REACH_MM = 60.0
"""A lesion marked by a seed alone is looked for this far around it."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Sources on an isotropic grid along R, A, S.

    Parameters
    ----------
    sources : tuple of Volume
        As given, in their order.
    geometry : Geometry
        The working grid.
    values : (S, K, J, I) float32 array
        Their values; outside a field of view the nearest value inside.
    covered : (S, K, J, I) bool array
        Where each source has a field of view.
    inside : (K, J, I) bool array
        Where the lesion may be.
    seed_kji : tuple of int or None
        The seed's voxel.
    has_region : bool
        Whether a person gave the region; otherwise it is the reach of the seed.
    """

    sources: tuple[Volume, ...]
    geometry: Geometry
    values: np.ndarray
    covered: np.ndarray
    inside: np.ndarray
    seed_kji: tuple[int, int, int] | None
    has_region: bool

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel."""
        return self.geometry.spacing_mm[0]

    def ball(self, radius_mm: float) -> np.ndarray:
        """(K, J, I) bool, voxels around the seed."""
        k, j, i = np.ogrid[tuple(slice(0, n) for n in self.geometry.shape)]
        a, b, c = self.seed_kji
        return (k - a) ** 2 + (j - b) ** 2 + (i - c) ** 2 <= (radius_mm / self.spacing_mm) ** 2


def stack_sources(
    sources: tuple[Volume, ...],
    *,
    region: Region | None = None,
    seed: tuple[float, float, float] | None = None,
    most_voxels: int = MOST_VOXELS,
    margin: float = 0.0,
) -> Stack:
    """Sample the sources around a region or a seed.

    Sources with finer voxels than the grid are blurred to its spacing first.

    Parameters
    ----------
    sources : tuple of Volume
        On their own grids, in one world.
    region : Region or None
        Where the lesion lies.
    seed : tuple of float or None
        A point in it, RAS in mm.
    most_voxels : int
        Sets the spacing of the grid, which is never finer than the finest source.
    margin : float
        The grid reaches this share of the region's size beyond it, on every side.

    Raises
    ------
    UsageError
        Without region and seed, or when they lie outside the first source or each other.
    """
    if region is None and seed is None:
        raise UsageError(
            "Segmentation without a region or a seed", "a region or a seed", "Mark the tumour with --roi or --seed"
        )
    low, high = _window(sources[0], region, seed, margin)
    geometry = _grid(low, high, sources, most_voxels)
    values, covered = zip(*(_sampled(source, geometry) for source in sources))
    inside = np.ones(geometry.shape, bool) if region is None else region.mask_on(geometry)
    if not inside.any():
        raise UsageError("The region holds no voxel of the working grid", "a region larger than a few millimetres")
    place = None
    if seed is not None:
        place = tuple(int(n) for n in np.rint(geometry.to_ijk(np.asarray(seed, np.float64)))[::-1])
        if min(place) < 0 or (np.array(place) >= geometry.shape).any() or not inside[place]:
            raise UsageError(f"The seed {_point(seed)} lies outside the region", "a point in the lesion, RAS in mm")
        if not any(here[place] for here in covered):
            raise UsageError(f"The seed {_point(seed)} lies outside every source", "a point in the lesion, RAS in mm")
    return Stack(tuple(sources), geometry, np.stack(values), np.stack(covered), inside, place, region is not None)


def _window(reference: Volume, region: Region | None, seed, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The box to work in: the region's or the seed's reach, within the reference's field of view."""
    low, high = np.array(reference.geometry.bounds_ras()).reshape(3, 2).T
    if region is not None:
        first, last = region.bounds_ras()
        first, last = first - margin * (last - first), last + margin * (last - first)
    else:
        first, last = np.asarray(seed, np.float64) - SEED_REACH_MM, np.asarray(seed, np.float64) + SEED_REACH_MM
        if (np.asarray(seed) < low).any() or (np.asarray(seed) > high).any():
            raise UsageError(f"The seed {_point(seed)} lies outside {reference.name}", "RAS in mm within the volume")
    low, high = np.maximum(low, first), np.minimum(high, last)
    if (high - low <= 0).any():
        raise UsageError(f"The region lies outside {reference.name}", "a region in the volume")
    return low, high


def _grid(low: np.ndarray, high: np.ndarray, sources: tuple[Volume, ...], most_voxels: int) -> Geometry:
    finest = min(min(source.geometry.spacing_mm) for source in sources)
    spacing = max(finest, float(np.prod(high - low) / most_voxels) ** (1 / 3))
    counts = np.maximum(np.ceil((high - low) / spacing - 1e-6).astype(int), 1)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = (low + high) / 2 - (counts - 1) * spacing / 2
    return Geometry(tuple(int(n) for n in counts[::-1]), matrix)


def _sampled(source: Volume, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    spacing = geometry.spacing_mm[0]
    own = np.array(source.geometry.spacing_kji_mm)
    blur = np.where(own < spacing, spacing / own / 2, 0)
    array, grid = _near(source, geometry, margin=np.ceil(4 * blur).astype(int) + 2)
    if blur.any():
        array = ndimage.gaussian_filter(array, blur, mode="nearest")
    values = sample_array(array, grid, geometry, order=1, outside=np.nan)
    covered = ~np.isnan(values)
    if not covered.any():
        raise UsageError(f"{source.name} does not reach the marked place", "sources that all show the tumour")
    if not covered.all():
        nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
        values = values[tuple(nearest)]
    return values.astype(np.float32), covered


def _near(source: Volume, geometry: Geometry, margin: np.ndarray) -> tuple[np.ndarray, Geometry]:
    """The part of a source around a grid."""
    corners = source.geometry.to_ijk(geometry.corners_ras())[:, ::-1]
    shape = np.array(source.geometry.shape)
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, shape - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1 + margin, low + 1, shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high))
    return source.array[box], cropped_geometry(source.geometry, box)


def _point(ras) -> str:
    return ", ".join(f"{c:g}" for c in ras)
