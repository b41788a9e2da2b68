"""Maps between modalities: what an MR slice might look like as PET or CT. For training data only.

A mapped picture shows no measurement of anybody. No method uses these networks, and nothing offers
their pictures to a reader.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

TARGETS = ("pet", "ct")
WIDTH, BLOCKS = 12, 2


class Mapper(nn.Module):
    """One map: down by two, residual blocks, up again; after J.-Y. Zhu et al., ICCV 2017, much narrower."""

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.first, self.down = conv(1, width, 5), conv(width, 2 * width, stride=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(conv(2 * width, 2 * width), nn.ReLU(), conv(2 * width, 2 * width)) for _ in range(blocks)
        )
        self.up, self.last = conv(2 * width, width), conv(width, 1, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, H, W) in 0..1 in the other modality."""
        features = torch.relu(self.down(torch.relu(self.first(2 * images - 1))))
        for block in self.blocks:
            features = features + block(features)
        features = F.interpolate(features, images.shape[-2:], mode="bilinear", align_corners=False)
        return torch.tanh(self.last(torch.relu(self.up(features)))) / 2 + 0.5


class ModalityMaps(nn.Module):
    """From MR to every target and back."""

    def __init__(self) -> None:
        super().__init__()
        self.there = nn.ModuleDict({target: Mapper() for target in TARGETS})
        self.back = nn.ModuleDict({target: Mapper() for target in TARGETS})
