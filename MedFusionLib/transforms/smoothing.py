"""Smoothers that split an image into a base and what remains: two-scale decompositions.

Every function takes an image (..., *spatial) with `ndim` spatial axes and returns its base; the
detail is the difference, so that the split is exact by construction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.filters import box_mean, gaussian
from MedFusionLib.transforms.frequency import axis_frequencies, extend, half_spectrum

Radius = int | Sequence[int]


def guided_filter(image: Tensor, guide: Tensor, radius: Radius, epsilon: float, ndim: int) -> Tensor:
    """Smooth an image where its guide is flat, keep edges where the guide has them.

    Parameters
    ----------
    image, guide : (..., *spatial) Tensor
        The image, and the guide on the same grid.
    radius : int or one per axis
        Half size of the window in samples.
    epsilon : float
        Variance of the guide (squared units of it) below which it counts as flat.

    Notes
    -----
    K. He, J. Sun, X. Tang, "Guided image filtering", IEEE Trans. Pattern Anal. Mach. Intell. 35
    (2013) 1397-1409.
    """
    mean_guide, mean_image = box_mean(guide, radius, ndim), box_mean(image, radius, ndim)
    covariance = box_mean(guide * image, radius, ndim) - mean_guide * mean_image
    variance = (box_mean(guide * guide, radius, ndim) - mean_guide * mean_guide).clamp_(min=0)
    slope = covariance / (variance + epsilon)
    offset = mean_image - slope * mean_guide
    return box_mean(slope, radius, ndim) * guide + box_mean(offset, radius, ndim)


def rolling_guidance(
    image: Tensor,
    sigma: float | Sequence[float],
    epsilon: float,
    ndim: int,
    *,
    radius: Radius = 4,
    rounds: int = 4,
) -> Tensor:
    """Remove structures smaller than `sigma` samples (one number, or one per axis), restore edges of larger ones.

    Q. Zhang, X. Shen, L. Xu, J. Jia, "Rolling guidance filter", Proc. ECCV (2014) 815-830; with the
    guided filter as the edge-preserving step.
    """
    guide = gaussian(image, sigma, ndim)
    for _ in range(rounds):
        checkpoint()
        guide = guided_filter(image, guide, radius, epsilon, ndim)
    return guide


def tikhonov(image: Tensor, strength: float, spacing: Sequence[float], lengths: Sequence[int]) -> Tensor:
    """Minimise ``|u - image|^2 + strength |grad u|^2`` in the frequency domain.

    Parameters
    ----------
    image : (..., *spatial) Tensor
        The image.
    strength : float
        Weight of the squared gradient (differences between the finest samples).
    spacing : sequence of float
        Sample distance along the spatial axes.
    lengths : sequence of int
        Size of the periodic extension, see `frequency.extended_lengths`.

    Notes
    -----
    As base and detail split: Y. Liu et al., "Image fusion with convolutional sparse representation",
    IEEE Signal Process. Lett. 23 (2016) 1882-1886.
    """
    return _filtered(image, lengths, 1 / (1 + strength * squared_gradient(spacing, lengths)))


def frequency_base(image: Tensor, cutoff: float, spacing: Sequence[float], lengths: Sequence[int]) -> Tensor:
    """Gaussian low pass that halves frequencies of `cutoff` cycles per finest sample."""
    axes = axis_frequencies(lengths, spacing)
    squared = sum(axis * axis for axis in axes)
    return _filtered(image, lengths, torch.exp(-squared * (0.6931471805599453 / cutoff**2)))


def l0_smoothing(
    image: Tensor, strength: float, spacing: Sequence[float], lengths: Sequence[int], *, growth: float = 2.0
) -> Tensor:
    """Keep the strong edges and flatten everything between them: few non-zero gradients.

    Half-quadratic splitting: gradients below the threshold are set to zero, the image that fits
    them is found in the frequency domain, and the coupling grows until it holds the two together.

    Parameters
    ----------
    image : (N, ..., *spatial) Tensor
        In 0..1.
    strength : float
        Price of a non-zero gradient.
    spacing, lengths : sequence
        See `tikhonov`.
    growth : float
        Factor of the coupling per round.

    Notes
    -----
    L. Xu, C. Lu, Y. Xu, J. Jia, "Image smoothing via L0 gradient minimization", ACM Trans. Graph. 30
    (2011) 174.
    """
    ndim = len(lengths)
    start = extend(image, lengths)
    known = half_spectrum(start, ndim)
    scale = [min(spacing) / step for step in spacing]
    penalty = squared_gradient(spacing, lengths).to(image.device, image.dtype)
    base, coupling = start, 2 * strength
    while coupling < 1e5:
        checkpoint()
        steps = [_forward(base, axis, factor) for axis, factor in zip(range(-ndim, 0), scale)]
        weak = sum(step * step for step in steps) <= strength / coupling
        divergence = torch.zeros_like(base)
        for step, axis, factor in zip(steps, range(-ndim, 0), scale):
            step.masked_fill_(weak, 0)
            divergence += (step.roll(1, axis) - step) * factor
        spectrum = known + coupling * half_spectrum(divergence, ndim)
        base = torch.fft.irfftn(spectrum / (1 + coupling * penalty), s=tuple(lengths), dim=tuple(range(-ndim, 0)))
        coupling *= growth
    return crop(base, image)


def squared_gradient(spacing: Sequence[float], lengths: Sequence[int]) -> Tensor:
    """Squared modulus of the forward differences' transfer function on the half spectrum, float64.

    Differences are per finest sample distance.
    """
    finest, total = min(spacing), 0
    for axis, step in zip(axis_frequencies(lengths, spacing), spacing):
        per_sample = axis * (step / finest)
        total = total + (2 - 2 * torch.cos(2 * torch.pi * per_sample)) * (finest / step) ** 2
    return total


def crop(image: Tensor, like: Tensor) -> Tensor:
    """The first samples of an extended image, as many as `like` has."""
    for axis in range(-min(image.ndim, like.ndim), 0):
        image = image.narrow(axis, 0, like.shape[axis])
    return image


def _forward(image: Tensor, axis: int, factor: float) -> Tensor:
    return (image.roll(-1, axis) - image).mul_(factor)


def _filtered(image: Tensor, lengths: Sequence[int], window: Tensor) -> Tensor:
    axes = tuple(range(-len(lengths), 0))
    spectrum = half_spectrum(extend(image, lengths), len(axes))
    spectrum *= window.to(image.device, image.dtype)
    return crop(torch.fft.irfftn(spectrum, s=tuple(lengths), dim=axes), image)
