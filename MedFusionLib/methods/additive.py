"""Fusion with bands that simply add up: each is made, fused, added and forgotten."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global
from MedFusionLib.methods.rules import Rule, add_fused

CHUNK_SAMPLES = 1 << 16
"""Samples per source of one band in work: more fall out of the cache."""


BLOCK_SAMPLES = 1 << 19
"""Samples per source of a block of one band of a volume."""

Block = Callable[[slice, slice], Tensor]
"""Gives a band (S, rows, H, W) within a range of the first two axes."""


class SliceBank(Protocol):
    """Bands of slices that add up to them."""

    def bands(self, image: Tensor) -> Iterator[Tensor]:
        """Detail bands, then the base, of an image (..., H, W)."""

    def __len__(self) -> int:
        """Number of bands, the base included."""


class VolumeBank(Protocol):
    """Bands of a volume that add up to it, given out in blocks."""

    def bands(self, volume: Tensor) -> Iterator[Block]:
        """Detail bands, then the base, of a volume (S, D, H, W)."""

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
    """A fitted method that fuses a volume band by band, a block at once.

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
        for number, block in enumerate(self.bank.bands(sources[0])):
            rule = self.base_rule if number == len(self.bank) - 1 else self.detail_rule
            for place, band, weights in _blocks(block, rule, tuple(sources.shape[2:4]), sources.shape[4]):
                add_fused(image[(slice(None), *place)], band, weights)
                if parts is not None:
                    parts[(slice(None), slice(None), *place)].addcmul_(weights.expand_as(band), band)
        return Fused(image, parts)


def _blocks(block: Block, rule: Rule, shape: tuple[int, int], width: int) -> Iterator[tuple[tuple, Tensor, Tensor]]:
    """Where a block lies along the first two axes, its part of a band (1, S, rows, H, W), and the weights there."""
    if rule.reach is None:
        steps, reach = shape, max(shape)
    else:
        reach = rule.reach
        first = max(8 * reach, 1)
        steps = (first, max(first, BLOCK_SAMPLES // (first * width)))
    for corner in itertools.product(*(range(0, length, step) for length, step in zip(shape, steps))):
        checkpoint()
        core = [(start, min(start + step, length)) for start, step, length in zip(corner, steps, shape)]
        read = [(max(a - reach, 0), min(b + reach, length)) for (a, b), length in zip(core, shape)]
        inner = [slice(a - low, b - low) for (a, b), (low, _) in zip(core, read)]
        band = block(*(slice(*span) for span in read))[None]
        weights = rule(band, 3)
        if weights.shape[2] > 1:
            weights = weights[(slice(None), slice(None), *inner)]
        yield tuple(slice(*span) for span in core), band[(slice(None), slice(None), *inner)], weights
