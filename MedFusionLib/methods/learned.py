"""Fusion by a network: what all learned methods share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.networks.attribution import RADIUS, attributed_parts
from MedFusionLib.networks.loading import on_device

BYTES_AT_ONCE = {"cpu": 20 << 20, "cuda": 1 << 30}
"""Size of the largest intermediate of a strip: larger fresh tensors cost page faults on the CPU."""


@dataclass(frozen=True)
class FittedNetwork:
    """A network that is ready for slices of one size.

    Parameters
    ----------
    network : nn.Module
        Maps sources (N, S, H, W) in 0..1 to the fused image (N, H, W). It is shared and never changed.
    reach : int or None
        Samples beyond a tile that its output depends on; None for the whole slice.
    alignment : int
        Multiple at which a tile must start (the decimation of the network).
    pairwise : bool
        Whether the network takes two sources only; further ones are then fused to the result in turn.
    channels : int
        Of its widest features; strips of rows are planned with it.
    """

    network: nn.Module
    reach: int | None
    alignment: int = 1
    pairwise: bool = False
    channels: int = 64

    @property
    def support(self) -> Local | Global:
        """The reach of the convolutions, and the window of the attribution."""
        if self.reach is None:
            return Global()
        return Local(halo=(self.reach + RADIUS,) * 2, alignment=(self.alignment,) * 2)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        network = on_device(self.network, sources.device)
        image = torch.empty_like(sources[:, 0])
        for number in range(len(sources)):
            for rows, read in self._strips(sources):
                checkpoint()
                strip = self._forward(network, sources[number : number + 1, :, read])
                start = rows.start - read.start
                image[number, rows] = strip[0, start : start + rows.stop - rows.start].float()
        if not with_parts:
            return Fused(image)
        parts = [attributed_parts(one, some) for one, some in zip(image.split(1), sources.split(1))]
        return Fused(image, torch.cat(parts))

    def _strips(self, sources: Tensor) -> Iterator[tuple[slice, slice]]:
        """Ranges of rows, and the rows that the network must see for them."""
        height, width = sources.shape[-2:]
        step = height
        if self.reach is not None:
            at_once = BYTES_AT_ONCE[sources.device.type] // (4 * self.channels * sources.shape[1] * width)
            most = max(at_once - 2 * self.reach, 2 * self.reach, self.alignment)
            even = -(-height // -(-height // most))  # as many strips as needed, all of one size
            step = -(-even // self.alignment) * self.alignment
        halo = 0 if self.reach is None else -(-self.reach // self.alignment) * self.alignment
        for start in range(0, height, step):
            stop = min(start + step, height)
            yield slice(start, stop), slice(max(start - halo, 0), min(stop + halo, height))

    def _forward(self, network, sources: Tensor) -> Tensor:
        if not self.pairwise:
            return network(sources)
        image = sources[:, 0]
        for number in range(1, sources.shape[1]):
            image = network(torch.stack((image.float(), sources[:, number]), dim=1))
        return image
