"""Smooth windows in the frequency domain, and borders that let a periodic transform run without a seam."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

FINEST_SIGMA = 0.75
"""Standard deviation in samples of the first low pass; it doubles with every level."""
SEAM_TOLERANCE = 1e-3
"""Ends of an axis that differ by less need no transition between them (sources are in 0..1)."""


def low_pass(radius: Tensor, level: int) -> Tensor:
    """Gaussian low-pass window of a level: about one half at ``2^-(level + 1)`` cycles per finest sample.

    Gaussians are short in space as well, so that differences of them ring neither at edges nor around
    decisions. Level 0 passes everything.
    """
    if level == 0:
        return torch.ones_like(radius)
    sigma = FINEST_SIGMA * 2.0 ** (level - 1)
    return torch.exp(radius * radius * (-2 * (math.pi * sigma) ** 2))


def hat(distance: Tensor) -> Tensor:
    """``cos^2`` window of half width 1: hats at all whole numbers sum to 1."""
    return torch.cos(distance.abs().clamp(max=1) * (math.pi / 2)).square()


def axis_frequencies(shape: Sequence[int], spacing: Sequence[float]) -> list[Tensor]:
    """Per axis, frequencies in cycles per finest sample, shaped to broadcast over the half spectrum of `rfftn`.

    Frequencies are physical: an axis with thick voxels reaches lower ones. float64.
    """
    finest, ndim = min(spacing), len(shape)
    axes = []
    for axis, (length, step) in enumerate(zip(shape, spacing)):
        make = torch.fft.rfftfreq if axis == ndim - 1 else torch.fft.fftfreq
        values = make(length, dtype=torch.float64) * (finest / step)
        axes.append(values.reshape([-1 if other == axis else 1 for other in range(ndim)]))
    return axes


def symmetrise(window: Tensor, last_length: int) -> Tensor:
    """Make a half-spectrum window (..., last_length // 2 + 1) even on its self-conjugate planes, in place.

    There a window that differs between k and -k would be no real filter.
    """
    planes = [0, window.shape[-1] - 1] if last_length % 2 == 0 else [0]
    axes = tuple(range(window.ndim - 1))
    for plane in planes:
        values = window[..., plane]
        mirrored = values.flip(axes).roll([1] * len(axes), axes) if axes else values
        window[..., plane] = (values + mirrored) / 2
    return window


def extended_lengths(sources: Tensor, ndim: int, seam: int) -> tuple[int, ...]:
    """Lengths for a periodic transform of sources (..., *spatial) without a step at the borders.

    An axis whose two ends are one constant is periodic already; any other gets at least `seam`
    samples more, up to a length that transforms fast.
    """
    from scipy.fft import next_fast_len

    lengths = []
    for axis in range(-ndim, 0):
        length = sources.shape[axis]
        ends = (sources.select(axis, 0), sources.select(axis, length - 1))
        highest, lowest = max(float(end.max()) for end in ends), min(float(end.min()) for end in ends)
        is_periodic = length > 1 and highest - lowest <= SEAM_TOLERANCE
        lengths.append(length if is_periodic or length == 1 else next_fast_len(length + min(seam, length)))
    return tuple(lengths)


def extend(image: Tensor, lengths: Sequence[int]) -> Tensor:
    """Lengthen the last axes of an image: its mirrored end fades into its mirrored start."""
    for axis, length in zip(range(-len(lengths), 0), lengths):
        extra = length - image.shape[axis]
        if extra:
            image = torch.cat([image, seam(image, axis, extra)], dim=axis)
    return image


def seam(image: Tensor, axis: int, extra: int) -> Tensor:
    """The `extra` samples along one axis that lead from its mirrored end to its mirrored start."""
    last = image.shape[axis] - 1
    index = torch.arange(extra, device=image.device)
    end = image.index_select(axis, (last - index).clamp(min=0))
    start = image.index_select(axis, (extra - 1 - index).clamp(max=last))
    shape = [-1 if other == axis else 1 for other in range(-image.ndim, 0)]
    share = ((index + 0.5) / extra).to(image.dtype).reshape(shape)
    return torch.lerp(end, start, share)


def half_spectrum(images: Tensor, ndim: int) -> Tensor:
    """Values of `rfftn` over the last `ndim` axes (1 to 3), with the same bits whatever the number of threads.

    Given a volume in one call, MKL adds in an order that depends on their number on Intel processors.
    """
    spectrum = torch.fft.rfftn(images, dim=tuple(range(-min(ndim, 2), 0)))
    return torch.fft.fft(spectrum, dim=-3) if ndim == 3 else spectrum


def to_columns(images: Tensor) -> Tensor:
    """Half spectra (M, W // 2 + 1, H) of images (M, H, W), their columns contiguous in memory.

    The values of `rfft2`. That turns its data between its two steps in an order that misses the cache;
    plane by plane it takes a quarter of the time.
    """
    return torch.fft.fft(_turned(torch.fft.rfft(images)))


def from_columns(columns: Tensor, width: int) -> Tensor:
    """Images (M, H, W) of half spectra (M, W // 2 + 1, H): the inverse of `to_columns`."""
    return torch.fft.irfft(_turned(torch.fft.ifft(columns)), n=width)


def _turned(planes: Tensor) -> Tensor:
    """Every plane transposed, contiguous."""
    turned = planes.new_empty(planes.mT.shape)
    for plane, onto in zip(planes, turned):
        onto.copy_(plane.mT)
    return turned
