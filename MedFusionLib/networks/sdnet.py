"""SDNet: squeeze both sources into one image, from which a second network must draw them again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

WIDTH, LEAK = 16, 0.2


def _path() -> nn.ModuleList:
    return nn.ModuleList((conv(1, WIDTH, 5), conv(WIDTH, WIDTH), conv(2 * WIDTH, WIDTH), conv(3 * WIDTH, WIDTH)))


def _decomposition() -> nn.ModuleList:
    return nn.ModuleList((conv(128, WIDTH), conv(WIDTH, 4), conv(4, 1)))


class SDNet(nn.Module):
    """Squeeze and decomposition [H. Zhang, J. Ma, Int. J. Comput. Vis. 129 (2021) 2761-2785]: 67,091 values.

    A tanh reaches black only far out. So brightness is measured from what the network makes of black
    sources: black stays black, and dark detail keeps the steep part of the curve.
    """

    def __init__(self) -> None:
        super().__init__()
        self.paths = nn.ModuleList((_path(), _path()))
        self.last = conv(8 * WIDTH, 1, 1)
        self.spread = conv(1, 128, 1)
        self.decompositions = nn.ModuleList((_decomposition(), _decomposition()))

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) in 0..1; 0 where both are 0 all around."""
        black = self._squeezed(sources.new_zeros(1, 2, 5, 5))[:, 2:3, 2:3]
        return (self._squeezed(sources) - black) / (1 - black)

    def _squeezed(self, sources: Tensor) -> Tensor:
        found: list[Tensor] = []
        for path, source in zip(self.paths, (2 * sources - 1).split(1, dim=1)):
            features = [F.leaky_relu(path[0](source), LEAK)]
            features.append(F.leaky_relu(path[1](features[0]), LEAK))
            for layer in path[2:]:
                features.append(F.leaky_relu(layer(torch.cat(features, dim=1)), LEAK))
            found += features
        features = torch.cat(found, dim=1)
        with torch.autocast(features.device.type, enabled=False):
            return (torch.tanh(self.last(features.float())) / 2 + 0.5)[:, 0]

    def decompose(self, fused: Tensor) -> Tensor:
        """Both sources (N, 2, H, W) drawn from a fused image (N, H, W); only for training."""
        spread = F.leaky_relu(self.spread(2 * fused[:, None] - 1), LEAK)
        drawn = []
        for layers in self.decompositions:
            features = F.leaky_relu(layers[1](F.leaky_relu(layers[0](spread), LEAK)), LEAK)
            drawn.append(torch.tanh(layers[2](features)) / 2 + 0.5)
        return torch.cat(drawn, dim=1)
