"""FusionGAN: a plain convolutional generator whose fused images must pass for the anatomical source."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

WIDTHS = (256, 128, 64, 32)
SHIPPED = (32, 16, 16, 8)
KERNELS = (5, 5, 3, 3)
LEAK = 0.2


class FusionGAN(nn.Module):
    """Generator of FusionGAN [J. Ma et al., Inf. Fusion 48 (2019) 11-26].

    At full width 925,633 trained values; the 926,114 of the released one include 481 vectors of
    spectral normalisation, which is left to the discriminator here.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four stages.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.stages = nn.ModuleList(conv(a, b, size) for (a, b), size in zip(pairwise((2, *widths)), KERNELS))
        self.scales = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.last = conv(widths[-1], 1, 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) in 0..1, the anatomical one first."""
        features = 2 * sources - 1
        for stage, scale in zip(self.stages, self.scales):
            features = F.leaky_relu(scale(stage(features)), LEAK)
        with torch.autocast(features.device.type, enabled=False):
            return (torch.tanh(self.last(features.float())) / 2 + 0.5)[:, 0]


def shipped() -> FusionGAN:
    """The width that is trained and comes with MedFusion."""
    return FusionGAN(SHIPPED)
