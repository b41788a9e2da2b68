"""IFCNN: features of every source, joined sample by sample, and two convolutions back to an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from MedFusionLib.networks.layers import conv

JOINS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda features: features.amax(dim=1),
    "sum": lambda features: features.mean(dim=1) * 2,
    "mean": lambda features: features.mean(dim=1),
}
"""How features (N, S, C, H, W) are joined; the sum of more than two sources is brought to that of two."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class IFCNN(nn.Module):
    """Four convolutions [Y. Zhang et al., Inf. Fusion 54 (2020) 99-118]: 83,587 values and 256 running statistics.

    Parameters
    ----------
    join : {"max", "sum", "mean"}
        How the features of the sources are joined.
    """

    def __init__(self, join: str = "max") -> None:
        super().__init__()
        self.join = JOINS[join]
        self.first = nn.Conv2d(3, 64, 7, padding=3, padding_mode="reflect", bias=False)
        self.second, self.third = _block(), _block()
        self.last = conv(64, 3, 1)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W) in 0..1."""
        colour = (sources.flatten(0, 1)[:, None] - self.mean) / self.spread
        features = self.second(torch.relu(self.first(colour)))
        features = self.third(self.join(features.unflatten(0, sources.shape[:2])))
        with torch.autocast(features.device.type, enabled=False):
            return (self.last(features.float()) * self.spread + self.mean).mean(dim=1)


def _block() -> nn.Sequential:
    layer = nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(64), nn.ReLU())
