"""MSDNet: a dense encoder followed by three convolutions of different size, each fused for itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MedFusionLib.networks.densefuse import Decoder, DenseEncoder
from MedFusionLib.networks.layers import conv

SIZES = (1, 3, 5)


class ScaleEncoder(nn.Module):
    """Dense encoder and parallel 1 x 1, 3 x 3 and 5 x 5 convolutions: three times 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = DenseEncoder()
        self.scales = nn.ModuleList(conv(64, 64, size) for size in SIZES)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features (B, 64, H, W) of an image (B, 1, H, W), one per size of the window."""
        features = self.dense(image)
        return [torch.relu(layer(features)) for layer in self.scales]


class JoiningDecoder(Decoder):
    """Decoder of all scales together: 192 -> 64 -> 32 -> 16 -> 1."""

    def __init__(self) -> None:
        super().__init__((192, 64, 32, 16))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Image (B, 1, H, W) of the features of all scales."""
        return super().forward(torch.cat(features, dim=1))


class MSDNet(nn.Module):
    """Auto-encoder of MSDNet: 291,473 values [X. Song, X.-J. Wu, H. Li, ICIG 2019, LNCS 11902, 278-288]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = ScaleEncoder(), JoiningDecoder()

    def forward(self, image: Tensor) -> Tensor:
        """The image (B, 1, H, W) itself, through the features."""
        return self.decoder(self.encoder(image))
