"""Attention of channels and places, weighted by how much information each source has to preserve."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from MedFusionLib.networks.densefuse import DenseFuse
from MedFusionLib.transforms.filters import box_mean

TINY = 1e-6
TEMPER = 4.0
"""Divisor of the relative information: with 1 a smooth functional source would all but vanish."""


class InformationNet(DenseFuse):
    """Auto-encoder of MMI-Fuse, of the kind of DenseFuse: 74,193 values."""


def information(features: Tensor) -> Tensor:
    """How much there is to preserve, (N, S): mean squared Laplacian of features (N, S, C, H, W)."""
    inner = features[..., 1:-1, 1:-1]
    around = features[..., :-2, 1:-1] + features[..., 2:, 1:-1] + features[..., 1:-1, :-2] + features[..., 1:-1, 2:]
    return (around - 4 * inner).float().square().mean(dim=(-3, -2, -1))


def weighted_attention(features: Sequence[Tensor]) -> Tensor:
    """Fused features (N, C, H, W) of those of every source, (N, C, H, W) each.

    The shares of the sources by place (L1 norm) and by channel (mean) are each multiplied by the
    softmax of the information, scaled to one in sum, and averaged.
    """
    features = torch.stack(list(features), dim=1)
    degree = information(features)
    relative = degree / (TEMPER * degree.mean(dim=1, keepdim=True).clamp(min=TINY))
    degree = torch.softmax(relative, dim=1)[:, :, None, None, None]
    place = box_mean(features.abs().sum(dim=2, keepdim=True), 1, 2)
    channel = features.abs().mean(dim=(-2, -1), keepdim=True)
    return sum((features * _shares(activity * degree)).sum(dim=1) for activity in (place, channel)) / 2


def _shares(activity: Tensor) -> Tensor:
    total = activity.sum(dim=1, keepdim=True)
    return torch.where(total > TINY, activity / total.clamp(min=TINY), 1 / activity.shape[1])
