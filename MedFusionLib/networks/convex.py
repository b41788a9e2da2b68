"""Convex weights: a network that says how much of each source to take, per sample and per scale, and nothing else.

Design
------
Every source is read by the same encoder, beside the mean and the maximum of all sources; at a half and a
quarter of the resolution its features meet the mean and the maximum over those of all sources. So any number
of sources in any order is welcome. The decoder gives a logit per source, sample and scale; a softmax over the
sources turns them into weights. The sources are split into undecimated B-spline bands (which add up to them), the
weighted bands are added, and the sum is held between the smallest and the largest value that any
source has within one sample: a value outside that envelope cannot come out. What a source gives is
known exactly: the contribution map is not an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.networks.blocks import envelope_of_rows, slabs, widened
from MedFusionLib.transforms.filters import symmetric_filter

SPLINE = (6 / 16, 4 / 16, 1 / 16)
"""Centre and right half."""
SCALES = 3
"""Two bands of detail, and the base."""
BAND_REACH = 7
"""Samples around one that its bands and the envelope depend on."""
SAMPLES_COMBINED = 1 << 22
"""Samples of all sources that are combined together in volumes."""
WIDTHS = (12, 24, 40)
ALIGNMENT = 4
REACH = 64
"""Samples beyond a tile that the weights depend on, rounded up."""


class Meeting(nn.Module):
    """Features of a source joined with the mean and the maximum over all sources."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(3 * width, width, 1)

    def forward(self, features: Tensor, sources: int) -> Tensor:
        """(N * S, C, H, W) to the same shape."""
        apart = [features[number::sources] for number in range(sources)]
        mean, strongest = apart[0], apart[0]
        for other in apart[1:]:
            mean, strongest = mean + other, torch.maximum(strongest, other)
        together = torch.cat((mean / sources, strongest), dim=1)
        width = features.shape[1]
        own = F.conv2d(features, self.join.weight[:, :width], self.join.bias)
        shared = F.conv2d(together, self.join.weight[:, width:])
        own.unflatten(0, (-1, sources)).add_(shared[:, None])
        return features + own.relu_()


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return self.second(self.first(features).relu_()).add_(features).relu_()


class ConvexWeights(nn.Module):
    """Weights of the sources, per sample and scale.

    Parameters
    ----------
    widths : tuple of int
        Channels at full, half and a quarter of the resolution.
    beside : bool
        Whether the first layer sees a source beside the mean and the maximum of all, and not alone.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, *, beside: bool = True) -> None:
        super().__init__()
        full, half, quarter = widths
        self.beside = beside
        self.stem = nn.Conv2d(3 if beside else 1, full, 3, padding=1)
        self.down = nn.Conv2d(full, half, 3, stride=2, padding=1)
        self.middle = nn.Sequential(Residual(half))
        self.middle_meeting = Meeting(half)
        self.down_again = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.deep = nn.Sequential(Residual(quarter), Residual(quarter, dilation=2))
        self.deep_meeting = Meeting(quarter)
        self.deepest = nn.Sequential(Residual(quarter, dilation=2))
        self.up_to_half = nn.Conv2d(quarter, half, 1)
        self.middle_again = Meeting(half)
        self.up_to_full = nn.Conv2d(half, full, 1)
        self.fine = nn.Conv2d(full, full, 3, padding=1)
        self.last = nn.Conv2d(full, SCALES, 3, padding=1)
        nn.init.zeros_(self.last.bias)

    def forward(self, sources: Tensor) -> Tensor:
        """Logits (N, S, SCALES, H, W) of sources (N, S, H, W)."""
        height, width = sources.shape[-2:]
        sources = F.pad(sources, (0, -width % ALIGNMENT, 0, -height % ALIGNMENT), mode="replicate")
        count = sources.shape[1]
        shown = _beside_all(sources) if self.beside else sources[:, :, None]
        fine = self.stem(shown.flatten(0, 1)).relu_()
        half = self.middle_meeting(self.middle(self.down(fine).relu_()), count)
        deep = self.deep_meeting(self.deep(self.down_again(half).relu_()), count)
        deep = self.deepest(deep)
        half = self.middle_again(_doubled(self.up_to_half(deep)).add_(half).relu_(), count)
        fine = _doubled(self.up_to_full(half)).add_(fine).relu_()
        fine = self.fine(fine).relu_()
        with torch.autocast(fine.device.type, enabled=False):
            found = self.last(fine.float())
        return found.unflatten(0, (-1, count))[..., :height, :width]


def fuse_convex(network: nn.Module, sources: Tensor) -> Combination:
    """Fuse sources (N, S, H, W)."""
    return combine_bands(sources, torch.softmax(network(sources), dim=1))


@dataclass(frozen=True, eq=False)
class Combination:
    """A fused image (N, *spatial), and what every source gave (N, S, *spatial) or None."""

    image: Tensor
    parts: Tensor | None


def combine_bands(
    sources: Tensor, weights: Tensor, axes: Sequence[int] | None = None, rows: slice | None = None
) -> Combination:
    """Bands of the sources (N, S, *spatial), weighted, added and held within the envelope of the sources.

    Parameters
    ----------
    sources : (N, S, *spatial) Tensor
        In slices or a volume.
    weights : (N, S, SCALES, *spatial) Tensor
        At least 0, adding up to 1 over the sources.
    axes : sequence of int or None
        Negative numbers of the axes that are split into bands; None takes all spatial ones.
    rows : slice or None
        Of the first spatial axis: those that are wanted and weighted, the other ones are only seen by the bands; None
        takes all.
    """
    axes = range(2 - sources.ndim, 0) if axes is None else axes
    rows = slice(0, sources.shape[2]) if rows is None else rows
    parts, smooth = torch.zeros_like(sources[:, :, rows]), sources
    for scale in range(SCALES - 1):
        holes = [0.0] * (2**scale - 1)
        coarser = symmetric_filter(smooth, [SPLINE[0], *holes, SPLINE[1], *holes, SPLINE[2]], axes)
        parts = parts + weights[:, :, scale] * (smooth - coarser)[:, :, rows]
        smooth = coarser
    base_weights = weights[:, :, SCALES - 1]
    parts = parts + base_weights * smooth[:, :, rows]
    image = parts.sum(dim=1)
    low, high = envelope_of_rows(sources, rows)
    held = torch.minimum(torch.maximum(image, low), high)  # clamp has other slopes at ties: other weights when trained
    return Combination(held, parts + base_weights * (held - image)[:, None])


def combine_in_slabs(
    sources: Tensor, weigh: Callable[[slice], Tensor], axes: Sequence[int], *, with_parts: bool
) -> Combination:
    """`combine_bands` of a volume (N, S, D, H, W), some rows after the others: the weights are never held whole.

    Parameters
    ----------
    sources : (N, S, D, H, W) Tensor
        As of `combine_bands`.
    weigh : callable
        Gives the weights (N, S, SCALES, rows, H, W) of some rows.
    axes : sequence of int
        As of `combine_bands`.
    with_parts : bool
        Whether what every source gave is wanted.
    """
    image = torch.empty_like(sources[:, 0])
    parts = torch.empty_like(sources) if with_parts else None
    for rows in slabs(sources, SAMPLES_COMBINED):
        checkpoint()
        wide, inner = widened(rows, BAND_REACH, sources.shape[2])
        found = combine_bands(sources[:, :, wide], weigh(rows), axes, inner)
        image[:, rows] = found.image
        if parts is not None:
            parts[:, :, rows] = found.parts
    return Combination(image, parts)


def _beside_all(sources: Tensor) -> Tensor:
    """Every source, the mean and the maximum of all: (N, S, 3, H, W) of (N, S, H, W)."""
    mean, largest = sources.mean(dim=1, keepdim=True), sources.amax(dim=1, keepdim=True)
    return torch.stack((sources, mean.expand_as(sources), largest.expand_as(sources)), dim=2)


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
