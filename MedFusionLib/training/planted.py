"""Lesions planted into pairs of pictures: the training data of heads that must find them."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from MedFusionLib.training.augment import uniform
from MedFusionLib.training.losses import gaussian

RADII = (3.0, 12.0)
CONTRASTS = (0.12, 0.5)
LOBES = 4
WAVES = 0.25
ABSENT = 0.35
"""Chance that a source does not show the lesion; one of them always does."""


def plant(images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """A lesion in sources (S, H, W) in 0..1.

    It is brighter or darker than what was there, sharp or blurred, and may be missing in some
    sources, but never in all.

    Returns
    -------
    tuple of Tensor
        The sources with it, and its mask (1, H, W); an empty mask where the middle fell on background.
    """
    height, width = images.shape[-2:]
    shown = images.amax(dim=0) > 0.1
    row = int(uniform(generator, 0.2, 0.8) * height)
    column = int(uniform(generator, 0.2, 0.8) * width)
    if not shown[row, column]:
        return images, torch.zeros(1, height, width)
    mask = (_blob((height, width), (row, column), generator) & shown).float()
    contrasts = [_contrast(generator) for _ in range(len(images))]
    if not any(contrasts):
        contrasts[int(torch.randint(0, len(images), (), generator=generator))] = CONTRASTS[1]
    changed = [
        (image + contrast * _soft(mask, uniform(generator, 0.5, 2.0))).clamp(0, 1)
        for image, contrast in zip(images, contrasts)
    ]
    return torch.stack(changed), mask[None]


def _blob(size: tuple[int, int], middle: tuple[int, int], generator: Generator) -> Tensor:
    """An ellipse with a wavy border."""
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    y, x = rows - middle[0], columns - middle[1]
    angle = torch.atan2(y, x)
    border = torch.ones_like(angle)
    for lobe in range(1, LOBES + 1):
        height = uniform(generator, 0, WAVES / lobe)
        border = border + height * torch.sin(lobe * angle + uniform(generator, 0, 2 * math.pi))
    radius = uniform(generator, *RADII)
    stretch = uniform(generator, 0.7, 1.4)
    return ((y * stretch) ** 2 + (x / stretch) ** 2).sqrt() < radius * border


def _contrast(generator: Generator) -> float:
    if uniform(generator, 0, 1) < ABSENT:
        return 0.0
    return math.copysign(uniform(generator, *CONTRASTS), uniform(generator, -0.4, 1))


def _soft(mask: Tensor, sigma: float) -> Tensor:
    padded = torch.nn.functional.pad(mask[None, None], (5, 5, 5, 5))
    return gaussian(padded, sigma, 11)[0, 0]
