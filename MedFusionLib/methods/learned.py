"""Fusion by a network: what all learned methods share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.networks.attribution import RADIUS, attributed_parts
from MedFusionLib.networks.loading import on_device

SAMPLES_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 21}
"""Samples of a slice, times slices, that go through a network together: see the chunks of the engine."""


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
    """

    network: nn.Module
    reach: int | None
    alignment: int = 1
    pairwise: bool = False

    @property
    def support(self) -> Local | Global:
        """The reach of the convolutions, and the window of the attribution."""
        if self.reach is None:
            return Global()
        return Local(halo=(self.reach + RADIUS,) * 2, alignment=(self.alignment,) * 2)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        network = on_device(self.network, sources.device)
        step = max(1, SAMPLES_AT_ONCE[sources.device.type] // sources[0, 0].numel())
        image = torch.empty_like(sources[:, 0])
        parts = torch.empty_like(sources) if with_parts else None
        for start in range(0, len(sources), step):
            checkpoint()
            some = slice(start, start + step)
            image[some] = self._forward(network, sources[some]).float()
            if parts is not None:
                parts[some] = attributed_parts(image[some], sources[some])
        return Fused(image, parts)

    def _forward(self, network, sources: Tensor) -> Tensor:
        if not self.pairwise:
            return network(sources)
        image = sources[:, 0]
        for number in range(1, sources.shape[1]):
            image = network(torch.stack((image.float(), sources[:, number]), dim=1))
        return image
