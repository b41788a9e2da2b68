"""DenseFuse: a dense encoder, a decoder, and fusion of the features between them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from MedFusionLib.networks.layers import conv, grown
from MedFusionLib.transforms.filters import box_mean


class DenseEncoder(nn.Module):
    """A convolution and a dense block: 1 -> 64 channels [H. Li, X.-J. Wu, IEEE TIP 28 (2019) 2614-2623]."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = conv(1, width)
        self.dense = nn.ModuleList(conv(width * n, width) for n in (1, 2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, 4 * width, H, W) of an image (B, 1, H, W)."""
        return grown(image, self.first, self.dense, torch.relu_)


class Decoder(nn.Module):
    """Convolutions from features back to an image: channels[0] -> ... -> 1, the last without ReLU and in float32."""

    def __init__(self, channels: tuple[int, ...] = (64, 64, 32, 16)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(conv(a, b) for a, b in pairwise(channels))
        self.last = conv(channels[-1], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Image (B, 1, H, W) of features (B, C, H, W)."""
        for layer in self.layers:
            features = torch.relu_(layer(features))
        with torch.autocast(features.device.type, enabled=False):
            return self.last(features.float())


class DenseFuse(nn.Module):
    """Auto-encoder of DenseFuse: 74,193 values."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = DenseEncoder(), Decoder()

    def forward(self, image: Tensor) -> Tensor:
        """The image (B, 1, H, W) itself, through the features."""
        return self.decoder(self.encoder(image))


class FeatureFusion(nn.Module):
    """Encode every source, fuse the features by a rule, decode.

    Parameters
    ----------
    autoencoder : nn.Module
        With ``encoder`` and ``decoder``.
    rule : callable
        Features (N, S, C, H, W) to (N, C, H, W).
    """

    def __init__(self, autoencoder: nn.Module, rule) -> None:
        super().__init__()
        self.autoencoder, self.rule = autoencoder, rule

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W)."""
        features = self.autoencoder.encoder(sources.flatten(0, 1)[:, None])
        fused = self.rule(features.unflatten(0, sources.shape[:2]))
        return self.autoencoder.decoder(fused)[:, 0]


class TunedDenseFuse(FeatureFusion):
    """DenseFuse with the strongest features decoded: fitted to fusion as a whole, 74,193 values."""

    def __init__(self) -> None:
        super().__init__(DenseFuse(), strongest_features)


def mean_features(features: Tensor) -> Tensor:
    """The addition rule, scaled so that equal sources stay themselves."""
    first, *others = features.unbind(1)  # a sum over the axis would lose the order of the channels in memory
    return sum(others, first) / features.shape[1]


def strongest_features(features: Tensor) -> Tensor:
    """The larger of the features, for each channel and sample."""
    first, *others = features.unbind(1)
    for other in others:
        first = torch.maximum(first, other)
    return first


def l1_weighted_features(features: Tensor) -> Tensor:
    """Features weighted by the L1 norm over the channels, averaged over 3 x 3 samples."""
    activity = box_mean(features.abs().sum(dim=2), 1, 2)
    total = activity.sum(dim=1, keepdim=True)
    weights = torch.where(total > 1e-6, activity / total.clamp(min=1e-6), 1 / features.shape[1])
    return sum(one * weight for one, weight in zip(features.unbind(1), weights[:, :, None].unbind(1)))
