"""Edge preservation: Q_AB/F, and how the rest splits into loss L_AB/F and artefacts N_AB/F."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import sobel_components, trimmed
from MedFusionLib.metrics.slab import Slab

STRENGTH, ORIENTATION = (0.9994, -15.0, 0.5), (0.9879, -22.0, 0.8)
ARTEFACT_STRENGTH, ARTEFACT_ORIENTATION = (0.9999, -19.0, 0.5), (0.9995, -22.0, 0.5)
SOBEL_SUM = 8.0
TINY = 1e-12
"""Makes two gradients of 0 equal."""
LEAST_EDGE, LEAST_WEIGHT, EDGE_POWER = 2.0, 1e-3, 1.5


def sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient strength and direction in -pi..pi in the valid region, (K, H-2, W-2); an empty gradient gets 0 or pi."""
    along_x, along_y = sobel_components(image)
    strength = (along_x.square() + along_y.square()).sqrt_()
    return strength, torch.atan2(along_y, along_x)


def edge_preservation(sources: list[Tensor], fused: Tensor, mask: Tensor | None = None) -> Tensor:
    """Q_AB/F of each slice (K, H, W) -> (K,); NaN where no source has a gradient."""
    fused_edges = sobel(fused)
    kept, total = 0.0, 0.0
    for source in sources:
        strength, orientation = sobel(source)
        quality = _preserved(strength, orientation, *fused_edges)
        if mask is not None:
            strength = strength * trimmed(mask, strength.shape)
        kept = kept + quality.mul_(strength).sum(dim=(1, 2))
        total = total + strength.sum(dim=(1, 2))
    return kept / torch.where(total > 0, total, math.nan)


def kept_edges(slab: Slab) -> dict[str, Tensor]:
    """``qabf`` of each slice."""
    return {"qabf": edge_preservation(slab.sources, slab.fused, slab.mask)}


def lost_and_invented_edges(slab: Slab) -> dict[str, Tensor]:
    """``labf`` and ``nabf`` of each slice, valid region."""
    lost, invented = _split_loss(slab.sources, slab.fused, slab.mask)
    return {"labf": lost, "nabf": invented}


def legacy_edges(slab: Slab) -> dict[str, Tensor]:
    """``qabf_legacy``, ``labf_legacy`` and ``nabf_legacy`` of each slice, with their border effects."""
    around = [torch.nn.functional.pad(image[:, None], (1, 1, 1, 1), mode="circular")[:, 0]
              for image in (*slab.sources, slab.fused)]  # fmt: skip
    lost, invented = _split_loss(around[:-1], around[-1], None)
    return {"qabf_legacy": _legacy_preservation(slab), "labf_legacy": lost, "nabf_legacy": invented}


def _split_loss(sources: list[Tensor], fused: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    fused_strength, fused_orientation = sobel(fused)
    weak = torch.zeros_like(fused_strength, dtype=torch.bool)
    missing, total = 0.0, 0.0
    for source in sources:
        strength, orientation = sobel(source)
        weak |= fused_strength <= strength
        quality = _preserved(
            strength, orientation, fused_strength, fused_orientation, ARTEFACT_STRENGTH, ARTEFACT_ORIENTATION
        ).sqrt_()  # fmt: skip
        height = strength / SOBEL_SUM
        weight = torch.where(height >= LEAST_EDGE, height.pow(EDGE_POWER), LEAST_WEIGHT)
        if mask is not None:
            weight = weight * trimmed(mask, weight.shape)
        missing = missing + (1 - quality) * weight
        total = total + weight.sum(dim=(1, 2))
    total = torch.where(total > 0, total, math.nan)
    return (missing * weak).sum(dim=(1, 2)) / total, (missing * ~weak).sum(dim=(1, 2)) / total


def _preserved(
    strength: Tensor, orientation: Tensor, fused_strength: Tensor, fused_orientation: Tensor,
    strength_curve: tuple = STRENGTH, orientation_curve: tuple = ORIENTATION,
) -> Tensor:  # fmt: skip
    highest = torch.maximum(strength, fused_strength).add_(TINY)
    ratio = torch.minimum(strength, fused_strength).add_(TINY).div_(highest)
    # opposite directions are one orientation: 1 at turns of 0, pi and 2 pi, 0 at right angles
    turn = (orientation - fused_orientation).abs_()
    agreement = turn.sub_(math.pi).abs_().sub_(math.pi / 2).abs_().mul_(2 / math.pi)
    return _sigmoid(ratio, *strength_curve).mul_(_sigmoid(agreement, *orientation_curve))


def _legacy_preservation(slab: Slab) -> Tensor:
    """Zero-padded borders, no wrap of the angle, equal strengths taken as the strength itself."""
    fused_strength, fused_angle = _legacy_sobel(slab.fused)
    kept, total = 0.0, 0.0
    for source in slab.sources:
        strength, angle = _legacy_sobel(source)
        highest, lowest = torch.maximum(strength, fused_strength), torch.minimum(strength, fused_strength)
        ratio = torch.where(strength == fused_strength, fused_strength, lowest / highest)
        agreement = 1 - (angle - fused_angle).abs() / (math.pi / 2)
        quality = _sigmoid(ratio, *STRENGTH) * _sigmoid(agreement, *ORIENTATION)
        kept = kept + (quality * strength).sum(dim=(1, 2))
        total = total + strength.sum(dim=(1, 2))
    return kept / torch.where(total > 0, total, math.nan)


def _legacy_sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    along_x, along_y = sobel_components(torch.nn.functional.pad(image, (1, 1, 1, 1)))
    angle = torch.where(along_x == 0, math.pi / 2, torch.atan(-along_y / along_x))
    return (along_x.square() + along_y.square()).sqrt(), angle


def _sigmoid(values: Tensor, gain: float, slope: float, centre: float) -> Tensor:
    return values.sub_(centre).mul_(-slope).sigmoid_().mul_(gain)
