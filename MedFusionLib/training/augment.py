"""Augmentation of pictures (S, H, W) in 0..1: geometry the same for all sources unless a misalignment is meant.

Every function takes its chances from a generator. Pictures are only turned and mirrored for
training: what is exported never is.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def uniform(generator: Generator, low: float, high: float) -> float:
    """A number between `low` and `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def crop(images: Tensor, size: int, generator: Generator, *, least: float = 0.1, tries: int = 10) -> Tensor:
    """A square of `size` samples in which at least the share `least` is not background, if one is found soon."""
    height, width = images.shape[-2:]
    for _ in range(tries):
        row = int(torch.randint(0, max(1, height - size + 1), (), generator=generator))
        column = int(torch.randint(0, max(1, width - size + 1), (), generator=generator))
        found = images[..., row : row + size, column : column + size]
        if float((found > 0.05).float().mean()) >= least:
            break
    return found


def flip_and_turn(images: Tensor, generator: Generator) -> Tensor:
    """Mirrored by chance, and turned by a multiple of 90 degrees."""
    if uniform(generator, 0, 1) < 0.5:
        images = images.flip(-1)
    return images.rot90(int(torch.randint(0, 4, (), generator=generator)), (-2, -1))


def affine(images: Tensor, degrees: float, scale: float, shift: tuple[float, float]) -> Tensor:
    """Turned about the centre, scaled, and shifted by (rows, columns) samples; outside is 0."""
    height, width = images.shape[-2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    matrix = torch.tensor([
        [cos, -sin * height / width, -2 * shift[1] / width],
        [sin * width / height, cos, -2 * shift[0] / height],
    ])  # fmt: skip
    grid = F.affine_grid(matrix[None], (1, 1, height, width), align_corners=False)
    return F.grid_sample(images[None], grid, align_corners=False)[0]


def turn_and_scale(images: Tensor, generator: Generator, degrees: float = 10, scale: float = 0.1) -> Tensor:
    """Turned and scaled a little, all sources alike."""
    factor = 1 + uniform(generator, -scale, scale)
    return affine(images, uniform(generator, -degrees, degrees), factor, (0.0, 0.0))


def misalign(images: Tensor, generator: Generator, samples: float = 1.5) -> Tensor:
    """All sources but the first shifted by up to `samples`."""
    moved = [
        affine(image[None], 0.0, 1.0, (uniform(generator, -samples, samples), uniform(generator, -samples, samples)))
        for image in images[1:]
    ]
    return torch.cat([images[:1], *moved])


def luminance(images: Tensor, generator: Generator, strength: float = 0.3) -> Tensor:
    """A power between 1 - strength and 1 + strength of every source: non-linear, so not for quantitative targets."""
    powers = [1 + uniform(generator, -strength, strength) for _ in images]
    return torch.stack([image.clamp(0, 1) ** power for image, power in zip(images, powers)])


def noise(images: Tensor, generator: Generator, sigma: float = 0.02) -> Tensor:
    """Gaussian noise of up to `sigma` where there is something, so that the background stays black."""
    level = uniform(generator, 0, sigma)
    return (images + level * torch.randn(images.shape, generator=generator) * (images > 0.01)).clamp(0, 1)


def disturbed(images: Tensor, generator: Generator, *, graded: float, shifted: float, noisy: float) -> Tensor:
    """By chance with other grey values, misaligned, with noise; the numbers are how often."""
    if uniform(generator, 0, 1) < graded:
        images = luminance(images, generator, 0.2)
    if uniform(generator, 0, 1) < shifted:
        images = misalign(images, generator)
    return noise(images, generator) if uniform(generator, 0, 1) < noisy else images


def mixup(images: Tensor, others: Tensor, generator: Generator, alpha: float = 0.3) -> Tensor:
    """Mixup of two pictures [H. Zhang et al., ICLR 2018]: for auto-encoders and classifiers, not for fusion targets."""
    concentration = torch.full((2,), alpha)
    draws = torch._standard_gamma(concentration, generator=generator)
    share = float(draws[0] / draws.sum().clamp(min=1e-6))
    return share * images + (1 - share) * others


def cutmix(images: Tensor, others: Tensor, generator: Generator) -> Tensor:
    """A box of another picture pasted [S. Yun et al., ICCV 2019]: for auto-encoders and classifiers."""
    height, width = images.shape[-2:]
    side = math.sqrt(uniform(generator, 0.05, 0.5))
    rows, columns = int(side * height), int(side * width)
    row = int(torch.randint(0, height - rows + 1, (), generator=generator))
    column = int(torch.randint(0, width - columns + 1, (), generator=generator))
    mixed = images.clone()
    mixed[..., row : row + rows, column : column + columns] = others[..., row : row + rows, column : column + columns]
    return mixed
