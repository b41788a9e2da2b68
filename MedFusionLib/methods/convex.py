"""Fusion by convex weights that a network predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Local, MethodInfo
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.blocks import widened
from MedFusionLib.networks.convex import (
    ALIGNMENT,
    BAND_REACH,
    REACH,
    SCALES,
    SPLINE,
    Combination,
    ConvexWeights,
    combine_bands,
    combine_in_slabs,
)
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.transforms.filters import symmetric_filter
from MedFusionLib.weights import card, invention_of

TRAINED = {"pairs": ("convex", ConvexWeights), "free": ("convex-free", partial(ConvexWeights, beside=False))}
"""Names of the weights by what they were trained on, and what makes the network without them."""
SAMPLES_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 21}
"""Samples of a slice, times slices, that go through the network together."""
SMOOTHED = len(SPLINE) - 1
"""Neighbours that weights are smoothed over, across the only planes that the network sees."""
UNSEEN_REACH = BAND_REACH + SMOOTHED
"""Reach of bands, envelope and smoothing along an axis that the network does not see."""
ISOTROPIC = 1.5
"""Largest ratio of spacings of a plane that the network, which knows square samples, is shown."""


@dataclass(frozen=True)
class ConvexFusion:
    """Weights per sample and scale, from a network; the values stay those of the sources.

    Parameters
    ----------
    trained : {"pairs", "free"}
        Weights trained on registered pictures of patients, or on data with free licences only.
    """

    trained: str = "pairs"

    info: ClassVar[MethodInfo] = MethodInfo(
        name="convex",
        title="Convex weights",
        family="convex networks",
        citation="MedFusion, own design; weight maps by networks: Y. Liu et al., Int. Conf. Inf. Fusion 2017",
        sentence="A network only decides how much of each source to take: nothing can appear that no source shows."
        + below_average("convex"),
        reproduces="Own design, see networks/convex.py; volumes: weights of up to three orientations averaged.",
        weights=card("convex")["sha256"],
        invention=invention_of("convex"),
        memory_factor=60.0,
        volume_memory_factor=3.0,
        flagship=True,
    )

    def __post_init__(self) -> None:
        if self.trained not in TRAINED:
            raise UsageError(f"Unknown training {self.trained!r}", "one of " + ", ".join(TRAINED))

    @property
    def weights(self) -> str:
        """SHA-256 of the chosen ones."""
        return card(TRAINED[self.trained][0])["sha256"]

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedConvex:
        """Which planes of a volume the network is shown: those with nearly square samples."""
        ndim = sources.ndim - 2
        planes = [axis for axis in range(ndim) if _is_square(spacing, axis)] if ndim == 3 else [0]
        finest = min(spacing)
        axes = tuple(axis - ndim for axis, length in enumerate(spacing) if length <= ISOTROPIC * finest)
        return FittedConvex(load_network(*TRAINED[self.trained]), ndim, tuple(planes or [0]), axes)


@dataclass(frozen=True)
class FittedConvex:
    """Convex weights for slices or a volume.

    Parameters
    ----------
    network : nn.Module
        Gives the logits.
    ndim : int
        2 for slices, 3 for a volume.
    planes : tuple of int
        In volumes: the axes across the planes that the network is shown.
    axes : tuple of int
        Negative numbers of the axes that are split into bands: not those with much longer samples.
    """

    network: nn.Module
    ndim: int
    planes: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def support(self) -> Local:
        """The reach of the network along the axes that it sees."""
        seen = [self.ndim == 2 or any(axis != across for across in self.planes) for axis in range(self.ndim)]
        halo = tuple(REACH if each else UNSEEN_REACH for each in seen)
        return Local(halo, tuple(ALIGNMENT if each else 1 for each in seen))

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W) or (1, S, D, H, W)."""
        logits = on_device(self.network, sources.device)
        found = (self._slices if self.ndim == 2 else self._volume)(logits, sources, with_parts)
        return Fused(found.image, found.parts)

    def _slices(self, logits: Callable[[Tensor], Tensor], sources: Tensor, with_parts: bool) -> Combination:
        step = max(1, SAMPLES_AT_ONCE[sources.device.type] // sources[0, 0].numel())
        image = torch.empty_like(sources[:, 0])
        parts = torch.empty_like(sources) if with_parts else None
        for start in range(0, len(sources), step):
            checkpoint()
            some = slice(start, start + step)
            found = combine_bands(sources[some], torch.softmax(logits(sources[some]), dim=1), self.axes)
            image[some] = found.image
            if parts is not None:
                parts[some] = found.parts
        return Combination(image, parts)

    def _volume(self, logits: Callable[[Tensor], Tensor], sources: Tensor, with_parts: bool) -> Combination:
        volume = sources[0]
        apart = volume.new_zeros(len(volume) - 1, SCALES, *volume.shape[1:])
        for axis in self.planes:
            self._add_planes_across(logits, volume, axis, apart)

        def weigh(rows: slice) -> Tensor:
            return torch.softmax(self._logits_of(apart, rows), dim=0)[None]

        return combine_in_slabs(sources, weigh, self.axes, with_parts=with_parts)

    def _add_planes_across(self, logits: Callable[[Tensor], Tensor], volume: Tensor, axis: int, apart: Tensor) -> None:
        """Add what a volume (S, D, H, W) shows in the planes across an axis, a few planes at once.

        `apart` (S - 1, SCALES, D, H, W) is by how much the logits of each source are larger than those of the last one:
        weights depend on nothing else.
        """
        planes, found = volume.movedim(axis + 1, 0), apart.movedim(axis + 2, 0)
        step = max(1, SAMPLES_AT_ONCE[volume.device.type] // planes[0, 0].numel())
        for start in range(0, len(planes), step):
            checkpoint()
            some = slice(start, start + step)
            own = logits(planes[some])
            found[some] += own[:, :-1] - own[:, -1:]

    def _logits_of(self, apart: Tensor, rows: slice) -> Tensor:
        """Logits (S, SCALES, rows, H, W) of some rows: their mean over the planes, smoothed across the only ones."""
        wide, inner = widened(rows, SMOOTHED, apart.shape[2])
        found = apart[:, :, wide] / len(self.planes)
        if len(self.planes) == 1:
            found = symmetric_filter(found, SPLINE, [self.planes[0] - 3])
        found = found[:, :, inner]
        return torch.cat((found, torch.zeros_like(found[:1])))


def _is_square(spacing: tuple[float, ...], across: int) -> bool:
    within = [length for axis, length in enumerate(spacing) if axis != across]
    return max(within) <= ISOTROPIC * min(within)
