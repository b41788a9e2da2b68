"""Metrics that model the eye: Q_CB of Chen and Blum, Q_CV of Chen and Varshney."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import gaussian_taps, smooth, sobel_magnitude
from MedFusionLib.metrics.frequency import filtered, frequency_grid
from MedFusionLib.metrics.slab import Slab

PEAK, SURROUND, SURROUND_GAIN = 15.3870, 1.3456, 0.7622
SAMPLES_PER_DEGREE = 15.0
REACH = 15
CENTRE_SIGMA, RING_SIGMA = 2.0, 4.0
MASKING = (1.0, 1.0, 3.0, 2.0, 1e-4)
BLOCK, SALIENCY_POWER = 16, 5
FALL, DIP, DIP_GAIN, BLOCK_SAMPLES_PER_DEGREE = 97.3227, 12.1653, 0.685, 4.0


def contrast_preservation(slab: Slab) -> dict[str, Tensor]:
    """``q_cb`` of each slice: ratio of masked contrasts after the contrast sensitivity filter."""
    fused = _masked_contrast(slab.fused)
    contrasts = torch.stack([_masked_contrast(source) for source in slab.sources])
    highest, lowest = torch.maximum(contrasts, fused), torch.minimum(contrasts, fused)
    kept = torch.where(highest > 0, lowest / highest, 1.0)
    squares = contrasts.square()
    total = squares.sum(dim=0)
    shares = torch.where(total > 0, squares / total, 1 / len(contrasts))
    return {"q_cb": (shares * kept).sum(dim=0).mean(dim=(1, 2))}


def regional_error(slab: Slab) -> dict[str, Tensor]:
    """``q_cv`` of each slice: squared differences as the eye sees them, weighted by edges in 16 x 16 blocks."""
    if min(slab.fused.shape[1:]) < BLOCK:
        return {"q_cv": slab.fused.new_full((len(slab.fused),), math.nan)}
    radius = _radius(slab.fused, BLOCK_SAMPLES_PER_DEGREE * 2)
    response = torch.exp(-(radius / FALL).square()) - DIP_GAIN * torch.exp(-(radius / DIP).square())
    error, total = 0.0, 0.0
    for source in slab.sources:
        edges = torch.nn.functional.pad(sobel_magnitude(source), (1, 1, 1, 1))
        saliency = _block_means(edges.pow(SALIENCY_POWER))
        error = error + (saliency * _block_means(filtered(source - slab.fused, response).square())).sum(dim=(1, 2))
        total = total + saliency.sum(dim=(1, 2))
    return {"q_cv": error / torch.where(total > 0, total, math.nan)}


def _masked_contrast(image: Tensor) -> Tensor:
    radius = _radius(image, 2 * SAMPLES_PER_DEGREE)
    response = torch.exp(-(radius / PEAK).square()) - SURROUND_GAIN * torch.exp(-(radius / SURROUND).square())
    seen = torch.nn.functional.pad(filtered(image, response), (REACH,) * 4)
    size = 2 * REACH + 1
    centre, ring = smooth(seen, gaussian_taps(size, CENTRE_SIGMA)), smooth(seen, gaussian_taps(size, RING_SIGMA))
    contrast = torch.where(ring.abs() > 1e-6, centre / ring - 1, 0.0).abs()
    gain, floor_gain, power, floor_power, least = MASKING
    return gain * contrast.pow(power) / (floor_gain * contrast.pow(floor_power) + least)


def _radius(image: Tensor, samples: float) -> Tensor:
    """Radial frequency in cycles per degree, for `samples` half periods of the image per degree."""
    along_y, along_x = frequency_grid(image)
    height, width = image.shape[-2:]
    return ((along_y * 2 * height / samples).square() + (along_x * 2 * width / samples).square()).sqrt()


def _block_means(image: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(image[:, None], BLOCK)[:, 0]
