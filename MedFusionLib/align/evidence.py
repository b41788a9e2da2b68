"""What two images themselves say about their alignment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from MedFusionLib.align.resample import coverage, resample_to
from MedFusionLib.volume import Geometry, Volume

COARSE_MM = 4.0
MOST_SAMPLES = 64
SHIFT_MM = 8.0
BINS = 32
_FEWEST_VOXELS = 500
_DIRECTIONS = {
    "8 mm to the patient's right": (1, 0, 0),
    "8 mm to the patient's left": (-1, 0, 0),
    "8 mm to anterior": (0, 1, 0),
    "8 mm to posterior": (0, -1, 0),
    "8 mm to superior": (0, 0, 1),
    "8 mm to inferior": (0, 0, -1),
}


@dataclass(frozen=True)
class Evidence:
    """Numbers on one pair of images.

    Parameters
    ----------
    overlap_fraction : float
        Shared field of view as a share of the smaller one.
    similarity : float
        Normalised mutual information of the foreground, (H(A) + H(B)) / H(A, B), 1..2; NaN when the
        images share too little.
    similarity_moved : dict of str to float
        The same with the moving image moved, by the words that say how.
    """

    overlap_fraction: float
    similarity: float = float("nan")
    similarity_moved: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict:
        """Plain JSON types; NaN becomes None."""
        values = asdict(self)
        values["similarity"] = None if np.isnan(self.similarity) else self.similarity
        return values


def gather_evidence(reference: Volume, moving: Volume, transform=None) -> Evidence:
    """Overlap and similarity of two volumes, on a coarse grid over the reference's field of view.

    Deterministic; takes a fraction of a second whatever the size of the volumes.
    """
    grid = coarse_grid(reference.geometry)
    shared = _shared_field_of_view(reference.geometry, moving.geometry, grid, transform)
    if shared == 0:
        return Evidence(0.0)
    fixed = resample_to(reference, grid).array
    if sum(n > 1 for n in grid.shape) < 2 or fixed.size < _FEWEST_VOXELS:
        return Evidence(shared)
    here = _similarity_at(fixed, moving, grid, transform)
    if np.isnan(here):
        return Evidence(shared)
    moved = {}
    for words, direction in _DIRECTIONS.items():
        offset = np.array(direction) * SHIFT_MM
        value = _similarity_at(fixed, moving, _shifted(grid, -offset), transform)
        if not np.isnan(value) and _can_shift(grid, direction):
            moved[words] = value
    mirrored = _similarity_at(fixed, moving, _mirrored(grid), transform)
    if not np.isnan(mirrored):
        moved["mirrored left to right"] = mirrored
    return Evidence(shared, here, moved)


def coarse_grid(geometry: Geometry) -> Geometry:
    """The same box with samples of about 4 mm, at most 64 along each axis."""
    shape, matrix = [], geometry.ijk_to_ras.copy()
    for axis, (count, spacing) in enumerate(zip(geometry.shape[::-1], geometry.spacing_mm)):
        samples = int(np.clip(round(count * spacing / COARSE_MM), 1, min(MOST_SAMPLES, count)))
        step = count / samples
        matrix[:3, 3] += geometry.ijk_to_ras[:3, axis] * (step - 1) / 2
        matrix[:3, axis] = geometry.ijk_to_ras[:3, axis] * step
        shape.append(samples)
    return Geometry(tuple(shape[::-1]), matrix)


def normalised_mutual_information(first: np.ndarray, second: np.ndarray, bins: int = BINS) -> float:
    """(H(A) + H(B)) / H(A, B) of two equally long sets of values, 1 (independent) to 2 (equal).

    Notes
    -----
    C. Studholme, D. L. G. Hill, D. J. Hawkes, "An overlap invariant entropy measure of 3D medical
    image alignment", Pattern Recognition 32 (1999) 71-86.
    """
    codes = _code(first, bins) * bins + _code(second, bins)
    joint = np.bincount(codes, minlength=bins * bins).reshape(bins, bins) / len(codes)
    entropies = [_entropy(p) for p in (joint.sum(axis=1), joint.sum(axis=0), joint.ravel())]
    return 1.0 if entropies[2] == 0 else (entropies[0] + entropies[1]) / entropies[2]


def _shared_field_of_view(reference: Geometry, moving: Geometry, grid: Geometry, transform) -> float:
    inside = float(coverage(moving, grid, transform=transform).mean())
    volumes = [g.number_of_voxels * g.voxel_volume_ml for g in (reference, moving)]
    return min(1.0, inside * volumes[0] / min(volumes))


def _similarity_at(fixed: np.ndarray, moving: Volume, grid: Geometry, transform) -> float:
    """Similarity over the shared field of view, with the moving image sampled on `grid`."""
    values = resample_to(moving, grid, transform=transform).array
    inside = coverage(moving.geometry, grid, transform=transform)
    if inside.sum() < _FEWEST_VOXELS:
        return float("nan")
    return normalised_mutual_information(fixed[inside], values[inside])


def _shifted(grid: Geometry, offset_ras: np.ndarray) -> Geometry:
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] += offset_ras
    return Geometry(grid.shape, matrix)


def _mirrored(grid: Geometry) -> Geometry:
    """The grid mirrored left to right about its own centre."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    centre = grid.to_ras((np.array(grid.shape[::-1]) - 1) / 2)
    mirror[0, 3] = 2 * centre[0]
    return Geometry(grid.shape, mirror @ grid.ijk_to_ras)


def _can_shift(grid: Geometry, direction: tuple[int, int, int]) -> bool:
    """Whether the grid is long enough along the direction for a shift to say anything."""
    low = np.array(grid.bounds_ras()).reshape(3, 2)
    return bool((low[:, 1] - low[:, 0])[np.argmax(np.abs(direction))] > 4 * SHIFT_MM)


def _code(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(len(values), np.int64)
    return np.clip((values - low) * (bins / (high - low)), 0, bins - 1).astype(np.int64)


def _entropy(probabilities: np.ndarray) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())
