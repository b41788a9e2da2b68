"""CDDFuse, trained on pairs: first to rebuild the sources from base and detail, then to fuse."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.cddfuse import FULL, SMALL, CDDFuse, Decomposed, shipped
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import correlation, gradient_loss, gradient_modulus, intensity_loss, ssim
from MedFusionLib.training.recipe import Descent, Recipe, Stages

STEPS, REBUILDING, SIZE, COUNT = 1100, 350, 48, 2


def build() -> CDDFuse:
    """The reduced network, its channels together in memory: a third quicker."""
    return shipped().to(memory_format=torch.channels_last)


def decomposition(found: Decomposed) -> Tensor:
    """Details of the two sources should run apart, their bases alike: cc(D)^2 / (1.01 + cc(B))."""

    def alike(features: Tensor) -> Tensor:
        first, second = features.unflatten(0, (-1, 2)).unbind(1)
        return correlation(first.flatten(0, 1)[:, None], second.flatten(0, 1)[:, None]).mean()

    return alike(found.detail) ** 2 / (1.01 + alike(found.base))


def rebuilding(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """First stage: every source from its own features."""
    found, wanted = network.rebuild(sources), sources.flatten(0, 1)[:, None]
    edges = (gradient_modulus(found.image) - gradient_modulus(wanted)).abs().mean()
    return {
        "rebuild": F.mse_loss(found.image, wanted) + 5 * (1 - ssim(found.image, wanted)),
        "edges": 5 * edges,
        "decomposition": 2 * decomposition(found),
    }


def fusing(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Second stage: brightest values, strongest gradients."""
    found = network.fuse(sources)
    return {
        "intensity": intensity_loss(found.image, sources),
        "gradient": 10 * gradient_loss(found.image, sources),
        "decomposition": 2 * decomposition(found),
    }


def begin(network: nn.Module) -> Stages:
    """Both stages, each with a rate that rises and falls."""
    first = Descent(network, rebuilding, REBUILDING, rate=2e-3, longest=0.1)
    return Stages(first, Descent(network, fusing, STEPS - REBUILDING, rate=2e-3, longest=0.1))


RECIPE = Recipe(
    name="cddfuse",
    build=build,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE, count=COUNT),
    begin=begin,
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "CDDFuse",
        "citation": "Z. Zhao et al., CVPR 2023, 5906-5916",
        "reproduces": "shared encoder of transformers over channels, base branch, invertible detail branch, fusion of "
        "the sums, decoder, both stages with their losses and the decomposition loss",
        "guessed": f"width {SMALL.width} instead of {FULL.width}, {SMALL.blocks} blocks instead of {FULL.blocks}, "
        f"{SMALL.heads} heads instead of {FULL.heads}, {SMALL.couplings} couplings instead of {FULL.couplings}; one "
        "network for all modalities; pictures are not stretched to the full range afterwards; gradients shortened to "
        f"0.1, {REBUILDING} + {STEPS - REBUILDING} steps of {COUNT} crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
