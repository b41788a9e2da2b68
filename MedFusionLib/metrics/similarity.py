"""Structural similarity, at one scale and at five."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import box, gaussian_taps, mean_inside, smooth
from MedFusionLib.metrics.slab import Slab

WINDOW, SIGMA = 11, 1.5
RANGE = 255.0
MIDDLE = 127.5
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEGACY_RANGE, LEGACY_WINDOW = 2.0, 7


def similarities(slab: Slab) -> dict[str, Tensor]:
    """``ssim`` (mean over the sources) and ``ssim_w`` (the worse source) of each slice."""
    values = torch.stack([structural_similarity(source, slab.fused, slab.mask) for source in slab.sources])
    return {"ssim": values.mean(dim=0), "ssim_w": values.amin(dim=0)}


def structural_similarity(first: Tensor, second: Tensor, mask: Tensor | None = None) -> Tensor:
    """SSIM of each slice (K, H, W) -> (K,), Gaussian window, valid region; NaN below 11 samples."""
    if min(first.shape[1:]) < WINDOW:
        return first.new_full((first.shape[0],), math.nan)
    luminance, structure = _maps(first, second)
    return mean_inside(luminance.mul_(structure), mask)


def multi_scale(slab: Slab) -> dict[str, Tensor]:
    """``ms_ssim`` of each slice, mean over the sources; NaN below 176 samples."""
    values = [multi_scale_similarity(source, slab.fused) for source in slab.sources]
    return {"ms_ssim": torch.stack(values).mean(dim=0)}


def multi_scale_similarity(first: Tensor, second: Tensor) -> Tensor:
    """MS-SSIM of each slice (K, H, W) -> (K,): five levels, halved by 2 x 2 means; negatives count as 0."""
    if min(first.shape[1:]) < WINDOW << (len(SCALE_WEIGHTS) - 1):
        return first.new_full((first.shape[0],), math.nan)
    product = 1.0
    for level, weight in enumerate(SCALE_WEIGHTS):
        luminance, structure = _maps(first, second)
        last = level == len(SCALE_WEIGHTS) - 1
        term = (luminance * structure if last else structure).mean(dim=(1, 2))
        product = product * term.clamp(min=0).pow(weight)
        if not last:
            first, second = (torch.nn.functional.avg_pool2d(image[:, None], 2)[:, 0] for image in (first, second))
    return product


def legacy_similarity(slab: Slab) -> dict[str, Tensor]:
    """``ssim_legacy`` of each slice: range 2 although the grey levels reach 255, sum over the sources."""
    if min(slab.fused.shape[1:]) < LEGACY_WINDOW:
        return {"ssim_legacy": slab.fused.new_full((len(slab.fused),), math.nan)}
    return {"ssim_legacy": sum(_legacy(source, slab.fused) for source in slab.sources)}


def _legacy(first: Tensor, second: Tensor) -> Tensor:
    samples = LEGACY_WINDOW**2
    unbiased = samples / (samples - 1)
    c1, c2 = (0.01 * LEGACY_RANGE) ** 2, (0.03 * LEGACY_RANGE) ** 2
    mean_a, mean_b = box(first, LEGACY_WINDOW), box(second, LEGACY_WINDOW)
    variances = unbiased * (box(first.square() + second.square(), LEGACY_WINDOW) - mean_a**2 - mean_b**2)
    covariance = unbiased * (box(first * second, LEGACY_WINDOW) - mean_a * mean_b)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * (2 * covariance + c2) / (variances + c2)).mean(dim=(1, 2))


def _maps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance term, and contrast-structure term, in the valid region."""
    taps = gaussian_taps(WINDOW, SIGMA)
    # variances do not change with the zero point, and lose the fewest digits in float32 around the middle
    first, second = first - MIDDLE, second - MIDDLE
    mean_a, mean_b = smooth(first, taps), smooth(second, taps)
    variances = smooth(first.square().add_(second.square()), taps).sub_(mean_a.square()).sub_(mean_b.square())
    covariance = smooth(first.mul_(second), taps).sub_(mean_a * mean_b)
    mean_a, mean_b = mean_a.add_(MIDDLE), mean_b.add_(MIDDLE)
    product = mean_a * mean_b
    squares = mean_a.square_().add_(mean_b.square_())
    structure = covariance.mul_(2).add_(C2).div_(variances.add_(C2))
    return product.mul_(2).add_(C1).div_(squares.add_(C1)), structure
