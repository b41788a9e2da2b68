"""Dense blocks with adversarial training: an encoder, the strongest feature vector, a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from MedFusionLib.networks.densefuse import DenseFuse, FeatureFusion


class DenseDCGAN(FeatureFusion):
    """Generator after C. Zhao et al., Neural Comput. Appl. 33 (2021) 6595-6610: 74,193 values, as DenseFuse."""

    def __init__(self) -> None:
        super().__init__(DenseFuse(), longest_features)


def longest_features(features: Sequence[Tensor]) -> Tensor:
    """Of the features (N, C, H, W) of the sources, per sample those whose largest entry is largest, or their mean."""
    first, *others = features
    strength = _strength(first)
    for other in others:
        rival = _strength(other)
        first = torch.where(rival > strength, other, torch.where(rival == strength, (first + other) / 2, first))
        strength = torch.maximum(strength, rival)
    return first


def _strength(features: Tensor) -> Tensor:
    return features.abs().amax(dim=1, keepdim=True)
