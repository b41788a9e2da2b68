"""PMGI: a path for gradients and a path for intensities, which exchange features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

WIDTH, LEAK = 16, 0.2


class Stage(nn.Module):
    """Convolution, batch normalisation, leaky ReLU."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.layer, self.scale = conv(inputs, WIDTH, size), nn.BatchNorm2d(WIDTH, eps=1e-5)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 16, H, W)."""
        return F.leaky_relu(self.scale(self.layer(features)), LEAK)


class Path(nn.Module):
    """Four stages and the two that take features over from the other path."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList((Stage(3, 5), Stage(WIDTH, 3), Stage(3 * WIDTH, 3), Stage(4 * WIDTH, 3)))
        self.transfers = nn.ModuleList((Stage(2 * WIDTH, 1), Stage(2 * WIDTH, 1)))


class PMGI(nn.Module):
    """Two paths of four stages [H. Zhang et al., AAAI 2020]: 42,017 values and 384 running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.gradient, self.intensity = Path(), Path()
        self.last = conv(8 * WIDTH, 1, 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) in 0..1; the first one leads the path of gradients."""
        first, second = (2 * sources - 1).split(1, dim=1)
        paths = (self.gradient, self.intensity)
        one = [path.stages[0](x) for path, x in zip(paths, (torch.cat((first, first, second), dim=1),
                                                           torch.cat((second, second, first), dim=1)))]  # fmt: skip
        two = [path.stages[1](x) for path, x in zip(paths, one)]
        shared = torch.cat(two, dim=1)
        three = [path.stages[2](torch.cat((a, b, path.transfers[0](shared)), dim=1))
                 for path, a, b in zip(paths, one, two)]  # fmt: skip
        shared = torch.cat(three, dim=1)
        four = [path.stages[3](torch.cat((a, b, c, path.transfers[1](shared)), dim=1))
                for path, a, b, c in zip(paths, one, two, three)]  # fmt: skip
        features = torch.cat((*one, *two, *three, *four), dim=1)
        with torch.autocast(features.device.type, enabled=False):
            return (torch.tanh(self.last(features.float())) / 2 + 0.5)[:, 0]
