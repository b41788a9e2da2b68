"""IFCNN, trained on photographs that are blurred in places."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.ifcnn import IFCNN
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.vgg import VGG16
from MedFusionLib.training.augment import uniform
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, Photographs, load_crops, photograph_batch
from MedFusionLib.training.losses import feature_loss, gaussian, veil
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE, FEATURES = 1000, 64, 1e-6
VEIL, SETTLED = 0.3, 0.25
"""Squares of small errors hardly see an even veil: black has its own price, paid with the final statistics."""
MARGIN = 10
"""Samples around a crop that the blur needs."""


def batch(data: Photographs, generator: Generator) -> tuple[Tensor, Tensor]:
    """Two pictures (B, 2, 64, 64), each sharp where the other is blurred, and the sharp one (B, 64, 64)."""
    wide = photograph_batch(data, generator, SIZE + 2 * MARGIN)
    blurred = gaussian(wide, uniform(generator, 1, 3), 2 * MARGIN + 1)
    sharp = wide[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    field = gaussian(torch.randn(wide.shape, generator=generator), 4.0, 2 * MARGIN + 1)
    mask = (field > 0).float()
    pair = torch.cat((mask * sharp + (1 - mask) * blurred, (1 - mask) * sharp + mask * blurred), dim=1)
    return pair, sharp[:, 0]


def loss(network: nn.Module, examples: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Squared error, that of the features of VGG16, and what is bright where both sources are black."""
    pair, sharp = examples
    fused = network(pair)
    features = load_network("vgg16", VGG16)
    wanted, found = features.of_grey(sharp[:, None]), features.of_grey(fused[:, None])
    return {
        "mse": (fused - sharp).square().mean(),
        "features": FEATURES * feature_loss(found, wanted),
        "veil": VEIL * veil(fused[:, None], pair).mean(),
    }


def figures(network: nn.Module, data: Photographs) -> dict:
    """PSNR in dB of the sharp picture on photographs held back."""
    test = Photographs(data.test, data.test)
    pair, sharp = batch(test, torch.Generator().manual_seed(1))
    return {"psnr_held_back_db": round(float(-10 * (network(pair) - sharp).square().mean().log10()), 2)}


RECIPE = Recipe(
    name="ifcnn",
    build=IFCNN,
    load=load_crops,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=2e-3, settled=SETTLED),
    steps=STEPS,
    figures=figures,
    about={
        "title": "IFCNN",
        "citation": "Y. Zhang et al., Inf. Fusion 54 (2020) 99-118",
        "reproduces": "layers, photographs blurred in places, squared and feature error",
        "guessed": "first layer trained with the others (in the paper that of ResNet-101), features of VGG16, "
        f"{VEIL} times the mean of what is bright where both sources are black is added, the normalisation keeps its "
        f"statistics in the last quarter; {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **AUTOENCODER_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)


def joined_by(join: str) -> Recipe:
    """The same, trained with features that are joined in another way; two sources are shown."""
    about = {**RECIPE.about, "title": f"IFCNN, features joined by their {join}"}
    return replace(RECIPE, name=f"ifcnn-{join}", build=partial(IFCNN, join), about=about)
