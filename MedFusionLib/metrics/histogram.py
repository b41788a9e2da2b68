"""Metrics from grey-level histograms: entropy and mutual information."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256


def grey_levels(image: Tensor) -> Tensor:
    """Values on the scale 0..255 as whole grey levels (int32)."""
    return image.round().clamp_(0, LEVELS - 1).to(torch.int32)


def entropy_of(probabilities: Tensor) -> float:
    """Entropy in bits of probabilities of any shape."""
    positive = probabilities[probabilities > 0]
    return abs(float((positive * positive.log2()).sum()))


def entropy(levels: Tensor) -> float:
    """Entropy in bits of an image of grey levels."""
    counts = torch.bincount(levels.reshape(-1), minlength=LEVELS).double()
    return entropy_of(counts / counts.sum())


def joint_histogram(first: Tensor, second: Tensor) -> Tensor:
    """(256, 256) float64 joint probabilities of two images of grey levels, slice by slice."""
    counts = torch.zeros(LEVELS * LEVELS, dtype=torch.int64, device=first.device)
    for a, b in zip(first, second):
        counts += torch.bincount((a * LEVELS + b).reshape(-1), minlength=LEVELS * LEVELS)
    return counts.double().div_(first.numel()).reshape(LEVELS, LEVELS)


def information(first: Tensor, second: Tensor) -> tuple[float, float, float]:
    """Mutual information, and the entropies of both images, in bits."""
    joint = joint_histogram(first, second)
    entropies = entropy_of(joint.sum(dim=1)), entropy_of(joint.sum(dim=0))
    return sum(entropies) - entropy_of(joint), *entropies


def mutual_information(sources: list[Tensor], fused: Tensor) -> tuple[float, float]:
    """MI in bits and Q_MI, both summed over the sources (grey levels, (K, H, W))."""
    total, normalised = 0.0, 0.0
    for source in sources:
        shared, own, other = information(source, fused)
        total += shared
        normalised += 2 * shared / (own + other) if own + other > 0 else 0.0
    return total, normalised
