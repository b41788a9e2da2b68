"""CDDFuse: a base that sources share and detail of their own, by transformers over channels and by couplings.

Attention runs between channels, so its cost grows with the number of samples, not with its square, and
slices of any size are read; its statistics are those of the whole slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import at_least

SMALLEST = 2
EPSILON = 1e-5


@dataclass(frozen=True)
class BranchSizes:
    """Sizes of the network.

    Parameters
    ----------
    width : int
        Channels.
    blocks : int
        Transformer blocks of the encoder, and of the decoder.
    heads : int
        Of the attention.
    couplings : int
        Of the detail branch.
    """

    width: int = 64
    blocks: int = 4
    heads: int = 8
    couplings: int = 3


FULL = BranchSizes()
"""As in the paper."""
SMALL = BranchSizes(width=16, blocks=2, heads=4, couplings=2)
"""What is trained here."""


def plain(inputs: int, outputs: int, size: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without a bias, the border reflected."""
    mode = "reflect" if size > 1 else "zeros"
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False, padding_mode=mode)


class ChannelNorm(nn.Module):
    """Every sample normalised over its channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        centred = features - features.mean(dim=1, keepdim=True)
        spread = (centred.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
        return centred * spread * self.weight[:, None, None] + self.bias[:, None, None]


class ChannelAttention(nn.Module):
    """Channels of a head weighted by how alike they run over the slice."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.ask, self.spread = plain(width, 3 * width), plain(3 * width, 3 * width, 3, groups)
        self.give = plain(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        asked = self.spread(self.ask(features))
        query, key, value = (one.unflatten(1, (self.heads, -1)).flatten(3) for one in asked.chunk(3, dim=1))
        alike = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        found = torch.softmax(alike * self.temperature, dim=-1) @ value
        return self.give(found.flatten(1, 2).unflatten(-1, features.shape[2:]))


class Gate(nn.Module):
    """A wider layer, one half of which lets the other pass."""

    def __init__(self, width: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.widen, self.spread = plain(width, 2 * hidden), plain(2 * hidden, 2 * hidden, 3, groups)
        self.narrow = plain(hidden, width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        gate, passed = self.spread(self.widen(features)).chunk(2, dim=1)
        return self.narrow(F.gelu(gate) * passed)


class ChannelBlock(nn.Module):
    """Attention between channels and a gate, each normalised before and added to what it got."""

    def __init__(self, attention: ChannelAttention, gate: Gate, width: int) -> None:
        super().__init__()
        self.before, self.attention, self.between, self.gate = ChannelNorm(width), attention, ChannelNorm(width), gate

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        features = features + self.attention(self.before(features))
        return features + self.gate(self.between(features))


def shared_block(sizes: BranchSizes) -> ChannelBlock:
    """Block of encoder and decoder: every channel is spread by itself."""
    width = sizes.width
    return ChannelBlock(ChannelAttention(width, sizes.heads, 3 * width), Gate(width, 2 * width, 4 * width), width)


def base_block(sizes: BranchSizes) -> ChannelBlock:
    """Block of the base branch: channels are mixed while they are spread."""
    width = sizes.width
    return ChannelBlock(ChannelAttention(width, sizes.heads, 1), Gate(width, width, width), width)


class Coupling(nn.Module):
    """An invertible layer: either half of the channels is moved by a function of the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shuffle = nn.Conv2d(width, width, 1)
        self.shift_second, self.scale_first, self.shift_first = (self._moved_by(width // 2) for _ in range(3))

    @staticmethod
    def _moved_by(half: int) -> nn.Sequential:
        hidden = 2 * half
        return nn.Sequential(
            plain(half, hidden), nn.ReLU6(), plain(hidden, hidden, 3, hidden), nn.ReLU6(), plain(hidden, half)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        first, second = self.shuffle(features).chunk(2, dim=1)
        second = second + self.shift_second(first)
        first = first * torch.exp(self.scale_first(second)) + self.shift_first(second)
        return torch.cat((first, second), dim=1)


@dataclass(frozen=True, eq=False)
class Decomposed:
    """Images (B, 1, H, W), and the features (B, C, H, W) they were made from."""

    image: Tensor
    base: Tensor
    detail: Tensor


class CDDFuse(nn.Module):
    """Base and detail of every source, fused apart and decoded together: 1,188,272 values in full size.

    [Z. Zhao et al., CVPR 2023, 5906-5916]
    """

    def __init__(self, sizes: BranchSizes = FULL) -> None:
        super().__init__()
        width = sizes.width
        self.embed = plain(1, width, 3)
        self.encoder = nn.Sequential(*(shared_block(sizes) for _ in range(sizes.blocks)))
        self.base = base_block(sizes)
        self.detail = nn.Sequential(*(Coupling(width) for _ in range(sizes.couplings)))
        self.fuse_base, self.fuse_detail = base_block(sizes), Coupling(width)
        self.reduce = plain(2 * width, width)
        self.decoder = nn.Sequential(*(shared_block(sizes) for _ in range(sizes.blocks)))
        self.narrow, self.last = plain(width, width // 2, 3), plain(width // 2, 1, 3)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Base and detail (B, C, H, W) of images (B, 1, H, W)."""
        features = self.encoder(self.embed(images))
        return self.base(features), self.detail(features)

    def decode(self, base: Tensor, detail: Tensor) -> Tensor:
        """Image (B, 1, H, W) in 0..1 of base and detail; the last layer in float32."""
        features = self.narrow(self.decoder(self.reduce(torch.cat((base, detail), dim=1))))
        with torch.autocast(features.device.type, enabled=False):
            return torch.sigmoid(self.last(F.leaky_relu(features.float(), 0.01)))

    def rebuild(self, sources: Tensor) -> Decomposed:
        """Every source by itself, (N * S, 1, H, W) of sources (N, S, H, W)."""
        base, detail = self.encode(sources.flatten(0, 1)[:, None])
        return Decomposed(self.decode(base, detail), base, detail)

    def fuse(self, sources: Tensor) -> Decomposed:
        """Fused image (N, 1, H, W) of sources (N, S, H, W), with base and detail of every source."""
        base, detail = self.encode(sources.flatten(0, 1)[:, None])
        # twice the mean: the sum of two sources, and of the same size for more
        joined = [2 * _mean(one, sources.shape[1]) for one in (base, detail)]
        return Decomposed(self.decode(self.fuse_base(joined[0]), self.fuse_detail(joined[1])), base, detail)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W)."""
        height, width = sources.shape[-2:]
        return self.fuse(at_least(sources, SMALLEST)).image[:, 0, :height, :width]


def shipped() -> CDDFuse:
    """The width that is trained and comes with MedFusion."""
    return CDDFuse(SMALL)


def _mean(features: Tensor, sources: int) -> Tensor:
    """Mean over the sources of features (N * S, ...)."""
    first, *others = features.unflatten(0, (-1, sources)).unbind(1)
    return sum(others, first) / sources
