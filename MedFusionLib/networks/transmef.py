"""TransMEF: convolutions beside a transformer of patches, trained to mend what was destroyed.

The transformer knows no positions, so that slices of any size can be read; they are padded to
whole patches. Its tokens are folded back to one more map beside the 16 of the convolutions. The
encodings of the sources are averaged and decoded. TransFuse is the same network, trained on other
damage.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

WIDTHS = (16, 32, 48)


@dataclass(frozen=True)
class PatchSizes:
    """Sizes of the transformer.

    Parameters
    ----------
    patch : int
        Samples along each side of a patch.
    width, hidden : int
        Values per token, and within its two-layer network.
    depth : int
        Number of layers.
    heads, head_width : int
        Of the attention.
    """

    patch: int = 16
    width: int = 256
    depth: int = 12
    heads: int = 16
    head_width: int = 64
    hidden: int = 1024


FULL = PatchSizes()
"""As in the paper."""
SMALL = PatchSizes(patch=8, width=64, depth=4, heads=4, head_width=16, hidden=256)
"""What is trained here."""


class TokenAttention(nn.Module):
    """Every token looks at all others."""

    def __init__(self, sizes: PatchSizes) -> None:
        super().__init__()
        self.heads, inner = sizes.heads, sizes.heads * sizes.head_width
        self.ask = nn.Linear(sizes.width, 3 * inner, bias=False)
        self.give = nn.Linear(inner, sizes.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, width) to the same shape."""
        query, key, value = self.ask(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.give(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class TokenLayer(nn.Module):
    """Attention and a network of two layers, each normalised before and added to what it got."""

    def __init__(self, sizes: PatchSizes) -> None:
        super().__init__()
        self.before, self.attention = nn.LayerNorm(sizes.width), TokenAttention(sizes)
        self.between = nn.LayerNorm(sizes.width)
        self.apart = nn.Sequential(
            nn.Linear(sizes.width, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, width) to the same shape."""
        tokens = tokens + self.attention(self.before(tokens))
        return tokens + self.apart(self.between(tokens))


class PatchTransformer(nn.Module):
    """Patches as tokens, folded back to one map; width = patch * patch."""

    def __init__(self, sizes: PatchSizes) -> None:
        super().__init__()
        self.patch = sizes.patch
        self.embed = nn.Linear(sizes.patch**2, sizes.width)
        self.layers = nn.Sequential(*(TokenLayer(sizes) for _ in range(sizes.depth)))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) to the same shape; H and W are whole patches."""
        patches = F.pixel_unshuffle(image, self.patch)
        tokens = self.layers(self.embed(patches.flatten(2).transpose(1, 2)))
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, patches.shape[2:]), self.patch)


class DoubleConv(nn.Sequential):
    """Two 3 x 3 convolutions, each with ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(conv(inputs, outputs), nn.ReLU(), conv(outputs, outputs), nn.ReLU())


class TransMEF(nn.Module):
    """Encoder of convolutions and tokens, and a decoder.

    The full size has 19,052,257 values, 296 fewer than the network that the authors published,
    which declares a token and a convolution that it never uses [L. Qu et al., AAAI 2022, 2126-2134].
    """

    def __init__(self, sizes: PatchSizes = FULL) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.patch = sizes.patch
        self.local = DoubleConv(1, first)
        self.tokens = PatchTransformer(sizes)
        self.encode = nn.Sequential(DoubleConv(first + 1, second), DoubleConv(second, third))
        self.decode = nn.Sequential(DoubleConv(third, second), DoubleConv(second, first))
        self.last = conv(first, 1, 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Image (N, H, W) of the mean encoding of sources (N, S, H, W); one source is rebuilt."""
        height, width = sources.shape[-2:]
        padded = F.pad(sources, (0, -width % self.patch, 0, -height % self.patch), mode="replicate")
        images = padded.flatten(0, 1)[:, None]
        encoded = self.encode(torch.cat((self.local(images), self.tokens(images)), dim=1))
        first, *others = encoded.unflatten(0, sources.shape[:2]).unbind(1)
        decoded = self.decode(sum(others, first) / sources.shape[1])
        with torch.autocast(decoded.device.type, enabled=False):
            return self.last(decoded.float())[:, 0, :height, :width]


def shipped() -> TransMEF:
    """The size that is trained and comes with MedFusion."""
    return TransMEF(SMALL)
