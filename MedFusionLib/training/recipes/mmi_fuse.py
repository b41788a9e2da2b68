"""The auto-encoder of MMI-Fuse, trained on medical slices and photographs."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.information import InformationNet
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, photograph_batch, reconstruction_figures
from MedFusionLib.training.fusion import PAIR_DATA, pair_batch
from MedFusionLib.training.losses import reconstruction
from MedFusionLib.training.mixed import Mixed, load_mixed
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, STRUCTURE, SIZE = 2000, 0.1, 64


def batch(data: Mixed, generator: Generator) -> Tensor:
    """Crops (B, 1, 64, 64): every second batch of slices, every other of photographs."""
    if float(torch.rand((), generator=generator)) < 0.5:
        return pair_batch(data.pairs, generator, SIZE, 2).flatten(0, 1)[:, None]
    return photograph_batch(data.photographs, generator, SIZE)


def loss(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mean squared error and SSIM."""
    return reconstruction(network(images), images, STRUCTURE)


def figures(network: nn.Module, data: Mixed) -> dict:
    """PSNR of the photographs held back."""
    return reconstruction_figures(network, data.photographs)


RECIPE = Recipe(
    name="mmi-fuse",
    build=InformationNet,
    load=load_mixed,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "Auto-encoder of MMI-Fuse",
        "citation": "Z. Shi et al., IEEE Access 10 (2022) 37200",
        "reproduces": "an auto-encoder with mean squared error and SSIM, fitted to slices of the same atlas",
        "guessed": "layers (those of DenseFuse: the paper could only be read in its abstract), photographs among the "
        f"slices, weight {STRUCTURE} of SSIM, {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        "training_data": [PAIR_DATA["training_data"], AUTOENCODER_DATA["training_data"]],
        "identical_sources_psnr_db": 30.0,
        "intended_use": "features for the fusion of slices in 0..1; no diagnosis",
    },
)
