"""Work through a volume slab by slab: little memory, and a place to stop between two slabs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.interrupt import checkpoint

if TYPE_CHECKING:
    from torch import Tensor

SLAB_VOXELS = 1 << 20


@dataclass(frozen=True)
class Slab:
    """A range of slices along K.

    Parameters
    ----------
    read : slice
        What must be looked at: the core and its neighbours, cut at the borders of the volume.
    core : slice
        What this slab delivers.
    inner : slice
        The core's place within what was read.
    """

    read: slice
    core: slice
    inner: slice


def slabs(shape: tuple[int, int, int], halo: int) -> Iterator[Slab]:
    """Slabs of about a million voxels that cover (K, J, I), each with `halo` slices on both sides.

    Raises
    ------
    Cancelled
        Between two slabs, when the work was cancelled.
    """
    depth = shape[0]
    rows = max(1, SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for start in range(0, depth, rows):
        checkpoint()
        stop = min(start + rows, depth)
        low, high = max(start - halo, 0), min(stop + halo, depth)
        yield Slab(slice(low, high), slice(start, stop), slice(start - low, stop - low))


def box_mean(values: Tensor, radii: tuple[int, int, int]) -> Tensor:
    """Mean over the neighbours within a box (2 r + 1 voxels along K, J, I) that exist; (..., K, J, I)."""
    import torch

    for axis, radius in zip((-3, -2, -1), radii):
        length = values.shape[axis]
        radius = min(radius, length - 1)
        if radius < 1:
            continue
        total = values.clone()
        for step in range(1, radius + 1):
            total.narrow(axis, step, length - step).add_(values.narrow(axis, 0, length - step))
            total.narrow(axis, 0, length - step).add_(values.narrow(axis, step, length - step))
        place = torch.arange(length, device=values.device)
        count = 1 + place.clamp(max=radius) + (length - 1 - place).clamp(max=radius)
        values = total / count.to(values.dtype).reshape((-1,) + (1,) * (-1 - axis))
    return values


def box_max(values: Tensor, radii: tuple[int, int, int]) -> Tensor:
    """Largest value within a box of at most one voxel to each side; (..., K, J, I)."""
    import torch

    for axis, radius in zip((-3, -2, -1), radii):
        length = values.shape[axis]
        if radius < 1 or length < 2:
            continue
        out = values.clone()
        upper, lower = out.narrow(axis, 1, length - 1), out.narrow(axis, 0, length - 1)
        torch.maximum(upper, values.narrow(axis, 0, length - 1), out=upper)
        torch.maximum(lower, values.narrow(axis, 1, length - 1), out=lower)
        values = out
    return values


def as_tensor(values: np.ndarray) -> Tensor:
    """The same memory as a float32 tensor; a copy only where NumPy forbids sharing."""
    import torch

    values = np.asarray(values, dtype=np.float32)
    if not values.flags.writeable or any(stride < 0 for stride in values.strides):
        values = values.copy()
    return torch.from_numpy(values)


def radii_within(slice_axis: int | None, radius: int = 1) -> tuple[int, int, int]:
    """A radius along each axis; 0 across the slices in slice-wise fusion."""
    return tuple(0 if axis == slice_axis else radius for axis in range(3))
