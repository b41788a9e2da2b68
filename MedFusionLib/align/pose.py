"""Rigid positions as six numbers, and the search for the best one nearby."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from MedFusionLib.interrupt import checkpoint

Numbers = tuple[float, float, float, float, float, float]
ALL_AXES = (0, 1, 2, 3, 4, 5)
AFFINE_AXES = tuple(range(12))


def rigid_matrix(numbers: Numbers, centre_ras: np.ndarray) -> np.ndarray:
    """(4, 4) RAS to RAS of six numbers.

    Parameters
    ----------
    numbers : (6,)
        Shift to the right, anterior, superior in mm, then rotations about the R, A and S axis in
        degrees (right hand rule), applied in that order about the centre and before the shift.
    centre_ras : (3,)
        Centre of rotation, RAS in mm.
    """
    (cr, ca, cs), (sr, sa, ss) = np.cos(np.radians(numbers[3:6])), np.sin(np.radians(numbers[3:6]))
    matrix = np.eye(4)
    matrix[:3, :3] = (
        (ca * cs, sr * sa * cs - cr * ss, cr * sa * cs + sr * ss),
        (ca * ss, sr * sa * ss + cr * cs, cr * sa * ss - sr * cs),
        (-sa, sr * ca, cr * ca),
    )
    matrix[:3, 3] = np.asarray(centre_ras) - matrix[:3, :3] @ centre_ras + numbers[:3]
    return matrix


def affine_matrix(numbers: tuple[float, ...], centre_ras: np.ndarray) -> np.ndarray:
    """(4, 4) RAS to RAS of twelve numbers: six as for `rigid_matrix`, three stretches, three shears.

    Stretches along R, A, S and shears (A with R, S with R, S with A) are in percent, act about the
    centre and before the rotation.
    """
    shape = np.eye(4)
    shape[:3, :3] = np.diag(np.exp(np.asarray(numbers[6:9]) / 100))
    for value, (row, column) in zip(numbers[9:], ((0, 1), (0, 2), (1, 2))):
        shape[row, column] = value / 100
    shape[:3, 3] = np.asarray(centre_ras) - shape[:3, :3] @ centre_ras
    return rigid_matrix(tuple(numbers[:6]), centre_ras) @ shape


def rotation_degrees(matrix: np.ndarray) -> float:
    """The angle by which the linear part of a 4x4 turns, in degrees (0..180), scales and shears left aside."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1))))


def displacement_mm(matrix: np.ndarray, points_ras: np.ndarray) -> float:
    """Mean distance that points (N, 3) are moved by a 4x4, in mm."""
    moved = points_ras @ matrix[:3, :3].T + matrix[:3, 3]
    return float(np.linalg.norm(moved - points_ras, axis=1).mean())


@dataclass(frozen=True)
class Climb:
    """Where a search ended.

    Parameters
    ----------
    numbers : tuple of float
        The position, see `rigid_matrix` and `affine_matrix`.
    value : float
        The similarity there.
    evaluations : int
        How often the similarity was computed.
    """

    numbers: tuple[float, ...]
    value: float
    evaluations: int


def climb(
    similarity: Callable[[np.ndarray], float],
    start: np.ndarray,
    *,
    steps: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5),
    axes: tuple[int, ...] = ALL_AXES,
    most_rounds: int = 30,
) -> Climb:
    """Climb to the nearest maximum of a similarity.

    Each round looks one step to both sides along every axis, lays a parabola through the three
    values, and goes to whatever is best: all tops of the parabolas together, or one of the places
    looked at. When nothing is better, the next smaller step is taken. Steps are millimetres and
    degrees alike. Deterministic.

    Parameters
    ----------
    similarity : callable
        Of as many numbers as the start has; NaN where it is not defined.
    start : (N,)
        Where to begin.
    steps : tuple of float
        From coarse to fine.
    axes : tuple of int
        Which of the numbers may change.
    most_rounds : int
        Upper bound of the work.
    """
    here, value = np.asarray(start, float).copy(), _defined(similarity(np.asarray(start, float)))
    evaluations, rounds, level = 1, 0, 0
    while level < len(steps) and rounds < most_rounds:
        checkpoint()
        rounds += 1
        candidates = _look_around(similarity, here, value, steps[level], axes)
        evaluations += len(candidates)
        best, there = max(candidates, key=lambda pair: pair[0])
        if best > value:
            here, value = there, best
        else:
            level += 1
    return Climb(tuple(float(n) for n in here), value, evaluations)


def _look_around(similarity, here, value, step, axes) -> list[tuple[float, np.ndarray]]:
    candidates, tops = [], here.copy()
    for axis in axes:
        sides = []
        for sign in (-1, 1):
            there = here.copy()
            there[axis] += sign * step
            candidates.append((_defined(similarity(there)), there))
            sides.append(candidates[-1][0])
        bend = sides[0] + sides[1] - 2 * value
        if np.isfinite(bend) and bend < 0:
            tops[axis] += step * float(np.clip((sides[0] - sides[1]) / (2 * bend), -1, 1))
        else:
            tops[axis] += step * np.sign(sides[1] - sides[0]) if np.isfinite(sides).all() else 0
    candidates.append((_defined(similarity(tops)), tops))
    return candidates


def _defined(value: float) -> float:
    return -np.inf if np.isnan(value) else float(value)
