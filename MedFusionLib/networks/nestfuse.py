"""NestFuse: a pyramid of features, fused by spatial and channel attention, decoded through nested connections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import at_least, conv
from MedFusionLib.transforms.filters import box_mean

WIDTHS = (64, 112, 160, 208)
SMALLEST = 16
"""Samples along an axis that leave two at the coarsest scale, the least that can be reflected."""


class Block(nn.Sequential):
    """3 x 3 convolution to half the channels and 1 x 1 convolution to the wanted number, each with ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(conv(inputs, inputs // 2), nn.ReLU(), conv(inputs // 2, outputs, 1), nn.ReLU())


class NestEncoder(nn.Module):
    """Features at four scales, with the given channels."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.first = conv(1, 16, 1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip((16, *widths), widths))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image (B, 1, H, W), fine to coarse; H and W at least 16."""
        found = [self.blocks[0](torch.relu(self.first(image)))]
        for block in self.blocks[1:]:
            found.append(block(F.max_pool2d(found[-1], 2, ceil_mode=True)))
        return found


class NestDecoder(nn.Module):
    """Every scale is joined with the coarser one, in three rounds; the last layer in float32."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.rounds = nn.ModuleList(
            nn.ModuleList(Block(turn * widths[k] + widths[k + 1], widths[k]) for k in range(len(widths) - turn))
            for turn in range(1, len(widths))
        )
        self.last = conv(widths[0], 1, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Image (B, 1, H, W) of features, fine to coarse."""
        known = [[one] for one in features]
        for blocks in self.rounds:
            news = [block(torch.cat((*known[k], enlarged(known[k + 1][-1], known[k][0])), dim=1))
                    for k, block in enumerate(blocks)]  # fmt: skip
            for k, new in enumerate(news):
                known[k].append(new)
        with torch.autocast(known[0][-1].device.type, enabled=False):
            return self.last(known[0][-1].float())


class NestFuse(nn.Module):
    """Auto-encoder of NestFuse: 2,732,761 values [H. Li et al., IEEE Trans. Instrum. Meas. 69 (2020) 9645-9656]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = NestEncoder(), NestDecoder()

    def forward(self, image: Tensor) -> Tensor:
        """The image (B, 1, H, W) itself, through the features."""
        return self.decoder(self.encoder(image))


def enlarged(coarse: Tensor, like: Tensor) -> Tensor:
    """Every sample doubled along both axes, cut to the size of `like`."""
    twice = coarse.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return twice[..., : like.shape[-2], : like.shape[-1]]


class ScaleFusion(nn.Module):
    """Encode every source, fuse the features of every scale by a rule, decode.

    Parameters
    ----------
    autoencoder : nn.Module
        With an ``encoder`` that gives a list of features and a ``decoder`` that takes one.
    rule : callable
        Features (N, S, C, H, W) to (N, C, H, W).
    """

    def __init__(self, autoencoder: nn.Module, rule) -> None:
        super().__init__()
        self.autoencoder, self.rule = autoencoder, rule

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W)."""
        height, width = sources.shape[-2:]
        scales = self.autoencoder.encoder(at_least(sources.flatten(0, 1)[:, None], SMALLEST))
        fused = [self.rule(features.unflatten(0, sources.shape[:2])) for features in scales]
        return self.autoencoder.decoder(fused)[:, 0, :height, :width]


def spatial_attention(features: Tensor) -> Tensor:
    """Features (N, S, C, H, W) weighted by their L1 norm over the channels, averaged over 3 x 3 samples."""
    return _weighted(features, box_mean(features.abs().sum(dim=2, keepdim=True), 1, 2))


def channel_attention(features: Tensor) -> Tensor:
    """Features (N, S, C, H, W) weighted by the mean of each channel over the slice."""
    return _weighted(features, features.abs().mean(dim=(-2, -1), keepdim=True))


def joint_attention(features: Tensor) -> Tensor:
    """Mean of spatial and channel attention."""
    return (spatial_attention(features) + channel_attention(features)) / 2


def _weighted(features: Tensor, activity: Tensor) -> Tensor:
    """Sum over the sources, in proportion to an activity that broadcasts to them."""
    total = activity.sum(dim=1, keepdim=True)
    shares = torch.where(total > 1e-6, activity / total.clamp(min=1e-6), 1 / features.shape[1])
    return (features * shares).sum(dim=1)
