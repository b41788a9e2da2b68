"""Pre-training of the lesion network on synthetic lesions in real volumes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.lesion_net import LesionNet
from MedFusionLib.training.lesions import FOLDERS, Background, Examples, lesion_batch, read_backgrounds
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, AT_ONCE = 1000, 2
DEEP = (1.0, 0.5, 0.25)
"""Weights of the scales, fine to coarse."""
TESTED = 200


@dataclass(frozen=True)
class LesionData:
    """Backgrounds to train on and one that is held back."""

    train: list[Background]
    test: list[Background]


def load(folder: Path | None) -> LesionData:
    """Head templates are trained on; the patient is held back, so neither his head nor his scanner is known."""
    found = read_backgrounds(folder)
    return LesionData(found[:1], found[1:])


def batch(data: LesionData, generator: Generator) -> Examples:
    """Examples of one, two or three sources."""
    return lesion_batch(data.train, generator, AT_ONCE)


def build() -> LesionNet:
    """The network in the order of memory that its layers are fastest in."""
    return LesionNet().to(memory_format=torch.channels_last_3d)


def loss(network: nn.Module, examples: Examples) -> dict[str, Tensor]:
    """Cross entropy and 1 - Dice at every scale, means over the examples."""
    terms = {"entropy": torch.zeros(()), "dice": torch.zeros(())}
    for weight, logits in zip(DEEP, network.at_every_scale(examples.sources, examples.marks)):
        truth = F.interpolate(examples.truth[:, None], size=logits.shape[1:], mode="area")[:, 0]
        share = weight / sum(DEEP)
        terms["entropy"] = terms["entropy"] + share * F.binary_cross_entropy_with_logits(logits, truth)
        terms["dice"] = terms["dice"] + share * (1 - soft_dice(torch.sigmoid(logits), truth)).mean()
    return terms


def soft_dice(found: Tensor, truth: Tensor) -> Tensor:
    """Overlap (B,) of masks (B, D, H, W) whose values lie in 0..1; two empty ones overlap fully."""
    space = (1, 2, 3)
    return (2 * (found * truth).sum(space) + 1) / (found.sum(space) + truth.sum(space) + 1)


def figures(network: nn.Module, data: LesionData) -> dict:
    """Dice of synthetic lesions in the patient that was held back."""
    generator = torch.Generator().manual_seed(1)
    backgrounds = data.test or data.train
    dice: list[float] = []
    while len(dice) < TESTED:
        one = lesion_batch(backgrounds, generator, AT_ONCE)
        dice += soft_dice((network(one.sources, one.marks) > 0).float(), one.truth).tolist()
    lowest, middle = np.percentile(dice, (10, 50))
    return {
        "held_back": "synthetic lesions in the glioma patient" if data.test else "none: the patient is missing",
        "examples": TESTED,
        "dice_mean": round(float(np.mean(dice)), 3),
        "dice_median": round(float(middle), 3),
        "dice_10th_percentile": round(float(lowest), 3),
    }


RECIPE = Recipe(
    name="lesion-net",
    build=build,
    load=load,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=4e-3),
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "Outline of a marked lesion, pre-trained on synthetic lesions",
        "status": "experimental",
        "citation": "network after O. Cicek et al., MICCAI 2016, LNCS 9901, 424-432; losses as F. Milletari et al., "
        "3DV 2016, 565-571 (Dice) with cross entropy",
        "reproduces": "contracting and expanding path, deep supervision",
        "guessed": "everything else is our own: one encoder for every source, mean and maximum over the sources, "
        f"marks as channels, {STEPS} steps of {AT_ONCE} cubes of 32 samples",
        "training_data": {
            "source": [f"{folder}/{name}" for folder, first, then, _ in FOLDERS[:1] for name in first + then],
            "lesions": "synthetic: lumpy ellipsoids of 2.5 to 11 samples' radius, hot or cold, with or without a core, "
            "seen in one source or in several, marked by a click, a box or both",
            "licence": "MNI templates of SPM and Clinical (GPL-2, BSD-2); none of it is part of MedFusion",
        },
        "intended_use": "a starting point for training on own data, and for comparison; no diagnosis, no measurement",
    },
)
