"""Where a registration starts: the best of many positions, climbed from coarse to fine."""

from __future__ import annotations

import numpy as np

from MedFusionLib.align.evidence import Comparison
from MedFusionLib.align.pose import Climb, Numbers, climb, rigid_matrix, rotation_degrees
from MedFusionLib.align.similarity import foreground_level, shrunk
from MedFusionLib.volume import Volume

COARSE_MM = 8.0
COARSE_SAMPLES = 12_000
TURNS_DEG = (-30.0, 30.0)
SHIFTS_MM = (-40.0, 40.0)
CANDIDATES = 5
RIVAL = 0.6
TURN_COST = 0.05
"""Share of the gain that a turn of 30 degrees costs: lying patients turn little between two scanners."""
_COARSE_STEPS = (16.0, 8.0, 4.0, 2.0)
_FINE_STEPS = (3.0, 1.5, 0.75)


def best_start(reference: Volume, moving: Volume, transform, *, masks=(None, None)) -> Numbers:
    """Six numbers in the moving image's space, about the body's centre, see `pose.rigid_matrix`.

    Starts: the given position; the centres of both bodies together (moments); the centres of both
    fields of view together (geometry); each shifted and turned along every axis. The given position
    is climbed from in any case.
    """
    coarse = Comparison(
        reference, moving, transform, masks=masks, everywhere=True, spacing_mm=COARSE_MM, most_samples=COARSE_SAMPLES
    )
    fine = Comparison(reference, moving, transform, masks=masks, everywhere=True)
    starts = _starts(coarse, reference, moving)
    values = [np.nan_to_num(coarse.at(start), nan=-1.0) for start in starts]
    order = [0, *(n for n in np.argsort(values)[::-1] if n)][:CANDIDATES]
    first, then = _COARSE_STEPS[:2], _COARSE_STEPS[2:]
    climbed = _rivals([climb(coarse.at, starts[n], steps=first, axes=coarse.axes) for n in order])
    climbed = _rivals([climb(coarse.at, np.array(c.numbers), steps=then, axes=coarse.axes) for c in climbed])
    shift = _between(coarse, fine)
    again = [np.array(one.numbers) + shift(one.numbers) for one in climbed]
    ends = [climb(fine.at, start, steps=_FINE_STEPS, axes=fine.axes) for start in again]
    return max(ends, key=_plausible).numbers


def _rivals(climbed: list[Climb]) -> list[Climb]:
    """The best end of a climb, and the next one that lies elsewhere and is nearly as good."""
    best, *others = sorted(climbed, key=_plausible, reverse=True)
    for other in others:
        apart = np.abs(np.subtract(other.numbers, best.numbers)).max() > COARSE_MM
        if apart and other.value - 1 > RIVAL * (best.value - 1):
            return [best, other]
    return [best]


def _plausible(end: Climb) -> float:
    """How good the end of a climb is: of two that match alike, the one that turns the patient less."""
    angle = rotation_degrees(rigid_matrix(end.numbers, np.zeros(3)))
    return (end.value - 1) * (1 - TURN_COST * (angle / 30) ** 2)


def _starts(pair: Comparison, reference: Volume, moving: Volume) -> list[np.ndarray]:
    anchors = [np.zeros(6)]
    for offset in (_moments(pair, moving), _geometry(pair, moving)):
        if all(np.abs(offset - anchor[:3]).max() > 4 for anchor in anchors):
            anchors.append(np.concatenate([offset, np.zeros(3)]))
    moves = [size * np.eye(6)[axis] for axis in pair.axes for size in (SHIFTS_MM if axis < 3 else TURNS_DEG)]
    allowed = np.isin(np.arange(6), pair.axes)
    return [(anchor + move) * allowed for move in (np.zeros(6), *moves) for anchor in anchors]


def _moments(pair: Comparison, moving: Volume) -> np.ndarray:
    """From the reference body's centre to the moving body's, in the moving image's space."""
    array, geometry = shrunk(moving, COARSE_MM)
    body = np.argwhere(array > foreground_level(array))
    if len(body) == 0:
        return np.zeros(3)
    return geometry.to_ras(body[:, ::-1]).mean(axis=0) - pair.centre


def _geometry(pair: Comparison, moving: Volume) -> np.ndarray:
    """From the centre of the reference's field of view to that of the moving image."""
    middle = moving.geometry.to_ras((np.array(moving.geometry.shape[::-1]) - 1) / 2)
    return middle - pair.there.mean(axis=0)


def _between(coarse: Comparison, fine: Comparison):
    """The two comparisons turn about slightly different centres: the shift that makes up for it."""

    def shift(numbers: Numbers) -> np.ndarray:
        wanted, given = rigid_matrix(numbers, coarse.centre), rigid_matrix(numbers, fine.centre)
        return np.concatenate([wanted[:3, 3] - given[:3, 3], np.zeros(3)])

    return shift
