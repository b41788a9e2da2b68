"""Fusion by convex weights that a network predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Local, MethodInfo
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.convex import ALIGNMENT, REACH, SCALES, SPLINE, ConvexWeights, combine_bands
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.transforms.filters import symmetric_filter
from MedFusionLib.weights import card, invention_of

TRAINED = {"pairs": "convex", "free": "convex-free"}
"""Names of the weights by what they were trained on."""
SAMPLES_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 21}
"""Samples of a slice, times slices, that go through the network together."""
UNSEEN_REACH = 9
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
        volume_memory_factor=20.0,
        flagship=True,
    )

    def __post_init__(self) -> None:
        if self.trained not in TRAINED:
            raise UsageError(f"Unknown training {self.trained!r}", "one of " + ", ".join(TRAINED))

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedConvex:
        """Which planes of a volume the network is shown: those with nearly square samples."""
        ndim = sources.ndim - 2
        planes = [axis for axis in range(ndim) if _is_square(spacing, axis)] if ndim == 3 else [0]
        finest = min(spacing)
        axes = tuple(axis - ndim for axis, length in enumerate(spacing) if length <= ISOTROPIC * finest)
        return FittedConvex(load_network(TRAINED[self.trained], ConvexWeights), ndim, tuple(planes or [0]), axes)


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
        step = max(1, SAMPLES_AT_ONCE[sources.device.type] // sources[0, 0].numel()) if self.ndim == 2 else 1
        image = torch.empty_like(sources[:, 0])
        parts = torch.empty_like(sources) if with_parts else None
        for start in range(0, len(sources), step):
            checkpoint()
            some = slice(start, start + step)
            weights = self._weights(logits, sources[some])
            found = combine_bands(sources[some], weights, self.axes)
            image[some] = found.image
            if parts is not None:
                parts[some] = found.parts
        return Fused(image, parts)

    def _weights(self, logits: Callable[[Tensor], Tensor], sources: Tensor) -> Tensor:
        """(N, S, SCALES, *spatial)."""
        if self.ndim == 2:
            return torch.softmax(logits(sources), dim=1)
        total = 0.0
        for axis in self.planes:
            total = total + self._logits_across(logits, sources[0], axis)
        return torch.softmax(total / len(self.planes), dim=0)[None]

    def _logits_across(self, logits: Callable[[Tensor], Tensor], volume: Tensor, axis: int) -> Tensor:
        """Logits (S, SCALES, D, H, W) of planes across an axis of a volume (S, D, H, W), a few planes at once."""
        planes = volume.movedim(axis + 1, 0)
        found = planes.new_empty(planes.shape[0], planes.shape[1], SCALES, *planes.shape[2:])
        step = max(1, SAMPLES_AT_ONCE[volume.device.type] // planes[0, 0].numel())
        for start in range(0, len(planes), step):
            checkpoint()
            found[start : start + step] = logits(planes[start : start + step])
        found = found.permute(1, 2, 0, 3, 4).movedim(2, 2 + axis)
        return symmetric_filter(found, SPLINE, [axis - 3]) if len(self.planes) == 1 else found


def _is_square(spacing: tuple[float, ...], across: int) -> bool:
    within = [length for axis, length in enumerate(spacing) if axis != across]
    return max(within) <= ISOTROPIC * min(within)
