"""Three-dimensional shearlet bands, made column by column of the spectrum to spare memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.frequency import axis_frequencies, extend, hat, low_pass, seam

CHUNK_SAMPLES = 1 << 18
"""Samples of the spectrum handled at once: transforms of more than this fall out of the cache."""
HELD_SAMPLES = 40_000_000
"""Complex samples of a band held at once: 320 MB. Larger bands are made anew for every range of the first axis."""
LEAST_ROWS = 32
"""Along the first axis, held however large the rows are."""


@dataclass(frozen=True, eq=False)
class ShearletBank:
    """Three-dimensional shearlet bands of a volume, made and given out in blocks.

    Around every axis lies a pyramid of frequencies that a smooth weight cuts out; inside it the two
    slopes against that axis are cut into ``n`` steps each. The windows depend on physical
    frequencies, so that thick slices do not distort directions.

    Parameters
    ----------
    shape, lengths : (D, H, W)
        Size of the volume and of its periodic extension.
    spacing : (D, H, W)
        Sample distance in mm.
    steps : tuple of int
        Steps per slope and scale, fine to coarse: ``3 n^2`` directions each.

    Notes
    -----
    P. S. Negi, D. Labate, "3-D discrete shearlet transform and video processing", IEEE Trans. Image
    Process. 21 (2012) 2944-2954. Their pyramids have sharp borders; ours fade into each other.
    """

    shape: tuple[int, ...]
    lengths: tuple[int, ...]
    spacing: tuple[float, ...]
    steps: tuple[int, ...]

    def __len__(self) -> int:
        """Number of bands, the base included."""
        return sum(3 * n * n for n in self.steps) + 1

    def bands(self, volume: Tensor) -> Iterator[Callable[[slice, slice], Tensor]]:
        """Detail bands from fine to coarse, then the base, of a volume (S, D, H, W); they sum to it.

        Each band is a function of a range of the first and one of the second axis, which gives the
        band (S, D, H, W) there, valid until the next band is asked for. Asking for ranges of the first
        axis in rising order is quickest.
        """
        spectrum = _spectrum(volume, self.lengths)
        columns, sources = spectrum.shape[:2]
        per_row = columns * sources * self.shape[1]
        rows = min(self.shape[0], max(HELD_SAMPLES // per_row, LEAST_ROWS))
        work = spectrum.new_empty(columns, sources, rows, self.shape[1])
        for window in self._windows(volume.device):
            yield _Band(spectrum, window, work, self)

    def _windows(self, device) -> Iterator[Callable[[slice], Tensor]]:
        """Functions that give the window of a range of columns, (columns, D', H')."""
        axes = [axis.float().to(device) for axis in axis_frequencies(self.lengths, self.spacing)]
        depth, rows, columns = (axis.flatten() for axis in axes)
        grid = (columns[:, None, None], depth[None, :, None], rows[None, None, :])
        plane_ends = {0, len(columns) - 1} if self.lengths[2] % 2 == 0 else {0}
        for level, count in enumerate(self.steps, 1):
            for axis in range(3):
                for first in range(count):
                    for second in range(count):
                        yield _Window(grid, plane_ends, level, axis, (first, second), count)
        yield _Base(grid, len(self.steps))


class _Band:
    """One band of a volume, of which `work` holds a range of the first axis, still transformed along the last one."""

    def __init__(self, spectrum: Tensor, window: Callable[[slice], Tensor], work: Tensor, bank: ShearletBank) -> None:
        self.spectrum, self.window, self.work, self.bank = spectrum, window, work, bank
        self.held = slice(0, 0)

    def __call__(self, first: slice, second: slice) -> Tensor:
        """The band (S, D, H, W) in these ranges."""
        depth = self.bank.shape[0]
        first, second = (slice(*each.indices(n)[:2]) for each, n in zip((first, second), self.bank.shape))
        if first.stop - first.start > self.work.shape[2]:
            self.work = self.work.new_empty(*self.work.shape[:2], depth, self.work.shape[3])
        if not self.held.start <= first.start <= first.stop <= self.held.stop:
            start = min(first.start, depth - self.work.shape[2])
            self._hold(slice(start, start + self.work.shape[2]))
        inside = slice(first.start - self.held.start, first.stop - self.held.start)
        half = self.work[:, :, inside, second].permute(1, 2, 3, 0).contiguous()
        return torch.fft.irfft(half, n=self.bank.lengths[2], dim=-1)[..., : self.bank.shape[2]]

    def _hold(self, rows: slice) -> None:
        for start in range(0, len(self.spectrum), _columns(self.spectrum)):
            checkpoint()
            part = slice(start, start + _columns(self.spectrum))
            product = torch.fft.ifft2(self.spectrum[part] * self.window(part)[:, None])
            self.work[part] = product[:, :, rows, : self.work.shape[3]]
        self.held = rows


@dataclass(frozen=True, eq=False)
class _Window:
    """One shearlet window, evaluated column by column."""

    grid: tuple[Tensor, Tensor, Tensor]
    self_conjugate: set[int]
    level: int
    axis: int
    slopes: tuple[int, int]
    count: int

    def __call__(self, part: slice) -> Tensor:
        axes = [self.grid[0][part], *self.grid[1:]]
        window = _scale(axes, self.level) * _pyramid(axes, self.axis)
        others = [axes[other] for other in range(3) if other != self.axis]
        for other, number in zip(others, self.slopes):
            window *= _step(other / _away_from_zero(axes[self.axis]), number, self.count)
        stop = min(part.stop, len(self.grid[0]))
        for column in self.self_conjugate.intersection(range(part.start, stop)):
            plane = window[column - part.start]
            window[column - part.start] = (plane + plane.flip((0, 1)).roll((1, 1), (0, 1))) / 2
        return window


@dataclass(frozen=True, eq=False)
class _Base:
    """The low-pass window."""

    grid: tuple[Tensor, Tensor, Tensor]
    levels: int

    def __call__(self, part: slice) -> Tensor:
        return low_pass(_radius([self.grid[0][part], *self.grid[1:]]), self.levels)


def _radius(axes: Sequence[Tensor]) -> Tensor:
    return torch.sqrt(axes[0] ** 2 + axes[1] ** 2 + axes[2] ** 2)


def _scale(axes: Sequence[Tensor], level: int) -> Tensor:
    radius = _radius(axes)
    return low_pass(radius, level - 1) - low_pass(radius, level)


def _pyramid(axes: Sequence[Tensor], axis: int) -> Tensor:
    """Share of the pyramid around one axis: the fourth powers of the squared frequencies, divided by their sum."""
    powers = [(other * other * 16) ** 4 for other in axes]
    return powers[axis] / (powers[0] + powers[1] + powers[2] + torch.finfo(torch.float32).tiny)


def _step(slope: Tensor, number: int, count: int) -> Tensor:
    """Window of one of `count` steps of the slope between -1 and 1; the outer ones reach on."""
    position = ((slope.clamp(-1, 1) + 1) * (count / 2) - 0.5).clamp(0, count - 1)
    return hat(position - number)


def _away_from_zero(axis: Tensor) -> Tensor:
    return torch.where(axis == 0, torch.finfo(torch.float32).eps, axis)


def _spectrum(volume: Tensor, lengths: Sequence[int]) -> Tensor:
    """Half spectrum of a volume (S, D, H, W), laid out (W' // 2 + 1, S, D', H'), made without a second copy."""
    depth, extra = volume.shape[1], lengths[0] - volume.shape[1]
    shape = (lengths[2] // 2 + 1, len(volume), lengths[0], lengths[1])
    spectrum = torch.empty(shape, dtype=torch.complex64, device=volume.device)
    rows = max(1, CHUNK_SAMPLES // (lengths[1] * lengths[2]))
    for number, source in enumerate(volume):
        pieces = [(first, source[first : first + rows]) for first in range(0, depth, rows)]
        pieces += [(depth, seam(source, -3, extra))] if extra else []
        for first, piece in pieces:
            half = torch.fft.rfft(extend(piece, lengths[1:]), dim=-1)
            spectrum[:, number, first : first + len(piece)] = half.permute(2, 0, 1)
    for start in range(0, len(spectrum), _columns(spectrum)):
        checkpoint()
        part = slice(start, start + _columns(spectrum))
        spectrum[part] = torch.fft.fft2(spectrum[part])
    return spectrum


def _columns(spectrum: Tensor) -> int:
    """Columns of a spectrum that are handled at once."""
    return max(1, CHUNK_SAMPLES // spectrum[0].numel())
