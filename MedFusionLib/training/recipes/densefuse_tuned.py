"""Transfer learning: DenseFuse, trained on photographs, fitted to fusion on a few medical cases.

The card tells what the transfer is worth: the loss on cases held back of the network as it came
from the photographs, after the fit, and of one fitted in the same way from random values.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from MedFusionLib.networks.densefuse import DenseFuse, TunedDenseFuse
from MedFusionLib.networks.loading import load_network
from MedFusionLib.training.fusion import PAIR_DATA, fusion_terms, load_pairs, pair_batch
from MedFusionLib.training.pairs import Pairs
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE, RATE = 400, 64, 5e-4
FEW = {"ct_mri": ("2",), "pet_mri": ("25",), "spect_mri": ("22",)}
"""The cases to fit to, one per set."""
BATCHES_HELD_BACK = 30


def build() -> nn.Module:
    """The network with the values of DenseFuse."""
    network = TunedDenseFuse()
    network.autoencoder.load_state_dict(load_network("densefuse", DenseFuse).state_dict())
    return network


def load(folder: Path) -> Pairs:
    """The few cases to fit to, and all cases held back."""
    pairs = load_pairs(folder)
    return replace(pairs, train=[pair for pair in pairs.train if pair.case in FEW.get(pair.set, ())])


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Intensity of the maximum, strongest gradient, SSIM with both."""
    return fusion_terms(network(sources)[:, None], sources)


def begin(network: nn.Module) -> Descent:
    """Descent from wherever the network stands."""
    return Descent(network, loss, STEPS, rate=RATE)


def figures(network: nn.Module, data: Pairs) -> dict:
    """Loss on the cases held back: as it came, fitted, and fitted from random values in as many steps."""
    torch.manual_seed(RECIPE.seed)
    scratch = TunedDenseFuse()
    with torch.enable_grad():
        training = begin(scratch)
        for number in range(STEPS):
            training.advance(number, RECIPE.batch(data, torch.Generator().manual_seed(number)))
    networks = {"before": build(), "fitted": network, "fitted_from_random_values": scratch.eval()}
    return {"loss_held_back": {name: round(held_back_loss(one, data), 4) for name, one in networks.items()}}


def held_back_loss(network: nn.Module, data: Pairs) -> float:
    """Mean loss over fixed crops of the cases held back."""
    test = replace(data, train=data.test)
    total = 0.0
    for number in range(BATCHES_HELD_BACK):
        total += sum(loss(network, pair_batch(test, torch.Generator().manual_seed(number), SIZE)).values()).item()
    return total / BATCHES_HELD_BACK


RECIPE = Recipe(
    name="densefuse-tuned",
    build=build,
    load=load,
    batch=partial(pair_batch, size=SIZE),
    begin=begin,
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "DenseFuse fitted to medical pairs",
        "citation": "Y. Wang, transfer learning, as cited by the survey of the field (its number 23); H. Li, X.-J. Wu, "
        "IEEE Trans. Image Process. 28 (2019) 2614-2623",
        "reproduces": "the idea: a network trained on plenty of photographs is fitted to few medical cases",
        "guessed": f"network, strongest features, loss, {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples of "
        f"the cases " + ", ".join(f"{cases[0]} of {name}" for name, cases in FEW.items()),
        **PAIR_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1; no diagnosis",
    },
)
