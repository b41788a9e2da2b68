"""MCFNet: residual stages with two down-samplings; every stage of the decoder sees the sources again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

KERNELS = ((3, 3), (2, 3), (3, 2), (2, 2))
WIDTHS = (16, 32, 64)


class Residual(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) to the same shape."""
        return torch.relu(features + self.second(torch.relu(self.first(features))))


class FastUpConvolution(nn.Module):
    """Doubled size by four convolutions whose results are interleaved: no checkerboards [I. Laina et al., 3DV 2016].

    Their kernels (3 x 3, 2 x 3, 3 x 2, 2 x 2) are the four phases of a 5 x 5 kernel on samples with zeros between.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.phases = nn.ModuleList(nn.Conv2d(inputs, outputs, kernel) for kernel in KERNELS)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) to (B, C', 2 H, 2 W)."""
        phases = [self._phase(layer, features) for layer in self.phases]
        columns = [torch.stack(phases[k : k + 2], dim=-2).flatten(-3, -2) for k in (0, 2)]
        return torch.stack(columns, dim=-1).flatten(-2)

    @staticmethod
    def _phase(layer: nn.Conv2d, features: Tensor) -> Tensor:
        height, width = layer.kernel_size
        return layer(F.pad(features, (width - 2, 1, height - 2, 1), mode="replicate"))


class MCFNet(nn.Module):
    """Multilayer concatenation fusion network for two sources [X. Liang et al., IEEE Sens. J. 19 (2019)]."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.first = nn.Sequential(conv(2, a), nn.ReLU(), Residual(a))
        self.second = nn.Sequential(conv(a, b, stride=2), nn.ReLU(), Residual(b))
        self.third = nn.Sequential(conv(b, c, stride=2), nn.ReLU(), Residual(c), Residual(c))
        self.up_to_half, self.up = FastUpConvolution(c, b), FastUpConvolution(b, a)
        self.join_half, self.join = conv(b + 2, b), conv(a + 2, a)
        self.last = conv(a, 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of two sources (N, 2, H, W)."""
        height, width = sources.shape[-2:]
        wide = F.pad(sources, (0, -width % 4, 0, -height % 4), mode="replicate")
        features = self.third(self.second(self.first(wide)))
        features = self._joined(features, F.avg_pool2d(wide, 2), self.up_to_half, self.join_half)
        features = self._joined(features, wide, self.up, self.join)
        with torch.autocast(features.device.type, enabled=False):
            return self.last(features.float())[:, 0, :height, :width]

    @staticmethod
    def _joined(features: Tensor, sources: Tensor, up: nn.Module, join: nn.Module) -> Tensor:
        return torch.relu(join(torch.cat((torch.relu(up(features)), sources), dim=1)))
