"""Metrics from gradients: spatial frequency, average gradient, edge preservation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

STRENGTH = (0.9994, -15.0, 0.5)
ORIENTATION = (0.9879, -22.0, 0.8)


def spatial_frequency(image: Tensor) -> Tensor:
    """Spatial frequency of each slice (K, H, W) -> (K,)."""
    rows = (image[:, :, 1:] - image[:, :, :-1]).square().mean(dim=(1, 2))
    columns = (image[:, 1:] - image[:, :-1]).square().mean(dim=(1, 2))
    return (rows + columns).sqrt()


def average_gradient(image: Tensor) -> Tensor:
    """Average gradient of each slice (K, H, W) -> (K,)."""
    along_y, along_x = torch.gradient(image, dim=(1, 2))
    return along_y.square_().add_(along_x.square_()).mul_(0.5).sqrt_().mean(dim=(1, 2))


def sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient strength and orientation in -pi/2..pi/2 in the valid region, (K, H-2, W-2)."""
    across = image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]
    along_x = across[:, :, 2:] - across[:, :, :-2]
    down = image[:, :, :-2] + 2 * image[:, :, 1:-1] + image[:, :, 2:]
    along_y = down[:, 2:] - down[:, :-2]
    strength = (along_x.square() + along_y.square()).sqrt_()
    # atan(y / x) without a division by zero; an empty gradient gets 0
    flip = torch.where(along_x < 0, -1.0, 1.0)
    return strength, torch.atan2(along_y * flip, along_x * flip)


def edge_preservation(sources: list[Tensor], fused: Tensor) -> Tensor:
    """Q_AB/F of each slice (K, H, W) -> (K,); NaN where no source has a gradient."""
    fused_edges = sobel(fused)
    kept, total = 0.0, 0.0
    for source in sources:
        strength, orientation = sobel(source)
        kept = kept + (_preserved(strength, orientation, *fused_edges) * strength).sum(dim=(1, 2))
        total = total + strength.sum(dim=(1, 2))
    return kept / torch.where(total > 0, total, math.nan)


def _preserved(strength: Tensor, orientation: Tensor, fused_strength: Tensor, fused_orientation: Tensor) -> Tensor:
    highest = torch.maximum(strength, fused_strength)
    ratio = torch.minimum(strength, fused_strength).div_(highest.clamp(min=1e-12))
    ratio = torch.where(highest > 0, ratio, 1.0)
    turn = (orientation - fused_orientation).abs_()
    turn = torch.minimum(turn, math.pi - turn)
    agreement = turn.mul_(-2 / math.pi).add_(1)
    return _sigmoid(ratio, *STRENGTH).mul_(_sigmoid(agreement, *ORIENTATION))


def _sigmoid(values: Tensor, gain: float, slope: float, centre: float) -> Tensor:
    return values.sub_(centre).mul_(-slope).sigmoid_().mul_(gain)
