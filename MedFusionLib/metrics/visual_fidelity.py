"""Visual information fidelity: pixel domain (VIFp), and the fusion metric VIFF built on it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import gaussian_taps, smooth
from MedFusionLib.metrics.slab import Slab

SCALES = 4
NOISE = 2.0
VIFF_NOISE = 0.005 * 255.0**2
VIFF_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
LEAST_SIDE = 41
LEAST_VARIANCE, LEAST_CONTRAST = 1e-3, 1e-6
"""Windows below this variance, or variance over squared mean, count as flat: float32 cannot tell."""


def fidelity(slab: Slab) -> dict[str, Tensor]:
    """``vif`` (sum over the sources) and ``vif_w`` (the worse source) of each slice."""
    if min(slab.fused.shape[1:]) < LEAST_SIDE:
        none = slab.fused.new_full((len(slab.fused),), math.nan)
        return {"vif": none, "vif_w": none}
    values = torch.stack(information_fidelity(slab.sources, slab.fused))
    return {"vif": values.sum(dim=0), "vif_w": values.amin(dim=0)}


def information_fidelity(sources: list[Tensor], fused: Tensor) -> list[Tensor]:
    """VIFp of each source and slice (K, H, W) -> (K,); NaN for a source without structure."""
    told, known = [0.0] * len(sources), [0.0] * len(sources)
    for moments in _scales(sources, fused):
        for n, (gain, variance, rest) in enumerate(moments):
            known[n] = known[n] + (variance / NOISE).log1p_().sum(dim=(1, 2))
            told[n] = told[n] + gain.square_().mul_(variance).div_(rest.add_(NOISE)).log1p_().sum(dim=(1, 2))
    return [one / torch.where(all_ > 0, all_, math.nan) for one, all_ in zip(told, known)]


def fusion_fidelity(slab: Slab) -> dict[str, Tensor]:
    """``viff`` of each slice: at each window the source that F follows with the smaller gain."""
    if min(slab.fused.shape[1:]) < LEAST_SIDE:
        return {"viff": slab.fused.new_full((len(slab.fused),), math.nan)}
    total = 0.0
    for weight, moments in zip(VIFF_WEIGHTS, _scales(slab.sources, slab.fused)):
        gains, variances, rests = (torch.stack(parts) for parts in zip(*moments))
        # where gains tie (often at 0) the source with more to tell counts, whatever the order
        chosen = torch.where(gains == gains.amin(dim=0), variances, -1.0).argmax(dim=0, keepdim=True)
        gain, variance, rest = (parts.gather(0, chosen)[0] for parts in (gains, variances, rests))
        told = (gain.square() * variance / (rest + VIFF_NOISE)).log1p().sum(dim=(1, 2))
        known = (variance / VIFF_NOISE).log1p().sum(dim=(1, 2))
        if weight:
            total = total + weight * told / torch.where(known > 0, known, math.nan)
    return {"viff": total}


def _scales(sources: list[Tensor], fused: Tensor) -> Iterator[list[tuple[Tensor, Tensor, Tensor]]]:
    """Per scale and source: gain, variance of the source, and variance that the gain leaves unexplained."""
    for scale in range(SCALES):
        size = 2 ** (SCALES - scale) + 1
        taps = gaussian_taps(size, size / 5)
        if scale:
            *sources, fused = (smooth(image, taps)[:, ::2, ::2].contiguous() for image in (*sources, fused))
        mean_f = smooth(fused, taps)
        variance_f = _variance(fused, mean_f, taps)
        yield [_moments(source, fused, mean_f, variance_f, taps) for source in sources]


def _moments(source: Tensor, fused: Tensor, mean_f: Tensor, variance_f: Tensor, taps) -> tuple[Tensor, Tensor, Tensor]:
    mean = smooth(source, taps)
    variance = _variance(source, mean, taps)
    covariance = smooth(source * fused, taps).sub_(mean.mul_(mean_f))
    # a flat window tells nothing, and a negative gain counts as none
    gain = covariance / variance.clamp(min=LEAST_VARIANCE)
    gain.masked_fill_((variance == 0) | (variance_f == 0) | (gain < 0), 0)
    rest = torch.sub(variance_f, gain * covariance).clamp_(min=0)
    return gain, variance, rest


def _variance(image: Tensor, mean: Tensor, taps: tuple[float, ...]) -> Tensor:
    squared_mean = mean.square()
    variance = smooth(image.square(), taps).sub_(squared_mean)
    return variance.masked_fill_(variance < squared_mean.mul_(LEAST_CONTRAST).add_(LEAST_VARIANCE), 0)
