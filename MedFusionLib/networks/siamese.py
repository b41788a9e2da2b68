"""A siamese network that tells which of two pictures is sharper at a place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH, STRIDE = 16, 2
REACH = 24
"""Samples beyond a place that its weight depends on, rounded up."""


class Siamese(nn.Module):
    """Shared branches of 64, 128 and 256 channels and one layer over both [Y. Liu et al., Inf. Fusion 36 (2017)
    191-207], the fully connected layers joined in one: 435,202 values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Conv2d(512, 2, PATCH // 2)

    def judge(self, first: Tensor, second: Tensor) -> Tensor:
        """Logits (N, 2, h, w), that of the sharper one larger, of pictures (N, 1, H, W): one place per 2 samples."""
        return self._judge(self.branch(first), self.branch(second))

    def _judge(self, first: Tensor, second: Tensor) -> Tensor:
        with torch.autocast(first.device.type, enabled=False):
            return self.head(torch.cat((first, second), dim=1).float())

    def forward(self, sources: Tensor) -> Tensor:
        """Weights (N, S, H, W) of sources (N, S, H, W): how often each is the sharper one, against all others.

        Every score counts for the whole patch it was taken from; both orders of a pair are asked, so
        that the order of the sources does not matter.
        """
        height, width = sources.shape[-2:]
        padding = (PATCH, PATCH + width % STRIDE, PATCH, PATCH + height % STRIDE)
        wide = F.pad(sources, padding, mode="replicate")
        features = [self.branch(source[:, None]) for source in wide.unbind(1)]
        total = [torch.zeros_like(sources[:, 0]) for _ in features]
        for first, one in enumerate(features):
            for second, other in enumerate(features):
                if first != second:
                    odds = torch.softmax(self._judge(one, other), dim=1)
                    total[first] = total[first] + _spread(odds[:, 0], height, width)
                    total[second] = total[second] + _spread(odds[:, 1], height, width)
        weights = torch.stack(total, dim=1)
        return weights / weights.sum(dim=1, keepdim=True)


def _spread(scores: Tensor, height: int, width: int) -> Tensor:
    """Mean of the scores (N, h, w) of all patches that hold a sample, (N, H, W)."""
    side = PATCH // STRIDE
    means = F.avg_pool2d(scores[:, None], side, stride=1)  # patches that start up to 8 places before
    shown = F.interpolate(means, scale_factor=STRIDE, mode="nearest")
    start = STRIDE  # the first place whose patches all hold one sample is 14 after the first, the padding is 16
    return shown[:, 0, start : start + height, start : start + width]
