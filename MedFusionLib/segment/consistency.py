"""How well the sources of a case line up around a lesion, and how much each edge may count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedFusionLib.segment.carry import sample_array
from MedFusionLib.segment.stack import Stack
from MedFusionLib.volume import Geometry, Volume

SURROUNDINGS_MM = 50.0
"""Alignment is judged this far around the region: a lesion alone says little about it."""
FARTHEST_MM = 30.0
_GRID_MM = 4.0
_STEPS_MM = (8.0, 4.0, 2.0)
_BINS = 32
_FEWEST = 500
_CLEARLY_BETTER = 0.02


@dataclass(frozen=True)
class Trust:
    """How much the edges of one source count.

    Parameters
    ----------
    weight : float
        0..1.
    offset_ras_mm : tuple of float or None
        Where the source matches the anatomical reference better (it would have to move by this);
        None where it was not compared.
    """

    weight: float
    offset_ras_mm: tuple[float, float, float] | None = None


def trust_sources(stack: Stack, *, tolerance_mm: float) -> tuple[Trust, ...]:
    """Weights of the sources by the offset at which they match the first CT (else the first MR) best.

    A source that matches best d mm away gets exp(-(d / tolerance)^2 / 2): the chance that its edges
    still fall into the band where the contour is looked for. PET and SPECT are not compared, since
    the lesion itself would decide; they count fully, as does the anatomical reference.

    Parameters
    ----------
    stack : Stack
        The sources around the lesion.
    tolerance_mm : float
        Half the width of the band.
    """
    anatomical = [n for n, source in enumerate(stack.sources) if not source.is_functional]
    anatomical.sort(key=lambda n: stack.sources[n].modality != "CT")
    trusts = [Trust(1.0) for _ in stack.sources]
    if len(anatomical) < 2:
        return tuple(trusts)
    grid = _surroundings(stack)
    reference = stack.sources[anatomical[0]]
    for number in anatomical[1:]:
        offset = best_offset_mm(reference, stack.sources[number], grid)
        if offset is not None:
            distance = float(np.linalg.norm(offset))
            trusts[number] = Trust(float(np.exp(-0.5 * (distance / tolerance_mm) ** 2)), tuple(map(float, offset)))
    return tuple(trusts)


def best_offset_mm(reference: Volume, moving: Volume, grid: Geometry) -> np.ndarray | None:
    """The translation (RAS, mm) that makes the moving volume match the reference better, by climbing.

    Normalised mutual information in steps of 8, 4 and 2 mm from no translation; zero unless the
    gain is clear (2 % of what exceeds 1). None when the volumes share too little.
    """
    fixed = sample_array(reference.array, reference.geometry, grid, order=1, outside=np.nan)
    here = start = _similarity(fixed, moving, grid, np.zeros(3))
    if np.isnan(here):
        return None
    offset = np.zeros(3)
    ways = np.concatenate([np.eye(3), -np.eye(3)])
    for step in _STEPS_MM:
        while True:
            places = [offset + step * way for way in ways]
            places = [place for place in places if np.linalg.norm(place) <= FARTHEST_MM]
            found = [_similarity(fixed, moving, grid, place) for place in places]
            best = int(np.nanargmax(found)) if not np.isnan(found).all() else -1
            if best < 0 or found[best] <= here:
                break
            here, offset = found[best], places[best]
    return offset if here - 1 > (start - 1) * (1 + _CLEARLY_BETTER) else np.zeros(3)


def _surroundings(stack: Stack) -> Geometry:
    low, high = np.array(stack.geometry.bounds_ras()).reshape(3, 2).T
    low, high = low - SURROUNDINGS_MM, high + SURROUNDINGS_MM
    for source in stack.sources:
        first, last = np.array(source.geometry.bounds_ras()).reshape(3, 2).T
        low, high = np.maximum(low, first), np.minimum(high, last)
    counts = np.maximum(np.round((high - low) / _GRID_MM).astype(int), 1)
    matrix = np.diag([_GRID_MM] * 3 + [1.0])
    matrix[:3, 3] = (low + high) / 2 - (counts - 1) * _GRID_MM / 2
    return Geometry(tuple(int(n) for n in counts[::-1]), matrix)


def _similarity(fixed: np.ndarray, moving: Volume, grid: Geometry, offset: np.ndarray) -> float:
    """Normalised mutual information with the moving volume moved by `offset`."""
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] -= offset
    values = sample_array(moving.array, moving.geometry, Geometry(grid.shape, matrix), order=1, outside=np.nan)
    both = ~(np.isnan(fixed) | np.isnan(values))
    if both.sum() < _FEWEST:
        return float("nan")
    codes = _code(fixed[both]) * _BINS + _code(values[both])
    joint = np.bincount(codes, minlength=_BINS * _BINS).reshape(_BINS, _BINS) / len(codes)
    whole = _entropy(joint.ravel())
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / whole if whole > 0 else 1.0


def _code(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (0.5, 99.5))
    span = high - low if high > low else 1.0
    return np.clip((values - low) * (_BINS / span), 0, _BINS - 1).astype(np.int64)


def _entropy(probabilities: np.ndarray) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())
