"""How much two images tell about each other at any position of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from MedFusionLib.align.lookup import Lookup
from MedFusionLib.volume import Geometry, Volume

BINS = 32
_JITTER_SEED = 20


def foreground_level(values: np.ndarray) -> float:
    """The value between background and body.

    Otsu's threshold of the values' square root above the darkest one, halved: bones, bright fat and
    hot lesions would push the plain threshold into the body.

    Notes
    -----
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979) 62-66.
    """
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return float(low)
    roots = np.sqrt(np.clip((values - low) / (high - low), 0, 1)).ravel()
    counts, edges = np.histogram(roots, bins=128, range=(0, 1))
    weights = np.cumsum(counts) / counts.sum()
    means = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (means[-1] * weights - means) ** 2 / (weights * (1 - weights))
    root = edges[int(np.nanargmax(between[:-1])) + 1]
    return float(low + (high - low) * root**2 / 2)


@dataclass(frozen=True, eq=False)
class Coded:
    """A smoothed, coarse image whose values are bin positions, ready to be sampled.

    Parameters
    ----------
    array : (K, J, I) float32
        Bin positions 0..BINS - 1; the background lies in the first bin.
    geometry : Geometry
        Its grid.
    """

    array: np.ndarray
    geometry: Geometry

    @cached_property
    def lookup(self) -> Lookup:
        """The image, ready to be looked up at many points."""
        return Lookup(self.array, self.geometry)

    def at(self, points_ras: np.ndarray) -> np.ndarray:
        """(N,) bin positions at RAS points (N, 3), NaN outside the field of view."""
        return self.lookup(*centred(points_ras))


def centred(points_ras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RAS points (N, 3) as offsets (3, N) float32 from their middle, and the (4, 4) that leads back."""
    back = np.eye(4)
    if len(points_ras):
        back[:3, 3] = (points_ras.min(axis=0) + points_ras.max(axis=0)) / 2
    return np.ascontiguousarray((points_ras - back[:3, 3]).T, np.float32), back


def coded(volume: Volume, spacing_mm: float) -> Coded:
    """The volume smoothed to a sampling of about `spacing_mm`, its values replaced by bin positions.

    Half of each bin position is the value's place between the 0.5th and 99.5th percentile of the
    body, half its rank there: neither the air around CT nor a hot bladder swallows all bins.
    """
    array, geometry = shrunk(volume, spacing_mm)
    level = foreground_level(array)
    body = np.sort(array[array > level])
    if body.size < 2 or body[0] == body[-1]:
        low, high = float(array.min()), float(array.max())
        scaled = (array - low) / (high - low) if high > low else np.zeros_like(array)
        return Coded((scaled * (BINS - 1)).astype(np.float32), geometry)
    low, high = np.percentile(body, (0.5, 99.5))
    place = np.clip((array - low) / max(high - low, 1e-12), 0, 1)
    knots = np.percentile(body, np.linspace(0, 100, 101))
    knots, first = np.unique(knots, return_index=True)
    rank = np.interp(array, knots, np.linspace(0, 1, 101)[first])
    inside = 2 + (BINS - 3) * (place + rank) / 2
    # from the darkest value up to the body: the first two bins
    floor = float(array.min())
    outside = 2 * np.clip((array - floor) / max(level - floor, 1e-12), 0, 1)
    return Coded(np.where(array > level, inside, outside).astype(np.float32), geometry)


def shrunk(volume: Volume, spacing_mm: float) -> tuple[np.ndarray, Geometry]:
    """The volume by averages of whole blocks of voxels of about `spacing_mm`; a border may be cut off."""
    factors = [
        max(1, min(count, int(spacing_mm / step + 0.25)))
        for count, step in zip(volume.geometry.shape, volume.geometry.spacing_kji_mm)
    ]
    shape = [count // factor for count, factor in zip(volume.geometry.shape, factors)]
    array = volume.array[tuple(slice(0, count * factor) for count, factor in zip(shape, factors))]
    for axis, (count, factor) in enumerate(zip(shape, factors)):
        if factor > 1:
            split = (*array.shape[:axis], count, factor, *array.shape[axis + 1 :])
            array = array.reshape(split).mean(axis=axis + 1, dtype=np.float32)
    matrix = volume.geometry.ijk_to_ras.copy()
    for axis, factor in enumerate(factors[::-1]):
        matrix[:3, 3] += volume.geometry.ijk_to_ras[:3, axis] * (factor - 1) / 2
        matrix[:3, axis] = volume.geometry.ijk_to_ras[:3, axis] * factor
    array = ndimage.gaussian_filter(array, [0.5 if count > 1 else 0 for count in shape])
    return array.astype(np.float32), Geometry(tuple(shape), matrix)


def sample_points(geometry: Geometry, most: int) -> np.ndarray:
    """(N, 3) RAS points spread evenly over a grid, shaken by less than a cell so that no grid shows.

    Deterministic: the same grid gives the same points.
    """
    shape = np.array(geometry.shape[::-1])
    spread = min(1.0, (most / shape.prod()) ** (1 / max(1, int((shape > 1).sum()))))
    counts = np.maximum(1, (shape * spread).astype(int))
    cells = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1)
    shake = np.random.default_rng(_JITTER_SEED).uniform(0, 1, cells.shape)
    # I changes fastest, as in memory
    ijk = ((cells + shake) / counts * shape - 0.5).transpose(2, 1, 0, 3).reshape(-1, 3)
    return geometry.to_ras(np.clip(ijk, 0, shape - 1))


class Partner:
    """One set of bin positions (N,), ready to be counted together with others.

    Parameters
    ----------
    values : (N,) float32
        Bin positions; each is shared linearly between its two neighbouring bins.
    """

    def __init__(self, values: np.ndarray) -> None:
        low = np.minimum(values.astype(np.intp), BINS - 2)
        self._upper = (values - low).astype(np.float64)
        self._lower = 1 - self._upper
        # one column more, for what is not seen
        self._row = low * (BINS + 1)

    def count(self, other: np.ndarray) -> np.ndarray:
        """(BINS, BINS) joint histogram with other bin positions (N,), NaN where there are none."""
        column = np.rint(other)
        column[np.isnan(column)] = BINS
        place = self._row + column.astype(np.intp)
        size = BINS * (BINS + 1)
        counts = np.bincount(place, self._lower, size)
        counts[BINS + 1 :] += np.bincount(place, self._upper, size)[: -BINS - 1]
        return counts.reshape(BINS, BINS + 1)[:, :BINS]


def normalised_mutual_information(joint: np.ndarray) -> float:
    """(H(A) + H(B)) / H(A, B) of a joint histogram, 1 (independent) to 2 (equal).

    Notes
    -----
    C. Studholme, D. L. G. Hill, D. J. Hawkes, "An overlap invariant entropy measure of 3D medical
    image alignment", Pattern Recognition 32 (1999) 71-86.
    """
    total = joint.sum()
    if total <= 0:
        return float("nan")
    together = _entropy(joint.ravel() / total)
    if together == 0:
        return 1.0
    return (_entropy(joint.sum(axis=1) / total) + _entropy(joint.sum(axis=0) / total)) / together


def _entropy(probabilities: np.ndarray) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())
