"""DenseFuse, an auto-encoder trained on photographs."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.densefuse import DenseFuse
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, load_crops, photograph_batch, reconstruction_figures
from MedFusionLib.training.losses import reconstruction
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, STRUCTURE = 2000, 0.1


def loss(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mean squared error and SSIM."""
    return reconstruction(network(images), images, STRUCTURE)


RECIPE = Recipe(
    name="densefuse",
    build=DenseFuse,
    load=load_crops,
    batch=photograph_batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=reconstruction_figures,
    about={
        "title": "DenseFuse auto-encoder",
        "citation": "H. Li, X.-J. Wu, IEEE Trans. Image Process. 28 (2019) 2614-2623",
        "reproduces": "layers, loss (mean squared error and SSIM)",
        "guessed": f"weight {STRUCTURE} of SSIM for pixels in 0..1, {STEPS} steps of 4 crops, learning rate",
        **AUTOENCODER_DATA,
        "identical_sources_psnr_db": 35.0,
        "intended_use": "features for the fusion of slices in 0..1; no diagnosis",
    },
)
