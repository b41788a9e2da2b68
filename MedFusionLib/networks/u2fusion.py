"""U2Fusion: densely connected layers on both sources at once."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv, grown

LEAK = 0.2


class U2Fusion(nn.Module):
    """Five dense layers of 44 channels and a decoder [H. Xu et al., IEEE TPAMI 44 (2022) 502-518]: 659,217 values."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(2, 44)
        self.dense = nn.ModuleList(conv(44 * n, 44) for n in range(1, 5 + 1))
        self.rebuild = nn.ModuleList(conv(a, b) for a, b in pairwise((264, 128, 64, 32)))
        self.last = conv(32, 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) in 0..1."""
        features = grown(sources, self.first, self.dense, lambda found: F.leaky_relu(found, LEAK))
        for layer in self.rebuild:
            features = F.leaky_relu(layer(features), LEAK)
        with torch.autocast(features.device.type, enabled=False):
            return (torch.tanh(self.last(features.float())) / 2 + 0.5)[:, 0]
