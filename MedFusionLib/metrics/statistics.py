"""Metrics from sums over all voxels: deviation, errors, correlations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.metrics.slab import Slab

PEAK = 255.0
_MIDDLE = 127.5
LEAST_VARIANCE = 1e-9


class Moments:
    """``sd``, ``mse``, ``rmse``, ``psnr``, ``psnr_legacy``, ``cc``, ``scd`` from the joint second moments."""

    def __init__(self, wanted: set[str]) -> None:
        self.count = 0
        self.sums: Tensor | float = 0.0
        self.products: Tensor | float = 0.0
        self.brightest: Tensor | float = -math.inf

    def add(self, slab: Slab) -> None:
        """Add one slab; sums in float64 around the middle of the scale."""
        for k in range(len(slab.fused)):
            images = [image[k] for image in (*slab.sources, slab.fused)]
            if slab.mask is not None:
                images = [image[slab.mask[k]] for image in images]
            values = torch.stack([image.reshape(-1) for image in images]).double().sub_(_MIDDLE)
            self.count += values.shape[1]
            self.sums = self.sums + values.sum(dim=1)
            self.products = self.products + values @ values.T
            if values.shape[1]:
                self.brightest = torch.maximum(values[-1].max(), torch.as_tensor(self.brightest).to(values))

    def result(self) -> dict[str, float]:
        """The metrics; NaN where a constant image leaves them undefined."""
        if self.count == 0:
            return dict.fromkeys(("sd", "mse", "rmse", "psnr", "psnr_legacy", "cc", "scd"), math.nan)
        second = (self.products / self.count).cpu()
        mean = (self.sums / self.count).cpu()
        covariance = second - mean[:, None] * mean
        last, sources = len(mean) - 1, range(len(mean) - 1)
        errors = [max(0.0, float(second[n, n] - 2 * second[n, last] + second[last, last])) for n in sources]
        mse = sum(errors) / len(errors)
        return {
            "sd": math.sqrt(max(0.0, float(covariance[last, last]))),
            "mse": mse,
            "rmse": math.sqrt(mse),
            "psnr": _decibels(PEAK, mse),
            "psnr_legacy": _decibels(float(self.brightest) + _MIDDLE, mse),
            "cc": sum(_correlation(covariance, _unit(n, last), _unit(last, last)) for n in sources) / len(errors),
            "scd": _differences(covariance, last),
        }


def _differences(covariance: Tensor, last: int) -> float:
    """Sum over the sources of corr(A, F - mean of the other sources)."""
    total = 0.0
    for n in range(last):
        rest = torch.full((last + 1,), -1 / (last - 1), dtype=torch.float64)
        rest[n], rest[last] = 0, 1
        total += _correlation(covariance, _unit(n, last), rest)
    return total


def _unit(index: int, last: int) -> Tensor:
    vector = torch.zeros(last + 1, dtype=torch.float64)
    vector[index] = 1
    return vector


def _correlation(covariance: Tensor, first: Tensor, second: Tensor) -> float:
    """Correlation of two weighted sums of the images; NaN when one of them is constant."""
    variances = float(first @ covariance @ first), float(second @ covariance @ second)
    if min(variances) < LEAST_VARIANCE:
        return math.nan
    return float(first @ covariance @ second) / math.sqrt(variances[0] * variances[1])


def _decibels(peak: float, error: float) -> float:
    if error < LEAST_VARIANCE:
        return math.inf
    return 10 * math.log10(peak**2 / error) if peak > 0 else math.nan
