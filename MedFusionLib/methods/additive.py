"""Fusion with bands that simply add up: each is made, fused, added and forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global
from MedFusionLib.methods.rules import Rule, add_fused

CHUNK_SAMPLES = 1 << 17
"""Samples per source of one band in work: more fall out of the cache."""


class SliceBank(Protocol):
    """Bands of slices that add up to them."""

    def bands(self, image: Tensor) -> Iterator[Tensor]:
        """Detail bands, then the base, of an image (..., H, W)."""

    def __len__(self) -> int:
        """Number of bands, the base included."""


class VolumeBank(Protocol):
    """Bands of a volume that add up to it, given out in slabs."""

    def bands(self, volume: Tensor) -> Iterator[Callable[[int, int], Tensor]]:
        """Detail bands, then the base, of a volume (S, D, H, W): functions of a range of rows."""

    def __len__(self) -> int:
        """Number of bands, the base included."""


@dataclass(frozen=True)
class SliceBankFusion:
    """A fitted method that fuses slices band by band, a few slices at once.

    Parameters
    ----------
    bank : SliceBank
        Gives the bands.
    detail_rule, base_rule : Rule
        Give the weights in each detail band and in the base.
    """

    bank: SliceBank
    detail_rule: Rule
    base_rule: Rule

    @property
    def support(self) -> Global:
        """Windows in the frequency domain see the whole slice."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        image = torch.zeros_like(sources[:, 0])
        parts = torch.zeros_like(sources) if with_parts else None
        step = max(1, CHUNK_SAMPLES // sources[0].numel())
        for start in range(0, len(sources), step):
            some = slice(start, start + step)
            for number, band in enumerate(self.bank.bands(sources[some])):
                checkpoint()
                rule = self.base_rule if number == len(self.bank) - 1 else self.detail_rule
                weights = rule(band, 2)
                add_fused(image[some], band, weights)
                if parts is not None:
                    parts[some].addcmul_(weights.expand_as(band), band)
        return Fused(image, parts)


@dataclass(frozen=True)
class VolumeBankFusion:
    """A fitted method that fuses a volume band by band, a few rows of its first axis at once.

    Parameters
    ----------
    bank : VolumeBank
        Gives the bands.
    detail_rule, base_rule : Rule
        Give the weights in each detail band and in the base.
    """

    bank: VolumeBank
    detail_rule: Rule
    base_rule: Rule

    @property
    def support(self) -> Global:
        """Windows in the frequency domain see the whole volume."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (1, S, D, H, W)."""
        image = torch.zeros_like(sources[:, 0])
        parts = torch.zeros_like(sources) if with_parts else None
        for number, rows in enumerate(self.bank.bands(sources[0])):
            rule = self.base_rule if number == len(self.bank) - 1 else self.detail_rule
            for start, stop, band, weights in _slabs(rows, rule, sources.shape[2:]):
                add_fused(image[:, start:stop], band, weights)
                if parts is not None:
                    parts[:, :, start:stop].addcmul_(weights.expand_as(band), band)
        return Fused(image, parts)


def _slabs(
    rows: Callable[[int, int], Tensor], rule: Rule, shape: tuple[int, ...]
) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Rows start to stop of a band (1, S, rows, H, W) and the weights there, slab by slab."""
    depth, per_row = shape[0], shape[1] * shape[2]
    reach = depth if rule.reach is None else rule.reach
    step = depth if rule.reach is None else max(4 * reach, CHUNK_SAMPLES // per_row, 1)
    for start in range(0, depth, step):
        checkpoint()
        stop = min(start + step, depth)
        low, high = max(start - reach, 0), min(stop + reach, depth)
        band = rows(low, high)[None]
        weights = rule(band, 3)
        if weights.shape[2] > 1:
            weights = weights[:, :, start - low : stop - low]
        yield start, stop, band[:, :, start - low : stop - low], weights
