"""Data and loss of networks that learn fusion itself, from pairs without a ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.training.augment import crop, flip_and_turn, noise, turn_and_scale
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.losses import gradient_loss, intensity_loss, ssim
from MedFusionLib.training.pairs import HELD_BACK, Pair, Pairs, read_pairs

CARD_METRICS = ("qabf", "vif", "ssim", "clin", "invent", "bg")
PAIR_DATA = {
    "training_data": {
        "source": "pairs of slices of the Whole Brain Atlas (AANLIB), luminance of colour pictures",
        "licence": "none is stated for these pictures: they are not part of MedFusion, which holds only the weights",
        "held_back": {name: list(cases) for name, cases in HELD_BACK.items()},
        "split": "by case, never by slice",
    },
}
"""What the card of a network trained on such pairs says of them."""


def load_pairs(folder: Path) -> Pairs:
    """The pairs of a folder, split by case."""
    return read_pairs(folder)


def pair_batch(data: Pairs, generator: Generator, size: int = 64, count: int = 4, *, in_order: bool = False) -> Tensor:
    """Crops (count, 2, size, size) of training pairs, the sets in equal shares.

    Sources come in random order, or the anatomical one first if `in_order`.
    """
    sets = list(data.sets().values())
    crops = [
        one_crop(one_of(one_of(sets, generator), generator), generator, size, in_order=in_order) for _ in range(count)
    ]
    return torch.stack(crops)


def one_crop(pair: Pair, generator: Generator, size: int, *, in_order: bool = False) -> Tensor:
    """A crop (2, size, size) of a pair, turned, mirrored, with noise; every eighth twice the same source."""
    images = flip_and_turn(turn_and_scale(pair.tensor(), generator), generator)
    images = noise(crop(images, size, generator, least=0.3), generator)
    chance = float(torch.rand((), generator=generator))
    if chance < 1 / 8:
        return images[:1].expand(2, -1, -1)
    return images if in_order or chance < 9 / 16 else images.flip(0)


def one_of(some: Sequence, generator: Generator):
    """One of them by chance."""
    return some[int(torch.randint(0, len(some), (), generator=generator))]


def fusion_terms(fused: Tensor, sources: Tensor, structure: float = 1.0, edges: float = 10.0) -> dict[str, Tensor]:
    """Terms for a fused image (B, 1, H, W): intensity of the maximum, strongest gradient, SSIM with every source."""
    likeness = sum(ssim(fused, source[:, None]) for source in sources.unbind(1)) / sources.shape[1]
    return {
        "intensity": intensity_loss(fused, sources),
        "gradient": edges * gradient_loss(fused, sources),
        "ssim": structure * (1 - likeness),
    }


def pair_figures_of(network: nn.Module, data: Pairs) -> dict:
    """Figures of a network (N, S, H, W) to (N, H, W) on the pairs held back, beside average and maximum."""
    return pair_figures({"network": network}, data.test, metrics=CARD_METRICS)
