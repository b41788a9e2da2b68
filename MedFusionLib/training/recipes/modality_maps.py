"""Maps from MR to PET-like and CT-like pictures, trained by cycles on pictures that belong to nobody in common.

Only for balancing training data. The card tells what that does to fusion: the same short fit of
DenseFuse with and without mapped pairs, measured on cases held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.discriminators import PatchDiscriminator
from MedFusionLib.networks.modality_maps import TARGETS, ModalityMaps
from MedFusionLib.training.adversarial import Adversarial, Opponent
from MedFusionLib.training.augment import crop, flip_and_turn
from MedFusionLib.training.balance import balanced
from MedFusionLib.training.fusion import CARD_METRICS, PAIR_DATA, load_pairs, one_of, pair_batch
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.pairs import Pairs
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.recipes import densefuse_tuned as fit
from MedFusionLib.training.sheet import examples, sheet

STEPS, SIZE, COUNT = 300, 48, 2
CYCLE, ADVERSARIAL = 10.0, 1.0
FIT_STEPS = 80
SETS = {"pet": "pet_mri", "ct": "ct_mri"}


@dataclass(frozen=True)
class Slices:
    """Crops (COUNT, 1, SIZE, SIZE) of MR and, by target, of other people's PET and CT."""

    mr: Tensor
    others: dict[str, Tensor]


def batch(data: Pairs, generator: Generator) -> Slices:
    """MR of any set, PET and CT of their own; what belongs together is not told."""
    sets = data.sets()
    everyone = [own for own in sets.values()]
    mr = torch.stack([_crop(one_of(one_of(everyone, generator), generator), 0, generator) for _ in range(COUNT)])
    others = {
        target: torch.stack([_crop(one_of(sets[SETS[target]], generator), 1, generator) for _ in range(COUNT)])
        for target in TARGETS
    }
    return Slices(mr, others)


def _crop(pair, side: int, generator: Generator) -> Tensor:
    return crop(flip_and_turn(pair.tensor()[side : side + 1], generator), SIZE, generator, least=0.3)


def generate(network: ModalityMaps, batch: Slices) -> dict[str, Tensor]:
    """Mapped pictures by direction."""
    there = {f"{target}-like": network.there[target](batch.mr) for target in TARGETS}
    return there | {f"mr-like of {target}": network.back[target](batch.others[target]) for target in TARGETS}


def content(network: ModalityMaps, batch: Slices, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """There and back again must be what was."""
    terms = {}
    for target in TARGETS:
        mr = network.back[target](outputs[f"{target}-like"])
        other = network.there[target](outputs[f"mr-like of {target}"])
        terms[f"cycle {target}"] = CYCLE * (F.l1_loss(mr, batch.mr) + F.l1_loss(other, batch.others[target]))
    return terms


def begin(network: ModalityMaps) -> Adversarial:
    """Four maps against four discriminators of neighbourhoods."""
    opponents = {}
    for target in TARGETS:
        names = {f"{target}-like": partial(_other, target), f"mr-like of {target}": _mr}
        for name, real in names.items():
            fake = partial(_output, name)
            opponents[name] = Opponent(PatchDiscriminator(), real=real, fake=fake, price=ADVERSARIAL)
    return Adversarial(network, opponents, generate, content, STEPS)


def _mr(batch: Slices) -> Tensor:
    return batch.mr


def _other(target: str, batch: Slices) -> Tensor:
    return batch.others[target]


def _output(name: str, outputs: dict[str, Tensor]) -> Tensor:
    return outputs[name]


def samples(network: ModalityMaps, data: Pairs) -> Tensor:
    """MR, what it was mapped to, and what was measured."""

    def columns(sources: Tensor) -> list[Tensor]:
        mapped = [network.there[target](sources[:, :1])[0, 0] for target in TARGETS]
        return [sources[0, 0], *mapped, sources[0, 1]]

    return sheet(examples(data), columns)


def figures(network: ModalityMaps, data: Pairs) -> dict:
    """What balancing with mapped pairs does to a short fit of DenseFuse, on the cases held back."""
    filled = balanced(data, network)
    counts = {name: [len(own), len(filled.sets()[name])] for name, own in data.sets().items()}
    fitted = {"as they are": _fitted(data), "balanced with mapped pairs": _fitted(filled)}
    return {
        "training_pairs_before_and_after": counts,
        "loss_held_back": {name: round(fit.held_back_loss(one, data), 4) for name, one in fitted.items()},
        "fusion_fitted_to_pairs": pair_figures(fitted, data.test, metrics=CARD_METRICS),
    }


def _fitted(data: Pairs) -> nn.Module:
    torch.manual_seed(0)
    with torch.enable_grad():
        training = fit.Descent(fit.build(), fit.loss, FIT_STEPS, rate=fit.RATE)
        for number in range(FIT_STEPS):
            training.advance(number, pair_batch(data, torch.Generator().manual_seed(number), 48))
    return training.network.eval()


def load(folder: Path) -> Pairs:
    """The pairs of a folder, split by case."""
    return load_pairs(folder)


RECIPE = Recipe(
    name="modality-maps",
    build=ModalityMaps,
    load=load,
    batch=batch,
    begin=begin,
    steps=STEPS,
    figures=figures,
    needs_data=True,
    sheet=samples,
    epoch=75,
    about={
        "title": "Maps from MR to PET-like and CT-like pictures",
        "citation": "modality mapping by adversarial networks, as cited by the survey of the field (its number 30); "
        "J.-Y. Zhu et al., ICCV 2017",
        "reproduces": "two maps per target with cycle consistency (10) and discriminators of neighbourhoods, least "
        "squares",
        "guessed": f"everything else: {STEPS} steps of {COUNT} crops of {SIZE} x {SIZE} samples, small networks "
        "without normalisation",
        **PAIR_DATA,
        "intended_use": "balancing training data, and testing what that does; its pictures are no images of anybody "
        "and must never be read",
    },
)
