"""A siamese network that tells whether two shearlet bands show the same structure."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv
from MedFusionLib.networks.vgg import VGG16
from MedFusionLib.transforms.filters import box_mean

WIDTHS = (64, 32)
RADIUS = 3
TINY = 1e-6
COMMON_STRENGTH = 64.0
"""Root mean square that every band is scaled to: the grey values of photographs are of this order."""


class BandEncoder(nn.Module):
    """Two convolutions, the size halved between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(1, WIDTHS[0]), conv(WIDTHS[0], WIDTHS[1])

    def start_from(self, photographs: VGG16) -> None:
        """Take the first kernels of a network for photographs, those of the three colours added."""
        block = photographs.blocks[0]
        with torch.no_grad():
            self.first.weight.copy_(block[0].weight.sum(dim=1, keepdim=True))
            self.first.bias.copy_(block[0].bias)
            self.last.weight.copy_(block[1].weight[: WIDTHS[1]])
            self.last.bias.copy_(block[1].bias[: WIDTHS[1]])

    def forward(self, bands: Tensor) -> Tensor:
        """Features (B, 32, H/2, W/2) in float32 of bands (B, 1, H, W), each scaled by its own strength."""
        strength = bands.square().mean(dim=(-2, -1), keepdim=True).sqrt()
        found = torch.relu(self.first(bands * (COMMON_STRENGTH / strength.clamp(min=TINY))))
        found = F.max_pool2d(found, 2, ceil_mode=True)
        with torch.autocast(bands.device.type, enabled=False):
            return self.last(found.float())


class ShearletSimilarity(nn.Module):
    """One encoder for both sources, and the normalised correlation of its features: 19,106 values.

    `threshold` is the correlation above which two bands count as alike, `steepness` how fast the
    probability rises there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = BandEncoder()
        self.threshold, self.steepness = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(5.0))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Logarithm of the odds (B,) that two bands (B, 1, H, W) show the same."""
        match = correlation(self.encoder(first), self.encoder(second)).mean(dim=(-2, -1))
        return self.steepness * (match - self.threshold)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Normalised correlation (..., H, W) in -1..1 of features (..., C, H, W), over channels and a window."""
    shared = box_mean((first * second).sum(dim=-3), RADIUS, 2)
    energy = [box_mean(one.square().sum(dim=-3), RADIUS, 2) for one in (first, second)]
    return shared / (energy[0] * energy[1]).clamp(min=TINY).sqrt()
