"""Convex attention: a small transformer that says how much of each source to take, in slices and in true volumes.

Design
------
A sample of one source asks, all samples of all sources within a window answer: linear attention,
whose keys and values are summed over the sources and averaged over a moving window. The window moves
with the sample (no partition, so no seams), the cost does not grow with the square of its size, and
nothing in the network knows how many axes there are: every layer is a map of channels, a mean over a
window along each axis, or a mean and maximum over the sources. What was trained on slices therefore
also reads volumes, with windows in three dimensions; along axes with much longer samples the windows
are one sample wide. The answers become logits per source, sample and scale; `combine_bands` turns
them into a fused image that cannot leave the envelope of the sources.

Linear attention: A. Katharopoulos et al., ICML 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.blocks import Block, blocks, gathered, widened
from MedFusionLib.networks.convex import SCALES, SPLINE
from MedFusionLib.transforms.filters import box_mean, shifted, symmetric_filter

WIDTH, HEADS, HEAD_WIDTH = 32, 8, 4
RADII = (1, 2, 4)
"""Reach of the windows of the layers, at a quarter of the resolution."""
FEATURES = 8
ALIGNMENT = 4
REACH = 56
"""Samples beyond a tile that the weights depend on, rounded up."""
SEEN = 8
"""Samples around one that its features depend on."""
SAMPLES_AT_ONCE = 1 << 19
"""Samples of all sources whose features are held together, once the network is no longer trained."""
VALUES_AT_ONCE = 1 << 22
"""Values of features that a layer changes together then."""
DETAIL_GAIN, EDGE_GAIN = 8.0, 4.0
TINY = 1e-6


class ChannelMap(nn.Linear):
    """A linear map of the channels of (B, C, *spatial), whatever the number of axes."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, *spatial) to (B, C', *spatial)."""
        found = torch.matmul(self.weight, features.flatten(2))
        return (found + self.bias[:, None]).unflatten(2, features.shape[2:])


class WindowAttention(nn.Module):
    """Samples of every source ask those of all sources within a moving window."""

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.ask = ChannelMap(WIDTH, 3 * HEADS * HEAD_WIDTH)
        self.give = ChannelMap(HEADS * HEAD_WIDTH, WIDTH)

    def forward(self, features: Tensor, sources: int, axes: Sequence[int]) -> Tensor:
        """(N * S, C, *spatial) to the same shape."""
        spatial = features.shape[2:]
        asked = self.ask(features).flatten(2).unflatten(1, (3, HEADS, HEAD_WIDTH)).unflatten(0, (-1, sources))
        query, key, value = asked.unbind(2)
        query, key = F.elu(query) + 1, F.elu(key) + 1
        heads = zip(*(each.split(HEADS if torch.is_grad_enabled() else 1, dim=2) for each in (query, key, value)))
        answer = torch.cat([self._answer(*some, spatial, axes) for some in heads], dim=2)
        return self.give(answer.flatten(2, 3).flatten(0, 1).unflatten(2, spatial))

    def _answer(self, query: Tensor, key: Tensor, value: Tensor, spatial: Sequence[int], axes: Sequence[int]) -> Tensor:
        """Answers of some heads; all are (N, S, heads, HEAD_WIDTH, samples)."""
        heads = query.shape[2]
        told = sum(k[:, :, :, None] * v[:, :, None] for k, v in zip(key.unbind(1), value.unbind(1)))
        total = sum(key.unbind(1))
        memory = torch.cat((told.flatten(1, 3), total.flatten(1, 2)), dim=1).unflatten(2, spatial)
        memory = mean_within(memory, self.radius, axes).flatten(2)
        told, total = memory.split((heads * HEAD_WIDTH**2, heads * HEAD_WIDTH), dim=1)
        told = told.unflatten(1, (heads, HEAD_WIDTH, HEAD_WIDTH))[:, None]
        total = total.unflatten(1, (heads, HEAD_WIDTH))[:, None]
        return (query[:, :, :, :, None] * told).sum(dim=3) / ((query * total).sum(dim=3, keepdim=True) + TINY)


class AttentionLayer(nn.Module):
    """Attention, and a network of two layers that sees the neighbours and the other sources; both are added."""

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.attention = WindowAttention(radius)
        self.widen, self.narrow = ChannelMap(4 * WIDTH, 2 * WIDTH), ChannelMap(2 * WIDTH, WIDTH)

    def forward(self, features: Tensor, sources: int, axes: Sequence[int]) -> Tensor:
        """(N * S, C, *spatial) to the same shape."""
        features = features + self.attention(features, sources, axes)
        mean, strongest = over_sources(features, sources)
        seen = torch.cat((features, mean_within(features, 1, axes), mean, strongest), dim=1)
        return features + self.narrow(F.gelu(self.widen(seen)))

    def in_blocks(self, features: Tensor, sources: int, axes: Sequence[int]) -> Tensor:
        """The same, some samples after the others."""
        reach, lengths = self.attention.radius + 1, features.shape[2:4]

        def change(block: Block) -> Tensor:
            wide, inner = zip(*(widened(part, reach, length) for part, length in zip(block, lengths)))
            return self(features[(..., *wide, *_rest(features))], sources, axes)[(..., *inner, *_rest(features))]

        return gathered(change, _blocks(features, VALUES_AT_ONCE), 2)


@dataclass(frozen=True, eq=False)
class Reading:
    """What attention finds in sources.

    Parameters
    ----------
    sources : (N, S, *spatial) Tensor
        With their last samples repeated until every axis is a multiple of its step.
    size : tuple of int
        Spatial size without what was added.
    coarse : (N * S, WIDTH, *coarse) Tensor
        Features of every source.
    axes, steps : tuple of int
        Axes along which windows extend, and samples per coarse sample along every axis.
    """

    sources: Tensor
    size: tuple[int, ...]
    coarse: Tensor
    axes: tuple[int, ...]
    steps: tuple[int, ...]


class ConvexAttention(nn.Module):
    """Weights of the sources, per sample and scale, for slices and volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = ChannelMap(4 * FEATURES, WIDTH)
        self.layers = nn.ModuleList(AttentionLayer(radius) for radius in RADII)
        self.coarse = ChannelMap(WIDTH, WIDTH)
        self.fine = ChannelMap(2 * FEATURES, WIDTH)
        self.last = ChannelMap(WIDTH, SCALES)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, sources: Tensor, axes: Sequence[int] | None = None) -> Tensor:
        """Logits (N, S, SCALES, *spatial) of sources (N, S, *spatial).

        Parameters
        ----------
        sources : (N, S, *spatial) Tensor
            Slices or a volume, in 0..1.
        axes : sequence of int or None
            Negative numbers of the axes along which windows extend; None takes all spatial ones.
        """
        return self.logits(self.read(sources, axes), slice(0, sources.shape[2]))

    def read(self, sources: Tensor, axes: Sequence[int] | None = None) -> Reading:
        """What attention finds in sources (N, S, *spatial), with axes as of `forward`."""
        count, size = sources.shape[1], sources.shape[2:]
        axes = tuple(range(-len(size), 0)) if axes is None else tuple(axes)
        steps = tuple(ALIGNMENT if axis in axes else 1 for axis in range(-len(size), 0))
        padded = _padded(sources, steps)

        def embedded(block: Block) -> Tensor:
            return F.gelu(self.embed(self._pooled(padded, block, axes, steps)))

        features = gathered(embedded, _blocks(padded, SAMPLES_AT_ONCE, steps[:2]), 2, steps[:2])
        for layer in self.layers:
            features = layer.in_blocks(features, count, axes)
        return Reading(padded, tuple(size), self.coarse(features), axes, steps)

    def logits(self, reading: Reading, rows: slice) -> Tensor:
        """Logits (N, S, SCALES, *spatial) of some rows of the first spatial axis."""
        steps = reading.steps[:2]
        first = rows.start // steps[0] * steps[0]
        shown = reading.sources[:, :, first : -(-rows.stop // steps[0]) * steps[0]]

        def of_block(block: Block) -> Tensor:
            moved = slice(first + block[0].start, first + block[0].stop)
            return self._logits(reading, (moved, block[1]))

        found = gathered(of_block, _blocks(shown, SAMPLES_AT_ONCE, steps), 3)
        wanted = (slice(rows.start - first, rows.stop - first), *(slice(length) for length in reading.size[1:]))
        return found[(..., *wanted)]

    def _logits(self, reading: Reading, block: Block) -> Tensor:
        steps, rest = reading.steps, _rest(reading.sources)
        parts = [slice(part.start // step, part.stop // step) for part, step in zip(block, steps)]
        wide, inner = zip(*(widened(*each) for each in zip(parts, (1, 1), reading.coarse.shape[2:4])))
        coarse = F.interpolate(
            reading.coarse[(..., *wide, *rest)], scale_factor=[float(one) for one in steps],
            mode={2: "bilinear", 3: "trilinear"}[len(steps)], align_corners=False,
        )  # fmt: skip
        fine = [slice(part.start * step, part.stop * step) for part, step in zip(inner, steps)]
        hidden = F.gelu(self.fine(self._shown(reading.sources, block, reading.axes)) + coarse[(..., *fine, *rest)])
        with torch.autocast(hidden.device.type, enabled=False):
            return self.last(hidden.float()).unflatten(0, (-1, reading.sources.shape[1]))

    def _pooled(self, sources: Tensor, block: Block, axes: Sequence[int], steps: Sequence[int]) -> Tensor:
        """Mean and maximum of what is shown, per coarse sample of a block, (N * S, 4 FEATURES, *coarse)."""
        shown = self._shown(sources, block, axes)
        mean, strongest = {2: (F.avg_pool2d, F.max_pool2d), 3: (F.avg_pool3d, F.max_pool3d)}[len(steps)]
        return torch.cat((mean(shown, steps), strongest(shown, steps)), dim=1)

    @staticmethod
    def _shown(sources: Tensor, block: Block, axes: Sequence[int]) -> Tensor:
        """Features (N * S, 2 FEATURES, *spatial) of a block: of a source, and the largest over all sources."""
        wide, inner = zip(*(widened(*each) for each in zip(block, (SEEN, SEEN), sources.shape[2:4])))
        rest = _rest(sources)
        own = bands_and_edges(sources[(..., *wide, *rest)].flatten(0, 1)[:, None], axes)[(..., *inner, *rest)]
        return torch.cat((own, over_sources(own, sources.shape[1])[1]), dim=1)


def _blocks(images: Tensor, samples: int, steps: Sequence[int] = (1, 1)) -> list[Block]:
    """Blocks of (N, C, *spatial) that are worked on together: all while learning, else as many as `samples` allow."""
    height, width = images.shape[2:4]
    return [(slice(0, height), slice(0, width))] if torch.is_grad_enabled() else blocks(images, samples, steps)


def _rest(images: Tensor) -> tuple[slice, ...]:
    """All of the spatial axes after the second one of (N, C, *spatial)."""
    return (slice(None),) * (images.ndim - 4)


def bands_and_edges(image: Tensor, axes: Sequence[int]) -> Tensor:
    """What a source shows at a sample, (B, FEATURES, *spatial) of (B, 1, *spatial): values, bands, their strength."""
    smooth = symmetric_filter(image, SPLINE, axes)
    base = symmetric_filter(smooth, (SPLINE[0], 0.0, SPLINE[1], 0.0, SPLINE[2]), axes)
    fine, middle = DETAIL_GAIN * (image - smooth), DETAIL_GAIN * (smooth - base)
    strength = [(mean_within(band.square(), radius, axes) + TINY).sqrt() for band, radius in ((fine, 1), (middle, 2))]
    slopes = [(shifted(image, axis, 1) - shifted(image, axis, -1)).square() for axis in axes]
    edge = EDGE_GAIN / 2 * (sum(slopes) + TINY).sqrt()
    return torch.cat((image, base, mean_within(image, 4, axes), fine, middle, *strength, edge), dim=1)


def over_sources(features: Tensor, sources: int) -> tuple[Tensor, Tensor]:
    """Mean and maximum over the sources of features (N * S, ...), given to every source."""
    first, *others = features.unflatten(0, (-1, sources)).unbind(1)
    mean, strongest = first, first
    for other in others:
        mean, strongest = mean + other, torch.maximum(strongest, other)
    return (mean / sources).repeat_interleave(sources, dim=0), strongest.repeat_interleave(sources, dim=0)


def mean_within(features: Tensor, radius: int, axes: Sequence[int]) -> Tensor:
    """Mean over windows of ``2 radius + 1`` samples along some axes of (B, C, *spatial), clipped at the border."""
    ndim = features.ndim - 2
    reach = [radius if axis in axes else 0 for axis in range(-ndim, 0)]
    if not features.requires_grad or min(features.shape[axis] for axis in axes) < 2 * radius + 1:
        return box_mean(features, reach, ndim)
    pool = {2: F.avg_pool2d, 3: F.avg_pool3d}[ndim]  # the same, with a quicker way back
    for number, one in enumerate(reach):
        along = [one if number == other else 0 for other in range(ndim)]
        window = [2 * length + 1 for length in along]
        features = pool(features, window, stride=1, padding=along, count_include_pad=False)
    return features


def _padded(sources: Tensor, steps: Sequence[int]) -> Tensor:
    """The last sample repeated until every axis is a multiple of its step."""
    missing = [-length % step for length, step in zip(sources.shape[2:], steps)]
    pads = [side for extra in reversed(missing) for side in (0, extra)]
    return F.pad(sources, pads, mode="replicate") if any(missing) else sources
