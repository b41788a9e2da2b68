"""Convolutional sparse coding: an image as a sum of short filters convolved with sparse maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.frequency import from_columns, to_columns

ITERATIONS_PER_CHECK = 5
FILTER_STEP = 0.005
"""Step of the filters, whose length is 1."""
FILTERS_AT_ONCE = 4
"""Maps transformed together: more fall out of the cache."""


@dataclass(frozen=True, eq=False)
class Coder:
    """Find sparse maps for images of one size, by the alternating direction method of multipliers.

    Minimises ``1/2 |sum_m d_m * x_m - s|^2 + sparsity sum_m |x_m|_1``. The quadratic step is solved
    per frequency by the Sherman-Morrison formula; borders are periodic.

    Parameters
    ----------
    filters : (M, h, w) Tensor
        Filters of length 1.
    sparsity : float
        Weight of the moduli (images are in 0..1).
    penalty : float
        Coupling of both halves of the problem; ``100 sparsity + 0.5`` works well.
    iterations : int
        Largest number of iterations.
    tolerance : float
        Relative change of the maps at which to stop; only asked on the CPU, where asking costs nothing.

    Notes
    -----
    B. Wohlberg, "Efficient algorithms for convolutional sparse representations", IEEE Trans. Image
    Process. 25 (2016) 301-315.
    """

    filters: Tensor
    sparsity: float = 0.01
    penalty: float = 1.5
    iterations: int = 30
    tolerance: float = 1e-3

    def code(self, image: Tensor, start: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Sparse maps (M, H, W) of an image (H, W), and the scaled multipliers.

        Both together, of a similar image (the neighbouring slice), make a good start.
        """
        spectrum = filter_spectrum(self.filters.to(image.device, image.dtype), image.shape).mT.contiguous()
        power = spectrum.abs().square().sum(dim=0) + self.penalty
        opposite, target = spectrum.conj().resolve_conj(), to_columns(image[None])[0]
        shape = (len(self.filters), *image.shape)
        maps, multipliers = start or (image.new_zeros(shape), image.new_zeros(shape))
        held, multipliers = maps - multipliers, multipliers.clone()
        few = [slice(first, first + FILTERS_AT_ONCE) for first in range(0, len(maps), FILTERS_AT_ONCE)]
        bound = self.sparsity / self.penalty
        for number in range(self.iterations):
            checkpoint()
            dense = [to_columns(held[part]) for part in few]
            missing = target.clone()
            for part, bands in zip(few, dense):
                for filtered, band in zip(spectrum[part], bands):
                    missing.addcmul_(filtered, band, value=-1)
            missing /= power
            asks, moved = self._asks(image, number), 0.0
            for part, bands in zip(few, dense):
                bands.addcmul_(opposite[part], missing)
                raised = from_columns(bands, image.shape[1]).add_(multipliers[part])
                before = held[part] + multipliers[part] if asks else None
                torch.clamp(raised, -bound, bound, out=multipliers[part])
                torch.sub(raised, multipliers[part], alpha=2, out=held[part])
                if asks:
                    moved += float((raised - multipliers[part] - before).square().sum())
            if asks and self._settled(moved, float((held + multipliers).square().sum()), image):
                break
        return held + multipliers, multipliers

    def rebuild(self, maps: Tensor) -> Tensor:
        """The image (..., H, W) that maps (..., M, H, W) stand for."""
        spectrum = filter_spectrum(self.filters.to(maps.device, maps.dtype), maps.shape[-2:])
        return torch.fft.irfft2((spectrum * torch.fft.rfft2(maps)).sum(dim=-3), s=maps.shape[-2:])

    def _settled(self, moved: float, size: float, image: Tensor) -> bool:
        """Whether the maps changed little; the first steps from nothing may leave all of them at 0."""
        return moved <= self.tolerance**2 * size and (size > 0 or not bool(image.any()))

    def _asks(self, image: Tensor, number: int) -> bool:
        """Whether this iteration asks for the change of the maps."""
        return image.device.type == "cpu" and self.tolerance > 0 and number % ITERATIONS_PER_CHECK == 0


def filter_spectrum(filters: Tensor, shape: tuple[int, int] | torch.Size) -> Tensor:
    """Half spectrum (M, H, W // 2 + 1) of filters that begin at the origin."""
    return torch.fft.rfft2(filters, s=tuple(shape))


def learn_filters(
    images: Tensor,
    start: Tensor,
    *,
    rounds: int = 20,
    sparsity: float = 0.01,
    report: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Filters that code images sparsely, by turns of coding and gradient steps on the filters.

    Parameters
    ----------
    images : (B, H, W) Tensor
        Detail images of one size, about 0 on average.
    start : (M, h, w) Tensor
        Filters to begin with, for example atoms that K-SVD learned from patches of the images:
        random ones stay noise for very long.
    rounds : int
        Turns; every one carries on with the maps of the one before.
    sparsity : float
        As for `Coder`.
    report : callable
        ``report(round, objective)``: what the coder minimises, per sample.

    Returns
    -------
    (M, h, w) Tensor
        Filters of length 1.
    """
    filters = _normalised(start)
    states: list = [None] * len(images)
    for number in range(rounds):
        coder = Coder(filters, sparsity, 100 * sparsity + 0.5, iterations=10, tolerance=0.0)
        states = [coder.code(image, state) for image, state in zip(images, states)]
        maps = torch.stack([each for each, _ in states])
        if report:
            left = coder.rebuild(maps) - images
            report(number, float((0.5 * left.square().sum() + sparsity * maps.abs().sum()) / images.numel()))
        filters = _better_filters(filters, images, torch.fft.rfft2(maps))
    return filters


def _better_filters(filters: Tensor, images: Tensor, spectra: Tensor, steps: int = 15) -> Tensor:
    """A few steps of Adam on the error with the maps (their spectra) held."""
    free = filters.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=FILTER_STEP)
    for _ in range(steps):
        checkpoint()
        optimiser.zero_grad()
        spectrum = filter_spectrum(_normalised(free), images.shape[-2:])
        rebuilt = torch.fft.irfft2((spectrum * spectra).sum(dim=1), s=tuple(images.shape[-2:]))
        (rebuilt - images).square().sum().backward()
        optimiser.step()
    return _normalised(free.detach())


def _normalised(filters: Tensor) -> Tensor:
    return filters / filters.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
