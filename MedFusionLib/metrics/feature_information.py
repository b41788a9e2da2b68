"""FMI: normalised mutual information of features in 3 x 3 windows (Haghighat et al. 2011).

Each window of a feature map, rescaled to 0..1 and divided by its sum, is taken as a distribution
over its nine places. The joint distribution of two windows is not observed; it is interpolated
between independence and the Frechet bound that fits the sign of their correlation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pywt
import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.metrics.filters import mean_inside, sobel_magnitude
from MedFusionLib.metrics.slab import Slab

WINDOW = 3
PLACES = WINDOW**2
CHUNK = 1 << 15
WAVELET = "dmey"


def features_in_common(slab: Slab, name: str) -> dict[str, Tensor]:
    """``fmi_<name>`` of each slice, mean over the sources."""
    key = f"fmi_{name}"
    if min(slab.fused.shape[1:]) < 2 * WINDOW:
        return {key: slab.fused.new_full((len(slab.fused),), math.nan)}
    feature = FEATURES[name]
    fused = feature(slab.fused)
    values = [mean_inside(_shared(feature(source), fused), slab.mask) for source in slab.sources]
    return {key: torch.stack(values).mean(dim=0)}


def cosine_coefficients(image: Tensor) -> Tensor:
    """Orthonormal type-II DCT of each slice."""
    rows, columns = (_cosines(length, image) for length in image.shape[1:])
    return rows @ image @ columns.T


def wavelet_coefficients(image: Tensor) -> Tensor:
    """One level of the periodised DWT (discrete Meyer), the four bands side by side."""
    options = {"dtype": image.dtype, "device": image.device}
    rows, columns = (torch.tensor(_wavelet_matrix(length), **options) for length in image.shape[1:])
    return rows @ image @ columns.T


FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "pixel": lambda image: image,
    "gradient": sobel_magnitude,
    "dct": cosine_coefficients,
    "wavelet": wavelet_coefficients,
}


def _shared(first: Tensor, second: Tensor) -> Tensor:
    """(K, H-2, W-2) normalised mutual information of all windows."""
    slices, height, width = first.shape
    shape = (slices, height - WINDOW + 1, width - WINDOW + 1)
    windows = [_windows(image) for image in (first, second)]
    parts = []
    for start in range(0, windows[0].shape[0], CHUNK):
        checkpoint()
        parts.append(_normalised_information(*(window[start : start + CHUNK] for window in windows)))
    return torch.cat(parts).reshape(shape)


def _windows(image: Tensor) -> Tensor:
    """(N, 9) view of all windows, column by column as the definition counts them."""
    return image.unfold(1, WINDOW, 1).unfold(2, WINDOW, 1).transpose(-1, -2).reshape(-1, PLACES)


def _normalised_information(first: Tensor, second: Tensor) -> Tensor:
    p, q = _distribution(first), _distribution(second)
    joint = _joint(p, q)
    entropy_p, entropy_q = _entropy(p), _entropy(q)
    shared = entropy_p + entropy_q - _entropy(joint.flatten(1))
    value = 2 * shared / (entropy_p + entropy_q).clamp(min=1e-12)
    return torch.where((first == second).all(dim=1), 1.0, torch.where(entropy_p + entropy_q > 0, value, 0.0))


def _distribution(values: Tensor) -> Tensor:
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    scaled = torch.where(high > low, (values - low) / (high - low), 1.0)
    return scaled / scaled.sum(dim=1, keepdim=True)


def _joint(p: Tensor, q: Tensor) -> Tensor:
    """(N, 9, 9) joint distribution."""
    cumulated_p, cumulated_q = p.cumsum(dim=1)[:, :, None], q.cumsum(dim=1)[:, None]
    independent = cumulated_p * cumulated_q
    centred_p, centred_q = p - 1 / PLACES, q - 1 / PLACES
    spread = centred_p.square().sum(dim=1) * centred_q.square().sum(dim=1)
    correlation = torch.where(spread > 0, (centred_p * centred_q).sum(dim=1) / spread.clamp(min=1e-30).sqrt(), 0.0)
    positive = (correlation >= 0)[:, None, None]
    upper = torch.minimum(cumulated_p, cumulated_q)
    lower = (cumulated_p + cumulated_q - 1).clamp(min=0)
    bound = torch.where(positive, upper, lower)
    limit = (bound - independent).sum(dim=(1, 2)) / (_deviation(p) * _deviation(q)).clamp(min=1e-12)
    share = torch.where(limit.abs() > 1e-9, correlation / limit, 0.0).clamp(0, 1)[:, None, None]
    cumulated = torch.nn.functional.pad(share * bound + (1 - share) * independent, (1, 0, 1, 0))
    return cumulated.diff(dim=1).diff(dim=2).clamp(min=0)


def _deviation(p: Tensor) -> Tensor:
    place = torch.arange(PLACES, dtype=p.dtype, device=p.device)
    mean = (p * place).sum(dim=1)
    return ((p * place.square()).sum(dim=1) - mean.square()).clamp(min=0).sqrt()


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p).sum(dim=1) / math.log(2)


def _cosines(length: int, like: Tensor) -> Tensor:
    place = torch.arange(length, dtype=torch.float64, device=like.device)
    matrix = torch.cos(math.pi / length * (place[None] + 0.5) * place[:, None]) * math.sqrt(2 / length)
    matrix[0] /= math.sqrt(2)
    return matrix.to(like.dtype)


@functools.lru_cache(maxsize=8)
def _wavelet_matrix(length: int) -> np.ndarray:
    low, high = pywt.dwt(np.eye(length), WAVELET, mode="periodization", axis=0)
    return np.concatenate([low, high])
