"""The siamese network, trained to tell sharp patches of photographs from blurred ones."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.siamese import PATCH, Siamese
from MedFusionLib.training.augment import crop, flip_and_turn, uniform
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, Photographs, load_crops
from MedFusionLib.training.losses import gaussian
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, PAIRS, MARGIN = 450, 48, 10
LEAST_CONTRAST = 0.03


def batch(data: Photographs, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two patches (B, 1, 16, 16) each, one of them blurred, and which is the sharp one (B,)."""
    sharp, soft = [], []
    while len(sharp) < PAIRS:
        image = data.train[int(torch.randint(0, len(data.train), (), generator=generator))]
        wide = flip_and_turn(crop(image, PATCH + 2 * MARGIN, generator), generator)[None]
        patch = wide[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        if float(patch.std()) < LEAST_CONTRAST:
            continue
        sharp.append(patch[0])
        soft.append(gaussian(wide, uniform(generator, 0.7, 3), 2 * MARGIN + 1)[0])
    sharp, soft = torch.stack(sharp), torch.stack(soft)
    second = torch.randint(0, 2, (PAIRS,), generator=generator)
    is_second = second[:, None, None, None].bool()
    return torch.where(is_second, soft, sharp), torch.where(is_second, sharp, soft), second


def loss(network: nn.Module, examples: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """Cross entropy."""
    first, second, wanted = examples
    return {"cross_entropy": F.cross_entropy(network.judge(first, second).flatten(1), wanted)}


def figures(network: nn.Module, data: Photographs) -> dict:
    """Share of patches of photographs held back that are told right."""
    test, right = Photographs(data.test, data.test), []
    for number in range(8):
        first, second, wanted = batch(test, torch.Generator().manual_seed(number))
        right.append((network.judge(first, second).flatten(1).argmax(dim=1) == wanted).float().mean())
    return {"accuracy_held_back": round(float(torch.stack(right).mean()), 4)}


RECIPE = Recipe(
    name="siamese",
    build=Siamese,
    load=load_crops,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=5e-4),
    steps=STEPS,
    figures=figures,
    about={
        "title": "Siamese network for activity",
        "citation": "Y. Liu, X. Chen, H. Peng, Z. Wang, Inf. Fusion 36 (2017) 191-207",
        "reproduces": "branches, patches of 16 x 16, sharp against blurred patches of photographs, cross entropy",
        "guessed": f"one layer in place of the two fully connected ones, blur of 0.7 to 3 samples, Adam, {STEPS} "
        "steps of "
        f"{PAIRS} pairs",
        **AUTOENCODER_DATA,
        "intended_use": "weights of slices in 0..1 for fusion; no diagnosis",
    },
)
