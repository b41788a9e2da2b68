"""Photographs turned into pairs with the grey values and the texture of medical slices.

After MCFNet: a network for fusion needs more pictures than there are medical pairs. Here every
photograph gets the distribution of grey values of one modality (histogram specification), is
blurred as far as that modality is, gets its noise, and black surroundings of a head's shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from MedFusionLib.training.augment import crop, flip_and_turn, uniform
from MedFusionLib.training.pairs import Pair, read_pairs
from MedFusionLib.training.photographs import load_photographs
from MedFusionLib.transforms.filters import gaussian

LEVELS = 256
BACKGROUND = 8 / 255
BLUR = {"ct_mri": 0.8, "pet_mri": 2.5, "spect_mri": 3.0}
"""Standard deviation in samples of the blur of the second source, by set."""
NOISE = {"ct_mri": 0.01, "pet_mri": 0.003, "spect_mri": 0.003}


@dataclass(frozen=True, eq=False)
class Matched:
    """Photographs as ranks in 0..1, and the grey values that medical slices have at each rank.

    Parameters
    ----------
    ranks : list of (1, H, W) Tensor
        Share of the photograph's samples that are darker.
    quantiles : dict
        Per set a (2, 256) Tensor: grey values in the foreground of the first and the second source.
    test : list of Pair
        Medical pairs held back.
    """

    ranks: list[Tensor]
    quantiles: dict[str, Tensor]
    test: list[Pair]


def load_matched(folder: Path) -> Matched:
    """Photographs of scikit-image, and the grey values of the training pairs of a folder."""
    pairs = read_pairs(folder)
    quantiles = {name: _quantiles(some) for name, some in pairs.sets().items() if name in BLUR}
    return Matched([_ranks(torch.from_numpy(image)) for image in load_photographs()], quantiles, pairs.test)


def _quantiles(pairs: list[Pair]) -> Tensor:
    """Grey values in the foreground at 256 evenly spaced ranks, (2, 256)."""
    shares = torch.linspace(0, 1, LEVELS)
    found = []
    for source in range(2):
        values = torch.cat([pair.tensor()[source].flatten()[::7] for pair in pairs])
        found.append(torch.quantile(values[values > BACKGROUND][:1_000_000], shares))
    return torch.stack(found)


def _ranks(image: Tensor) -> Tensor:
    order = image.flatten().argsort(stable=True)
    ranks = torch.empty(order.shape)
    ranks[order] = torch.arange(len(order), dtype=torch.float32) / (len(order) - 1)
    return ranks.reshape(1, *image.shape)


def matched_batch(data: Matched, generator: Generator, size: int = 64, count: int = 4) -> Tensor:
    """Pairs (count, 2, size, size) that look like slices, sources in random order; every eighth twice the same."""
    return torch.stack([_pair(data, generator, size) for _ in range(count)])


def _pair(data: Matched, generator: Generator, size: int) -> Tensor:
    names = list(data.quantiles)
    name = names[int(torch.randint(0, len(names), (), generator=generator))]
    first, second = (_crop_of_ranks(data, generator, size) for _ in range(2))
    if uniform(generator, 0, 1) < 0.5:  # the same structures in both, as in two pictures of one head
        second = 0.5 * first + 0.5 * second
    second = gaussian(second[None], BLUR[name], 2)[0]
    inside = _head(generator, size)
    images = torch.stack([_look_up(table, ranks) for table, ranks in zip(data.quantiles[name], (first, second))])
    images = (images + NOISE[name] * torch.randn(images.shape, generator=generator)) * inside
    images = images.clamp(0, 1)
    chance = uniform(generator, 0, 1)
    if chance < 1 / 8:
        return images[:1].expand(2, -1, -1)
    return images if chance < 9 / 16 else images.flip(0)


def _crop_of_ranks(data: Matched, generator: Generator, size: int) -> Tensor:
    ranks = data.ranks[int(torch.randint(0, len(data.ranks), (), generator=generator))]
    return flip_and_turn(crop(ranks, size, generator), generator)[0]


def _look_up(table: Tensor, ranks: Tensor) -> Tensor:
    return table[(ranks * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()]


def _head(generator: Generator, size: int) -> Tensor:
    """1 inside a half plane with a curved border (two of three times), 0 outside."""
    if uniform(generator, 0, 1) < 1 / 3:
        return torch.ones(size, size)
    axis = torch.linspace(-1, 1, size)
    row, column = uniform(generator, -1.5, 1.5), uniform(generator, -1.5, 1.5)
    radius = uniform(generator, 1.0, 2.2)
    return (((axis[:, None] - row) ** 2 + (axis - column) ** 2).sqrt() < radius).float()
