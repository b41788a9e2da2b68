"""Fusion by convex weights from a small transformer, in slices and in true volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Local, MethodInfo
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.convex import combine_bands, combine_in_slabs
from MedFusionLib.networks.convex_attention import ALIGNMENT, REACH, ConvexAttention
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.weights import card, invention_of

SAMPLES_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 21}
"""Samples of a slice, times slices, that go through the network together."""
UNSEEN_REACH = 1
"""Reach of the envelope along an axis on which windows are one sample wide."""
ISOTROPIC = 1.5
"""Windows extend along axes whose samples are at most so many times as long as the shortest."""


@dataclass(frozen=True)
class ConvexAttentionFusion:
    """Weights per sample and scale, from attention over the sources; the values stay those of the sources."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="convex-attention",
        title="Convex attention",
        family="convex networks",
        citation="MedFusion, own design; linear attention: A. Katharopoulos et al., ICML 2020",
        sentence="A small transformer only decides how much of each source to take: nothing can appear that no source "
        "shows; windows are three-dimensional in volumes." + below_average("convex-attention"),
        reproduces="Own design, see networks/convex_attention.py; trained on slices, used on volumes as it is.",
        weights=card("convex-attention")["sha256"],
        invention=invention_of("convex-attention"),
        memory_factor=120.0,
        volume_memory_factor=3.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedAttention:
        """Along which axes windows extend: not those with much longer samples."""
        ndim = sources.ndim - 2
        axes = tuple(axis - ndim for axis, length in enumerate(spacing) if length <= ISOTROPIC * min(spacing))
        return FittedAttention(load_network("convex-attention", ConvexAttention), ndim, axes)


@dataclass(frozen=True)
class FittedAttention:
    """Convex attention for slices or a volume.

    Parameters
    ----------
    network : nn.Module
        Gives the logits.
    ndim : int
        2 for slices, 3 for a volume.
    axes : tuple of int
        Negative numbers of the axes along which windows extend and bands are split.
    """

    network: nn.Module
    ndim: int
    axes: tuple[int, ...]

    @property
    def support(self) -> Local:
        """The reach of the windows."""
        seen = [axis in self.axes for axis in range(-self.ndim, 0)]
        return Local(
            tuple(REACH if each else UNSEEN_REACH for each in seen), tuple(ALIGNMENT if each else 1 for each in seen)
        )

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W) or (1, S, D, H, W)."""
        network = on_device(self.network, sources.device)
        if self.ndim == 3:
            reading = network.read(sources, self.axes)

            def weigh(rows: slice) -> Tensor:
                return torch.softmax(network.logits(reading, rows), dim=1)

            found = combine_in_slabs(sources, weigh, self.axes, with_parts=with_parts)
            return Fused(found.image, found.parts)
        step = max(1, SAMPLES_AT_ONCE[sources.device.type] // sources[0, 0].numel())
        images, parts = [], []
        for some in sources.split(step):
            checkpoint()
            found = combine_bands(some, torch.softmax(network(some, self.axes), dim=1), self.axes)
            images.append(found.image)
            parts.append(found.parts if with_parts else None)
        return Fused(torch.cat(images), torch.cat(parts) if with_parts else None)
