"""Cut a grid into tiles whose results join without a seam."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from MedFusionLib.methods.base import Local


@dataclass(frozen=True)
class Tile:
    """One piece of a grid.

    Parameters
    ----------
    read : tuple of slice
        What the method must see: the core and its halo, cut at the borders of the grid.
    core : tuple of slice
        What of the grid this tile delivers.
    inner : tuple of slice
        The core's place within what was read.
    """

    read: tuple[slice, ...]
    core: tuple[slice, ...]
    inner: tuple[slice, ...]


def plan_tiles(shape: Sequence[int], support: Local, max_samples: int) -> list[Tile]:
    """Tiles that cover a grid once, each reading about `max_samples` samples or fewer.

    Cores start at multiples of the method's decimation, as do the tiles with their halo, so that
    decimated samples fall on the same places as in the whole. A core is never smaller than half its
    halo, whatever `max_samples` says: below that nearly all work would be done for halos. An axis that
    every tile would read whole is not cut.

    Parameters
    ----------
    shape : sequence of int
        Size of the grid.
    support : Local
        Halo and alignment per axis.
    max_samples : int
        Samples that one tile may read.
    """
    cores = list(shape)
    smallest = [_round_up(max(halo // 2, 1), step) for halo, step in zip(support.halo, support.alignment)]
    while _read_samples(cores, shape, support) > max_samples:
        divisible = [
            axis for axis in range(len(cores)) if cores[axis] > smallest[axis] and _can_shrink(axis, shape, support)
        ]
        if not divisible:
            break
        axis = max(divisible, key=lambda a: cores[a] / smallest[a])
        cores[axis] = max(smallest[axis], _round_up((cores[axis] + 1) // 2, support.alignment[axis]))
    pieces = [_cut_axis(*axis) for axis in zip(shape, cores, support.halo, support.alignment)]
    return [Tile(*(tuple(part) for part in zip(*cut))) for cut in itertools.product(*pieces)]


def _can_shrink(axis: int, shape: Sequence[int], support: Local) -> bool:
    """Whether tiles with the smallest core read less than all of an axis."""
    halo, step = support.halo[axis], support.alignment[axis]
    return _round_up(max(halo // 2, 1), step) + 2 * _round_up(halo, step) < shape[axis]


def _read_samples(cores: Sequence[int], shape: Sequence[int], support: Local) -> int:
    samples = 1
    for core, length, halo, step in zip(cores, shape, support.halo, support.alignment):
        samples *= min(length, core + 2 * _round_up(halo, step))
    return samples


def _cut_axis(length: int, core: int, halo: int, step: int) -> list[tuple[slice, slice, slice]]:
    margin = _round_up(halo, step)
    pieces = []
    for start in range(0, length, core):
        stop = min(start + core, length)
        low, high = max(start - margin, 0), min(stop + margin, length)
        pieces.append((slice(low, high), slice(start, stop), slice(start - low, stop - low)))
    return pieces


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
