"""Phase congruency from the monogenic signal, in any number of dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.frequency import axis_frequencies, extend
from MedFusionLib.transforms.smoothing import crop

SHORTEST_WAVE = 3.0
GROWTH = 2.1
BANDWIDTH = 0.55
"""Standard deviation of a log-Gabor window over its centre, in logarithms."""
NOISE_FACTOR = 3.0
SMALLEST = 1e-4
LEAST_SPREAD, SPREAD_SLOPE = 0.5, 10.0
"""Agreement of a single scale means nothing: it counts when the amplitudes spread over the scales."""


def phase_congruency(image: Tensor, ndim: int, *, scales: int = 4, seam: int = 16) -> Tensor:
    """How much the phases of all scales agree, 0..1: high at edges and lines whatever their contrast.

    Parameters
    ----------
    image : (..., *spatial) Tensor
        The image, about 0..1.
    ndim : int
        Number of spatial axes.
    scales : int
        Number of log-Gabor scales, the finest with a wavelength of three samples.
    seam : int
        Samples over which opposite borders fade into each other.

    Notes
    -----
    P. Kovesi, "Image features from phase congruency", Videre 1 (1999) 1-26; the quadrature filters
    are replaced by the monogenic signal: M. Felsberg, G. Sommer, IEEE Trans. Signal Process. 49
    (2001) 3136-3144. Energy that noise explains is taken off: its level follows from the median
    amplitude of the finest scale.
    """
    axes = tuple(range(-ndim, 0))
    lengths = [length + min(seam, length) if length > 1 else 1 for length in image.shape[-ndim:]]
    spectrum = torch.fft.fftn(extend(image, lengths), dim=axes)
    frequencies = _full_frequencies(lengths, image)
    radius = torch.sqrt(sum(axis * axis for axis in frequencies))
    radius[(0,) * ndim] = 1.0
    sums = [torch.zeros_like(image) for _ in range(ndim + 1)]
    amplitudes, strongest, noise = torch.zeros_like(image), torch.zeros_like(image), None
    for scale in range(scales):
        checkpoint()
        window = _log_gabor(radius, 1 / (SHORTEST_WAVE * GROWTH**scale))
        filtered = spectrum * window
        parts = [torch.fft.ifftn(filtered, dim=axes).real]
        parts += [torch.fft.ifftn(filtered * (axis / radius) * 1j, dim=axes).real for axis in frequencies]
        parts = [crop(part, image) for part in parts]
        amplitude = torch.sqrt(sum(part * part for part in parts))
        amplitudes += amplitude
        strongest = torch.maximum(strongest, amplitude)
        noise = _noise(amplitude, ndim) if noise is None else noise
        for total, part in zip(sums, parts):
            total += part
    energy = torch.sqrt(sum(part * part for part in sums))
    total_noise = noise * (1 - GROWTH**-scales) / (1 - 1 / GROWTH)
    agreement = (energy - NOISE_FACTOR * total_noise).clamp_(min=0) / (amplitudes + SMALLEST)
    spread = (amplitudes / (strongest + SMALLEST) - 1) / max(scales - 1, 1)
    return agreement * torch.sigmoid((spread - LEAST_SPREAD) * SPREAD_SLOPE)


def _log_gabor(radius: Tensor, centre: float) -> Tensor:
    window = torch.exp(-(torch.log(radius / centre) ** 2) / (2 * math.log(BANDWIDTH) ** 2))
    window[(0,) * window.ndim] = 0
    return window


def _noise(amplitude: Tensor, ndim: int) -> Tensor:
    """Mean energy of noise at the finest scale, from the median of its (Rayleigh) amplitude."""
    flat = amplitude.flatten(-ndim)
    median = flat.median(dim=-1).values / math.sqrt(math.log(4)) * math.sqrt(math.pi / 2)
    return median.reshape(*median.shape, *[1] * ndim)


def _full_frequencies(lengths: list[int], like: Tensor) -> list[Tensor]:
    axes = axis_frequencies([*lengths], [1.0] * len(lengths))
    last = torch.fft.fftfreq(lengths[-1], dtype=torch.float64).reshape([1] * (len(lengths) - 1) + [-1])
    return [axis.to(like.device, like.dtype) for axis in (*axes[:-1], last)]
