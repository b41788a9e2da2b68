"""DenseFuse: a dense encoder, a decoder, and fusion of the features between them."""

from __future__ import annotations

from collections.abc import Sequence
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
        first, *others = self.layers
        features = first(features)
        for layer in others:
            features = layer.rectified(features)
        with torch.autocast(features.device.type, enabled=False):
            return self.last.rectified(features.float())


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
        Features (N, C, H, W) of every source to (N, C, H, W).
    """

    def __init__(self, autoencoder: nn.Module, rule) -> None:
        super().__init__()
        self.autoencoder, self.rule = autoencoder, rule

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W)."""
        encoder = self.autoencoder.encoder
        if torch.is_grad_enabled():  # together: gradients add up in this order
            features = encoder(sources.flatten(0, 1)[:, None]).unflatten(0, sources.shape[:2]).unbind(1)
        else:
            features = [encoder(source[:, None]) for source in sources.unbind(1)]
        fused = [self.rule(features)]
        del features  # their memory is used again by the decoder
        return self.autoencoder.decoder(fused.pop())[:, 0]


class TunedDenseFuse(FeatureFusion):
    """DenseFuse with the strongest features decoded: fitted to fusion as a whole, 74,193 values."""

    def __init__(self) -> None:
        super().__init__(DenseFuse(), strongest_features)


def mean_features(features: Sequence[Tensor]) -> Tensor:
    """The addition rule, scaled so that equal sources stay themselves."""
    first, second, *others = features
    return sum(others, first + second).div_(len(features))


def strongest_features(features: Sequence[Tensor]) -> Tensor:
    """The larger of the features, for each channel and sample."""
    first, *others = features
    for other in others:
        first = torch.maximum(first, other)
    return first


def l1_weighted_features(features: Sequence[Tensor]) -> Tensor:
    """Features weighted by the L1 norm over the channels, averaged over 3 x 3 samples."""
    activity = box_mean(torch.stack([one.abs().sum(dim=1) for one in features], dim=1), 1, 2)
    total = activity.sum(dim=1, keepdim=True)
    weights = torch.where(total > 1e-6, activity / total.clamp(min=1e-6), 1 / len(features))
    return sum(one * weight for one, weight in zip(features, weights[:, :, None].unbind(1)))
