"""Self-supervision by damage: blocks of a picture are spoilt, and a network learns to mend them.

Every function spoils blocks of a picture (H, W) in 0..1 and takes its chances from a generator.
Brightness, spectrum and places are the tasks of TransMEF [L. Qu et al., AAAI 2022]; grey values,
brightness and noise those of TransFuse [L. Qu et al., arXiv:2201.07451].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from MedFusionLib.training.augment import uniform
from MedFusionLib.training.autoencoder import Photographs, photograph_batch
from MedFusionLib.training.losses import gaussian, ssim, total_variation

BLOCKS = 10
LARGEST = 8
"""Samples along a block: the paper has a tenth of 256, here crops are small."""
SPECKLE = 0.1
Damage = Callable[[Tensor, Generator], Tensor]


def _spoilt(image: Tensor, generator: Generator, change: Damage) -> Tensor:
    """Ten blocks of the original, changed, put where they were."""
    spoilt = image.clone()
    for _ in range(BLOCKS):
        rows, columns = _block(image, generator)
        spoilt[rows, columns] = change(image[rows, columns], generator)
    return spoilt


def _block(image: Tensor, generator: Generator, size: tuple[int, int] | None = None) -> tuple[slice, slice]:
    """Where a block of random size, or of the given one, lies."""
    sides = size or tuple(_below(min(LARGEST, length) - 1, generator) + 2 for length in image.shape)
    starts = [_below(length - side + 1, generator) for length, side in zip(image.shape, sides)]
    return tuple(slice(start, start + side) for start, side in zip(starts, sides))


def _below(limit: int, generator: Generator) -> int:
    return int(torch.randint(0, limit, (), generator=generator))


def brightness(image: Tensor, generator: Generator) -> Tensor:
    """Blocks to a power between 0 and 3, four of five times."""

    def change(block: Tensor, chance: Generator) -> Tensor:
        return block ** uniform(chance, 0, 3) if uniform(chance, 0, 1) < 0.8 else block

    return _spoilt(image, generator, change)


def spectrum(image: Tensor, generator: Generator) -> Tensor:
    """Blocks whose spectrum has a blurred amplitude (sigma 0.5) and a phase whose quarters changed places."""

    def change(block: Tensor, chance: Generator) -> Tensor:
        found = torch.fft.fft2(block)
        amplitude = gaussian(F.pad(found.abs()[None, None], (1,) * 4, mode="circular"), 0.5, 3)[0, 0]
        shifts = [_below(2, chance) * (length // 2) for length in block.shape]
        phase = found.angle().roll(shifts, (0, 1))
        return torch.fft.ifft2(torch.polar(amplitude, phase)).abs().clamp(0, 1)

    return _spoilt(image, generator, change)


def places(image: Tensor, generator: Generator) -> Tensor:
    """Blocks replaced by blocks from elsewhere."""
    spoilt = image.clone()
    for _ in range(BLOCKS):
        rows, columns = _block(image, generator)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        spoilt[rows, columns] = image[_block(image, generator, size)]
    return spoilt


def grey_values(image: Tensor, generator: Generator) -> Tensor:
    """Blocks whose grey values went through a random rising curve.

    Falling ones would teach that a bright spot is a dark one to be mended, which hides lesions.
    """

    def change(block: Tensor, chance: Generator) -> Tensor:
        low, high = sorted((uniform(chance, 0, 1), uniform(chance, 0, 1)))
        t, rest = block, 1 - block  # a cubic curve of Bezier from 0 to 1 over the grey values
        return 3 * low * t * rest**2 + 3 * high * t**2 * rest + t**3

    return _spoilt(image, generator, change)


def noise(image: Tensor, generator: Generator) -> Tensor:
    """Blocks with Gaussian noise."""

    def change(block: Tensor, chance: Generator) -> Tensor:
        return (block + SPECKLE * torch.randn(block.shape, generator=chance)).clamp(0, 1)

    return _spoilt(image, generator, change)


def damaged_batch(
    data: Photographs, generator: Generator, tasks: Sequence[Damage], size: int, count: int
) -> tuple[Tensor, Tensor]:
    """Crops of photographs spoilt by every task, (tasks * count, 1, size, size), and what they were."""
    clean = photograph_batch(data, generator, size)[:count, 0]
    spoilt = torch.stack([task(image, generator) for task in tasks for image in clean])
    return spoilt[:, None], clean.repeat(len(tasks), 1, 1)[:, None]


def mending(network, examples: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Terms over all tasks alike: 20 MSE, 1 - SSIM, 20 TV of the difference."""
    spoilt, clean = examples
    mended = network(spoilt)[:, None]
    return {
        "mse": 20 * F.mse_loss(mended, clean),
        "ssim": 1 - ssim(mended, clean),
        "variation": 20 * total_variation(mended - clean),
    }


def mended_psnr(network, examples: tuple[Tensor, Tensor]) -> float:
    """PSNR in dB of what was spoilt, after mending."""
    spoilt, clean = examples
    return -10 * math.log10(float(F.mse_loss(network(spoilt)[:, None], clean)))
