"""TransMEF, trained to mend photographs whose brightness, spectrum and places were spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.transmef import FULL, SMALL, shipped
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, Photographs, reconstruction_figures
from MedFusionLib.training.destruction import (
    LARGEST,
    Damage,
    brightness,
    damaged_batch,
    mended_psnr,
    mending,
    places,
    spectrum,
)
from MedFusionLib.training.fusion import pair_figures_of
from MedFusionLib.training.mixed import Mixed, load_mixed
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE, COUNT = 2000, 48, 2
TASKS = (brightness, spectrum, places)
DAMAGE_SEEN = 20
"""Batches of held-back photographs that the figures are measured on."""
SIZES_GUESSED = (
    f"size of the transformer ({SMALL.depth} layers of {SMALL.width} values, {SMALL.heads} heads, patches of "
    f"{SMALL.patch}; in the paper {FULL.depth} layers of {FULL.width}, {FULL.heads} heads, patches of {FULL.patch}), "
    f"no dropout, blocks of up to {LARGEST} samples"
)


def batch(data: Mixed, generator: Generator, tasks: Sequence[Damage] = TASKS) -> tuple[Tensor, Tensor]:
    """Spoilt crops of photographs, (tasks * COUNT, 1, SIZE, SIZE), and what they were; no medical picture."""
    return damaged_batch(data.photographs, generator, tasks, SIZE, COUNT)


def figures(network: nn.Module, data: Mixed, tasks: Sequence[Damage] = TASKS) -> dict:
    """PSNR of photographs held back, rebuilt and mended, beside the untrained network; fusion of pairs held back."""
    return {**_mended(network, data.photographs, tasks), **pair_figures_of(network, data.pairs)}


def _mended(network: nn.Module, data: Photographs, tasks: Sequence[Damage]) -> dict:
    torch.manual_seed(RECIPE.seed)
    untrained = RECIPE.build().eval()
    held_back = Photographs(data.test, data.test)
    batches = [damaged_batch(held_back, torch.Generator().manual_seed(n), tasks, 64, 2) for n in range(DAMAGE_SEEN)]
    found = reconstruction_figures(network, data)
    for title, one in (("mended_db", network), ("untrained_db", untrained)):
        found[title] = round(sum(mended_psnr(one, examples) for examples in batches) / DAMAGE_SEEN, 2)
    found["spoilt_db"] = round(
        sum(mended_psnr(lambda spoilt: spoilt[:, 0], examples) for examples in batches) / DAMAGE_SEEN, 2
    )
    return found


RECIPE = Recipe(
    name="transmef",
    build=shipped,
    load=load_mixed,
    batch=batch,
    begin=partial(Descent, loss=mending, steps=STEPS, rate=2e-3),
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "TransMEF",
        "citation": "L. Qu, S. Liu, M. Wang, Z. Song, AAAI 2022, 2126-2134",
        "reproduces": "convolutions beside a transformer without positions, three tasks of mending (brightness, "
        "spectrum, places), loss 20 MSE + (1 - SSIM) + 20 TV of the difference",
        "guessed": f"{SIZES_GUESSED}, {STEPS} steps of {COUNT} crops of {SIZE} x {SIZE} samples for each task",
        **AUTOENCODER_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
