"""Convolutional sparse coding: an image as a sum of short filters convolved with sparse maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint

ITERATIONS_PER_CHECK = 5
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
        spectrum = filter_spectrum(self.filters.to(image.device, image.dtype), image.shape)
        power = spectrum.abs().square().sum(dim=0) + self.penalty
        opposite, dense, target = spectrum.conj().resolve_conj(), torch.empty_like(spectrum), torch.fft.rfft2(image)
        shape = (len(self.filters), *image.shape)
        maps, multipliers = start or (image.new_zeros(shape), image.new_zeros(shape))
        maps, multipliers = maps.clone(), multipliers.clone()
        few = [slice(first, first + FILTERS_AT_ONCE) for first in range(0, len(maps), FILTERS_AT_ONCE)]
        for number in range(self.iterations):
            checkpoint()
            missing = target.clone()
            for part in few:
                dense[part] = torch.fft.rfft2(maps[part] - multipliers[part])
                missing -= (spectrum[part] * dense[part]).sum(dim=0)
            missing /= power
            moved = 0.0
            for part in few:
                band = dense[part].addcmul_(opposite[part], missing)
                raised = torch.fft.irfft2(band, s=image.shape).add_(multipliers[part])
                sparse = torch.nn.functional.softshrink(raised, self.sparsity / self.penalty)
                if self._asks(image, number):
                    moved += float((sparse - maps[part]).square().sum())
                torch.sub(raised, sparse, out=multipliers[part])
                maps[part] = sparse
            if self._asks(image, number) and moved <= self.tolerance**2 * float(maps.square().sum()):
                break
        return maps, multipliers

    def rebuild(self, maps: Tensor) -> Tensor:
        """The image (..., H, W) that maps (..., M, H, W) stand for."""
        spectrum = filter_spectrum(self.filters.to(maps.device, maps.dtype), maps.shape[-2:])
        return torch.fft.irfft2((spectrum * torch.fft.rfft2(maps)).sum(dim=-3), s=maps.shape[-2:])

    def _asks(self, image: Tensor, number: int) -> bool:
        """Whether this iteration asks for the change of the maps."""
        return image.device.type == "cpu" and self.tolerance > 0 and number % ITERATIONS_PER_CHECK == 0


def filter_spectrum(filters: Tensor, shape: tuple[int, int] | torch.Size) -> Tensor:
    """Half spectrum (M, H, W // 2 + 1) of filters that begin at the origin."""
    return torch.fft.rfft2(filters, s=tuple(shape))


def learn_filters(
    images: Tensor, count: int, size: int, *, rounds: int = 20, sparsity: float = 0.01, seed: int = 0
) -> Tensor:
    """Filters that code images sparsely, by turns of coding and accelerated gradient steps on the filters.

    Parameters
    ----------
    images : (B, H, W) Tensor
        Detail images of one size, about 0 on average.
    count, size : int
        Number of filters, and their side.
    rounds : int
        Turns; every one carries on with the maps of the one before.
    sparsity : float
        As for `Coder`.
    seed : int
        Of the first filters.

    Returns
    -------
    (count, size, size) Tensor
        Filters of length 1.
    """
    generator = torch.Generator().manual_seed(seed)
    filters = _normalised(torch.randn(count, size, size, generator=generator, dtype=images.dtype))
    states: list = [None] * len(images)
    for _ in range(rounds):
        coder = Coder(filters, sparsity, 100 * sparsity + 0.5, iterations=10, tolerance=0.0)
        states = [coder.code(image, state) for image, state in zip(images, states)]
        filters = _better_filters(filters, images, [maps for maps, _ in states])
    return filters


def _better_filters(filters: Tensor, images: Tensor, maps: list[Tensor], steps: int = 15) -> Tensor:
    """A few accelerated projected gradient steps with the maps held."""
    size, shape = filters.shape[-1], images.shape[-2:]
    spectra = [torch.fft.rfft2(each) for each in maps]
    targets = torch.fft.rfft2(images)
    steepest = max(float(sum(x.abs().square() for x in spectra).sum(dim=0).max()), 1e-12)
    current, ahead, momentum = filters, filters, 1.0
    for _ in range(steps):
        checkpoint()
        spectrum = filter_spectrum(ahead, shape)
        slope = sum(x.conj() * ((spectrum * x).sum(dim=0) - s) for x, s in zip(spectra, targets))
        moved = ahead - torch.fft.irfft2(slope, s=tuple(shape))[:, :size, :size] / steepest
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        update = _normalised(moved)
        ahead = update + (momentum - 1) / following * (update - current)
        current, momentum = update, following
    return current


def _normalised(filters: Tensor) -> Tensor:
    return filters / filters.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
