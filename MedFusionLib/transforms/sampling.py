"""Which axes a multiscale decomposition halves at each level."""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST_LENGTH = 4
LARGEST_RATIO = 1.5

Plan = tuple[tuple[int, ...], ...]
"""Per level, the spatial axes (0 = first spatial axis) that are filtered and halved."""


def plan_decimation(shape: Sequence[int], spacing: Sequence[float], levels: int) -> Plan:
    """Decide per level which axes are halved.

    An axis waits while its voxels are more than 1.5 times as long as the shortest ones, so that
    structures of one physical size end up on one level whatever the slice spacing; an axis stops
    for good when fewer than four samples are left.

    Parameters
    ----------
    shape : sequence of int
        Number of samples along each spatial axis of the whole volume or slice (never of a tile).
    spacing : sequence of float
        Sample distance along the same axes, in mm (or any common unit).
    levels : int
        Number of levels wanted.

    Returns
    -------
    tuple of tuple of int
        At most `levels` entries; fewer when nothing is left to halve.
    """
    lengths, steps = list(shape), list(spacing)
    plan = []
    for _ in range(levels):
        long_enough = [axis for axis, length in enumerate(lengths) if length >= SMALLEST_LENGTH]
        if not long_enough:
            break
        finest = min(steps[axis] for axis in long_enough)
        axes = tuple(axis for axis in long_enough if steps[axis] <= LARGEST_RATIO * finest)
        for axis in axes:
            lengths[axis] = (lengths[axis] + 1) // 2
            steps[axis] *= 2
        plan.append(axes)
    return tuple(plan)
