"""Overlapping patches of slices, and slices put together from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.errors import UsageError


@dataclass(frozen=True)
class PatchGrid:
    """Where patches lie on a slice: every `stride` samples, and flush with the far borders.

    Parameters
    ----------
    shape : (H, W)
        Size of the slice, at least one patch.
    size : int
        Side of a patch.
    stride : int
        Distance between patches, at most their side, so that they cover the slice.

    Raises
    ------
    UsageError
        For another stride, or a slice smaller than a patch.
    """

    shape: tuple[int, int]
    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise UsageError(f"A stride of {self.stride}", f"1 to {self.size}, the side of a patch")
        if min(self.shape) < self.size:
            raise UsageError(f"A slice of {self.shape}", f"at least {self.size} x {self.size}")

    @property
    def count(self) -> int:
        """Number of patches."""
        return len(self._starts(0)) * len(self._starts(1))

    def take(self, image: Tensor) -> Tensor:
        """Patches (..., P, size^2) of an image (..., H, W), row by row."""
        rows, columns = self._index(0, image.device), self._index(1, image.device)
        patches = image[..., rows[:, None, :, None], columns[None, :, None, :]]
        return patches.reshape(*image.shape[:-2], self.count, self.size * self.size)

    def put(self, patches: Tensor) -> Tensor:
        """Mean of the overlapping patches (..., P, size^2) at every sample, (..., H, W)."""
        lead = patches.shape[:-2]
        rows, columns = self._index(0, patches.device), self._index(1, patches.device)
        across = len(columns), self.size
        stack = patches.reshape(*lead, len(rows), across[0], self.size, self.size)
        wide = self._gather(stack.movedim(-3, -2), columns, self.shape[1])  # (..., rows, size, W)
        full = self._gather(wide.movedim(-1, -3), rows, self.shape[0])  # (..., W, H)
        return full.movedim(-1, -2)

    def _gather(self, stack: Tensor, index: Tensor, length: int) -> Tensor:
        """Overlap-add of (..., n, size) at (n, size) positions, divided by how many meet there: (..., length)."""
        out = stack.new_zeros(*stack.shape[:-2], length)
        for offset in range(self.size):
            out.index_add_(-1, index[:, offset], stack[..., offset])
        met = stack.new_zeros(length).index_add_(0, index.flatten(), stack.new_ones(index.numel()))
        return out / met

    def _starts(self, axis: int) -> list[int]:
        last = self.shape[axis] - self.size
        starts = list(range(0, last + 1, self.stride))
        return starts if starts[-1] == last else [*starts, last]

    def _index(self, axis: int, device) -> Tensor:
        starts = torch.tensor(self._starts(axis), device=device)
        return starts[:, None] + torch.arange(self.size, device=device)
