"""Local quality indices of fusion: Piella's Q, Q_W and Q_E, and Yang's Q_Y."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import box, gaussian_taps, mean_inside, smooth, sobel_magnitude, trimmed
from MedFusionLib.metrics.slab import Slab

WINDOW = 8
YANG_WINDOW, YANG_SIGMA, YANG_LIMIT, YANG_CONSTANT = 7, 1.5, 0.75, 2e-16
FLAT = 1e-9
"""Variance (grey levels squared, float64) below which a window counts as constant."""


def piella(slab: Slab) -> dict[str, Tensor]:
    """``q_piella``, ``q_w`` and ``q_e`` of each slice, windows 8 x 8 in the valid region."""
    if min(slab.fused.shape[1:]) < WINDOW + 2:
        none = slab.fused.new_full((len(slab.fused),), math.nan)
        return {"q_piella": none, "q_w": none, "q_e": none}
    plain, weighted = _piella(slab.sources, slab.fused, slab.mask)
    mask = None if slab.mask is None else slab.mask[:, 1:-1, 1:-1]
    _, edges = _piella([sobel_magnitude(source) for source in slab.sources], sobel_magnitude(slab.fused), mask)
    return {"q_piella": plain, "q_w": weighted, "q_e": weighted * edges}


def yang(slab: Slab) -> dict[str, Tensor]:
    """``q_y`` of each slice, Gaussian windows 7 x 7: similar sources share by variance, else the better one counts."""
    if min(slab.fused.shape[1:]) < YANG_WINDOW:
        return {"q_y": slab.fused.new_full((len(slab.fused),), math.nan)}
    variances = torch.stack([_moments(source, source)[2] for source in slab.sources])
    own = torch.stack([_yang_similarity(source, slab.fused) for source in slab.sources])
    alike = torch.ones_like(own[0], dtype=torch.bool)
    for n, source in enumerate(slab.sources):
        for other in slab.sources[n + 1 :]:
            alike &= _yang_similarity(source, other) >= YANG_LIMIT
    shared = (_shares(variances) * own).sum(dim=0)
    return {"q_y": mean_inside(torch.where(alike, shared, own.amax(dim=0)), slab.mask)}


def _piella(sources: list[Tensor], fused: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    mean_f = box(fused, WINDOW)
    variance_f = _flattened(box(fused.square(), WINDOW) - mean_f.square())
    variances, indices = [], []
    for source in sources:
        mean = box(source, WINDOW)
        variances.append(_flattened(box(source.square(), WINDOW) - mean.square()))
        covariance = box(source * fused, WINDOW) - mean * mean_f
        indices.append(_universal_index(mean, mean_f, variances[-1], variance_f, covariance))
    saliency = torch.stack(variances)
    local = (_shares(saliency) * torch.stack(indices)).sum(dim=0)
    weight = saliency.amax(dim=0)
    if mask is not None:
        weight = weight * trimmed(mask, weight.shape)
    total = weight.sum(dim=(1, 2))
    weighted = (local * weight).sum(dim=(1, 2)) / torch.where(total > 0, total, math.nan)
    return mean_inside(local, mask), weighted


def _universal_index(mean_a, mean_b, variance_a, variance_b, covariance) -> Tensor:
    """Wang and Bovik's Q0; where both windows are flat only the luminance counts."""
    squares, variances = mean_a.square() + mean_b.square(), variance_a + variance_b
    luminance = torch.where(squares > 0, 2 * mean_a * mean_b / squares, 1.0)
    return luminance * torch.where(variances > 0, 2 * covariance / variances, 1.0)


def _shares(saliency: Tensor) -> Tensor:
    """Saliency (S, K, H, W) as shares that add up to one; equal where there is none."""
    total = saliency.sum(dim=0)
    return torch.where(total > 0, saliency / total, 1 / len(saliency))


def _yang_similarity(first: Tensor, second: Tensor) -> Tensor:
    mean_a, mean_b, covariance = _moments(first, second)
    variances = _moments(first, first)[2] + _moments(second, second)[2]
    luminance = (2 * mean_a * mean_b + YANG_CONSTANT) / (mean_a.square() + mean_b.square() + YANG_CONSTANT)
    return luminance * (2 * covariance + YANG_CONSTANT) / (variances + YANG_CONSTANT)


def _moments(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    taps = gaussian_taps(YANG_WINDOW, YANG_SIGMA)
    mean_a, mean_b = smooth(first, taps), smooth(second, taps)
    return mean_a, mean_b, _flattened(smooth(first * second, taps) - mean_a * mean_b)


def _flattened(moment: Tensor) -> Tensor:
    return torch.where(moment.abs() < FLAT, 0.0, moment)
