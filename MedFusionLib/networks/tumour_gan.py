"""A fusion generator with a head that must find tumours in the fused image alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.fusiongan import SHIPPED, FusionGAN
from MedFusionLib.networks.layers import conv

WIDTH = 12


class TumourHead(nn.Module):
    """A U-Net of two levels [O. Ronneberger et al., MICCAI 2015]: scores of tumour for every sample of an image."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.fine, self.middle = _block(1, width), _block(width, 2 * width)
        self.coarse = _block(2 * width, 4 * width)
        self.up_middle, self.up_fine = _block(6 * width, 2 * width), _block(3 * width, width)
        self.last = conv(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Scores (N, 1, H, W) of images (N, 1, H, W) in 0..1; sides of at least 8 samples."""
        fine = self.fine(image)
        middle = self.middle(F.max_pool2d(fine, 2, ceil_mode=True))
        coarse = self.coarse(F.max_pool2d(middle, 2, ceil_mode=True))
        middle = self.up_middle(torch.cat((middle, _enlarged(coarse, middle)), dim=1))
        return self.last(self.up_fine(torch.cat((fine, _enlarged(middle, fine)), dim=1)))


class TumourGAN(nn.Module):
    """Generator and head."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.head = FusionGAN(SHIPPED), TumourHead()

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) in 0..1."""
        return self.generator(sources)

    def find(self, fused: Tensor) -> Tensor:
        """Scores of tumour (N, 1, H, W), positive inside, of fused images (N, 1, H, W)."""
        return self.head(fused)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(),
        conv(outputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(),
    )  # fmt: skip


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)
