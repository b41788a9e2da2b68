"""Pieces of an image that are worked on one after the other, with the neighbours that they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.filters import envelope

Block = tuple[slice, slice]
"""Where along the first two spatial axes."""


def slabs(images: Tensor, samples: int) -> list[slice]:
    """Rows of the first spatial axis of (N, C, *spatial), in order; each piece holds about `samples` samples."""
    rows = images.shape[2]
    return _pieces(rows, max(1, samples // max(1, images[:, :, 0].numel())))


def blocks(images: Tensor, samples: int, steps: Sequence[int] = (1, 1)) -> list[Block]:
    """Blocks of the first two spatial axes of (N, C, *spatial), in order; each holds about `samples` samples or fewer.

    Parameters
    ----------
    images : (N, C, *spatial) Tensor
        What is cut; only its shape counts.
    samples : int
        Of a block, with N, C and the other axes.
    steps : sequence of int
        Blocks start at multiples of these.
    """
    lengths, unit = images.shape[2:4], max(1, images[:, :, 0, 0].numel())
    counts = [-(-length // step) for length, step in zip(lengths, steps)]
    while counts[0] * steps[0] * counts[1] * steps[1] * unit > samples and max(counts) > 1:
        longer = 1 if counts[0] == 1 or (counts[1] > 1 and counts[1] * steps[1] > counts[0] * steps[0]) else 0
        counts[longer] = (counts[longer] + 1) // 2
    rows, columns = (_pieces(length, count * step) for length, count, step in zip(lengths, counts, steps))
    return [(row, column) for row in rows for column in columns]


def widened(part: slice, reach: int, length: int) -> tuple[slice, slice]:
    """A part of an axis with `reach` neighbours on both sides where there are any, and where the part lies in it."""
    start = max(part.start - reach, 0)
    return slice(start, min(part.stop + reach, length)), slice(part.start - start, part.stop - start)


def envelope_of_rows(sources: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """`envelope` (N, rows, ...) of some rows of the first spatial axis of sources (N, S, *spatial)."""
    wide, inner = widened(rows, 1, sources.shape[2])
    low, high = envelope(sources[:, :, wide])
    return low[:, inner], high[:, inner]


def gathered(
    work: Callable[[Block], Tensor], every: Sequence[Block], axis: int, steps: Sequence[int] = (1, 1)
) -> Tensor:
    """Results of all blocks in one tensor.

    Parameters
    ----------
    work : callable
        Gives the result of a block.
    every : sequence of Block
        As of `blocks`; the first starts at the first sample.
    axis : int
        First spatial axis of the results.
    steps : sequence of int
        Samples of the image per sample of the result.
    """
    if len(every) == 1:
        return work(every[0])
    found = None
    for block in every:
        checkpoint()
        values = work(block)
        if found is None:
            shape = list(values.shape)
            shape[axis : axis + 2] = [-(-part.stop // step) for part, step in zip(every[-1], steps)]
            found = values.new_empty(shape)
        place = [slice(part.start // step, -(-part.stop // step)) for part, step in zip(block, steps)]
        found[(slice(None),) * axis + tuple(place)] = values
    return found


def _pieces(length: int, at_once: int) -> list[slice]:
    return [slice(start, min(start + at_once, length)) for start in range(0, length, at_once)]
