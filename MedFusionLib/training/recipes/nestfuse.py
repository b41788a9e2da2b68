"""NestFuse, an auto-encoder trained on photographs."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.nestfuse import NestFuse
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, load_crops, photograph_batch, reconstruction_figures
from MedFusionLib.training.losses import reconstruction
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, STRUCTURE, SIZE = 1000, 0.1, 32


def loss(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mean squared error and SSIM."""
    return reconstruction(network(images), images, STRUCTURE)


RECIPE = Recipe(
    name="nestfuse",
    build=NestFuse,
    load=load_crops,
    batch=partial(photograph_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=reconstruction_figures,
    about={
        "title": "NestFuse auto-encoder",
        "citation": "H. Li, X.-J. Wu, T. Durrani, IEEE Trans. Instrum. Meas. 69 (2020) 9645-9656",
        "reproduces": "layers (four scales of 64, 112, 160 and 208 channels, nested decoder), loss (mean squared error "
        "and SSIM)",
        "guessed": f"weight {STRUCTURE} of SSIM for pixels in 0..1, {STEPS} steps of 4 crops of {SIZE} x {SIZE} "
        "samples, learning rate; a last layer without ReLU",
        **AUTOENCODER_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "features for the fusion of slices in 0..1; no diagnosis",
    },
)
