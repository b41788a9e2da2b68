"""MSDNet, an auto-encoder trained on photographs."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.msdnet import MSDNet
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, load_crops, photograph_batch, reconstruction_figures
from MedFusionLib.training.losses import reconstruction
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, STRUCTURE, SIZE = 1800, 0.1, 48


def loss(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mean squared error and SSIM."""
    return reconstruction(network(images), images, STRUCTURE)


RECIPE = Recipe(
    name="msdnet",
    build=MSDNet,
    load=load_crops,
    batch=partial(photograph_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=reconstruction_figures,
    about={
        "title": "MSDNet auto-encoder",
        "citation": "X. Song, X.-J. Wu, H. Li, ICIG 2019, LNCS 11902, 278-288",
        "reproduces": "layers (dense encoder, windows of 1, 3 and 5 samples, joint decoder), loss (mean squared error "
        "and SSIM)",
        "guessed": f"weight {STRUCTURE} of SSIM for pixels in 0..1, {STEPS} steps of 4 crops of {SIZE} x {SIZE} "
        "samples, learning rate",
        **AUTOENCODER_DATA,
        "identical_sources_psnr_db": 30.0,
        "intended_use": "features for the fusion of slices in 0..1; no diagnosis",
    },
)
