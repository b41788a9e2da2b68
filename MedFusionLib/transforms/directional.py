"""Directional sub-bands as a partition of unity in the frequency domain: the synthesis is their sum.

Non-subsampled contourlets, shearlets and curvelets share one form here: smooth radial windows cut
the spectrum into scales, smooth angular windows cut every scale into directions, and all windows
together sum to one at every frequency. Analysis multiplies the spectrum and transforms back; every
band has the size of the image, so the transform does not change under shifts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.frequency import (
    axis_frequencies,
    extend,
    extended_lengths,
    from_columns,
    hat,
    low_pass,
    symmetrise,
    to_columns,
)

SEAM = 16


@dataclass(frozen=True)
class Tiling:
    """How a plane of frequencies is cut.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    angles : {"angle", "slope"}
        Directions spaced evenly in angle (contourlets), or in slope, as shears do it (shearlets, curvelets).
    corona : {"round", "square"}
        Shape of the scales: circles around the origin, or squares with rounded corners.
    """

    directions: tuple[int, ...]
    angles: str = "angle"
    corona: str = "round"


@dataclass(frozen=True, eq=False)
class DirectionalBank:
    """Directional bands of slices.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the image.
    lengths : tuple of int
        (H, W) of the periodic transform, see `frequency.extended_lengths`.
    windows : (B, H', W' // 2 + 1) float32 Tensor
        One window per band, fine to coarse, the base last; they sum to 1. Fastest with columns
        contiguous in memory, as the functions below make them.
    """

    shape: tuple[int, ...]
    lengths: tuple[int, ...]
    windows: Tensor

    def __len__(self) -> int:
        """Number of bands, the base included."""
        return len(self.windows)

    def bands(self, image: Tensor) -> Iterator[Tensor]:
        """Detail bands from fine to coarse, then the base, of an image (..., H, W); they sum to it."""
        planes = extend(image, self.lengths)
        spectrum = to_columns(planes.reshape(-1, *self.lengths))
        product = torch.empty_like(spectrum)
        for window in self.windows.to(image.device):
            checkpoint()
            torch.mul(spectrum, window.mT, out=product)
            band = from_columns(product, self.lengths[1]).reshape(planes.shape)
            yield band[..., : self.shape[0], : self.shape[1]]


def directional_bank(
    shape: Sequence[int], lengths: Sequence[int], spacing: Sequence[float], tiling: Tiling
) -> DirectionalBank:
    """Directional bands for slices of one size.

    Parameters
    ----------
    shape, lengths : (H, W)
        Size of the image and of its periodic extension.
    spacing : (H, W)
        Sample distance in mm.
    tiling : Tiling
        Scales and directions.
    """
    rows, columns = axis_frequencies(lengths, spacing)
    power = 2 if tiling.corona == "round" else 4
    radius = (rows**power + columns**power) ** (1 / power)
    position = _direction(rows, columns, tiling.angles)
    windows, passed = [], low_pass(radius, 0)
    for level, count in enumerate(tiling.directions, 1):
        coarser = low_pass(radius, level)
        windows += [(passed - coarser) * part for part in _wedges(position, count)]
        passed = coarser
    stack = torch.stack([symmetrise(window, lengths[-1]) for window in (*windows, passed)])
    return DirectionalBank(tuple(shape), tuple(lengths), (stack / stack.sum(0)).float().mT.contiguous().mT)


def bank_for(sources: Tensor, spacing: Sequence[float], tiling: Tiling) -> DirectionalBank:
    """Directional bands for all slices (N, S, H, W) of an input, extended where their borders do not meet."""
    return directional_bank(sources.shape[2:], extended_lengths(sources, 2, SEAM), spacing, tiling)


def wedge_bank(lengths: Sequence[int], shape: Sequence[int], count: int) -> DirectionalBank:
    """Only directions, evenly spaced in angle, no scales: bands that sum to the image.

    Parameters
    ----------
    lengths, shape : (H, W)
        Size of the periodic extension and of the image.
    count : int
        Number of directions.
    """
    rows, columns = axis_frequencies(lengths, (1.0, 1.0))
    wedges = [symmetrise(wedge, lengths[-1]) for wedge in _wedges(_direction(rows, columns, "angle"), count)]
    stack = torch.stack(wedges)
    return DirectionalBank(tuple(shape), tuple(lengths), (stack / stack.sum(0)).float().mT.contiguous().mT)


def _direction(rows: Tensor, columns: Tensor, angles: str) -> Tensor:
    """Direction of every frequency as a number in 0..1 that wraps around."""
    if angles == "angle":
        return torch.remainder(torch.atan2(rows, columns) / math.pi, 1.0)
    flat = columns.abs() >= rows.abs()
    slope = torch.where(flat, rows / columns, 2 - columns / rows)
    return torch.remainder(torch.nan_to_num(slope, nan=0.0) / 4, 1.0)


def _wedges(position: Tensor, count: int) -> Iterator[Tensor]:
    """Windows around `count` evenly spaced directions; they sum to 1."""
    for number in range(count):
        away = torch.remainder(position * count - number + count / 2, count) - count / 2
        yield hat(away) if count > 1 else torch.ones_like(position)
