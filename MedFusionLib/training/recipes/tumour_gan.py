"""A generator trained together with a head that must find planted lesions in the fused image alone."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.discriminators import Discriminator
from MedFusionLib.networks.tumour_gan import TumourGAN
from MedFusionLib.training.adversarial import Adversarial, Opponent
from MedFusionLib.training.fusion import PAIR_DATA, fusion_terms, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.pairs import Pairs
from MedFusionLib.training.planted import plant
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.sheet import fused_sheet

STEPS, SIZE = 500, 48
CONTENT, HEAD, ADVERSARIAL = 10.0, 2.0, 0.2
BATCHES_HELD_BACK = 40
CITATION = (
    "Abirami et al., Behav. Neurol. 2022, 6878783 (retracted by its publisher: only the idea is used, none of its "
    "figures)"
)


def batch(data: Pairs, generator: Generator) -> tuple[Tensor, Tensor]:
    """Crops (4, 2, SIZE, SIZE) with lesions planted into three of four, and their masks (4, 1, SIZE, SIZE)."""
    crops = pair_batch(data, generator, SIZE)
    planted = [plant(crop, generator) for crop in crops[1:]]
    images = [crops[0], *(one for one, _ in planted)]
    return torch.stack(images), torch.stack([torch.zeros(1, SIZE, SIZE), *(mask for _, mask in planted)])


def generate(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Fused images (B, 1, H, W)."""
    return network(batch[0])[:, None]


def content(network: TumourGAN, batch: tuple[Tensor, Tensor], fused: Tensor, *, guided: bool) -> dict[str, Tensor]:
    """Fusion, and the head's errors; without guidance the head learns but the generator does not hear of it."""
    sources, masks = batch
    found = network.find(fused if guided else fused.detach())
    return {
        **{name: CONTENT * value for name, value in fusion_terms(fused, sources).items()},
        "head": HEAD * (F.binary_cross_entropy_with_logits(found, masks) + 1 - overlap(found.sigmoid(), masks)),
    }


def overlap(found: Tensor, masks: Tensor) -> Tensor:
    """Dice of probabilities over the whole batch."""
    return (2 * (found * masks).sum() + 1) / (found.sum() + masks.sum() + 1)


def begin(network: TumourGAN, *, guided: bool = True) -> Adversarial:
    """The generator with its head against two discriminators, one per source."""
    opponents = {
        name: Opponent(
            Discriminator(SIZE, (16, 32, 64, 128)), real=partial(_source, number), fake=lambda fused: fused,
            price=ADVERSARIAL,
        )
        for number, name in enumerate(("first", "second"))
    }  # fmt: skip
    return Adversarial(network, opponents, generate, partial(content, guided=guided), STEPS)


def _source(number: int, batch: tuple[Tensor, Tensor]) -> Tensor:
    return batch[0][:, number : number + 1]


def figures(network: TumourGAN, data: Pairs) -> dict:
    """Fusion on the pairs held back, and Dice of the head on lesions planted into them."""
    test = Pairs(data.test, [])
    found, masks = [], []
    for number in range(BATCHES_HELD_BACK):
        sources, mask = batch(test, torch.Generator().manual_seed(number))
        found.append((network.find(network(sources)[:, None]) > 0).float())
        masks.append(mask)
    dice = float(overlap(torch.cat(found), torch.cat(masks)))
    return {**pair_figures_of(network, data), "dice_of_planted_lesions": round(dice, 4)}


RECIPE = Recipe(
    name="tumour-gan",
    build=TumourGAN,
    load=load_pairs,
    batch=batch,
    begin=begin,
    steps=STEPS,
    figures=figures,
    needs_data=True,
    sheet=fused_sheet,
    about={
        "title": "GAN with a tumour head",
        "citation": CITATION,
        "reproduces": "the idea: fusion by a generator, trained together with a segmentation of tumours",
        "guessed": f"everything: generator (FusionGAN at an eighth of its width), one discriminator per source, U-Net "
        f"of two levels as head, intensity, gradient and structure as content, lesions planted into the pairs; {STEPS} "
        f"steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis, and no segmentation of patients",
    },
)
