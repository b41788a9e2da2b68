"""Dense blocks with adversarial training, on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from MedFusionLib.networks.dense_dcgan import DenseDCGAN
from MedFusionLib.networks.discriminators import Discriminator
from MedFusionLib.training.adversarial import Adversarial, Opponent
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import gradient_loss, ssim
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.sheet import fused_sheet

STEPS, SIZE = 400, 48
DETAIL, STRUCTURE = 100.0, 50.0


def generate(network: nn.Module, sources: Tensor) -> Tensor:
    """Fused images (B, 1, H, W)."""
    return network(sources)[:, None]


def content(network: nn.Module, sources: Tensor, fused: Tensor) -> dict[str, Tensor]:
    """The strongest gradient of the sources, and similarity with both."""
    likeness = sum(ssim(fused, source) for source in sources.split(1, dim=1)) / sources.shape[1]
    return {"detail": DETAIL * gradient_loss(fused, sources), "ssim": STRUCTURE * (1 - likeness)}


def one_source(sources: Tensor) -> Tensor:
    """The first source of every second pair, the second one of the others."""
    return torch.where((torch.arange(len(sources)) % 2 == 0)[:, None, None, None], sources[:, :1], sources[:, 1:2])


def begin(network: DenseDCGAN) -> Adversarial:
    """The generator against one discriminator, which knows all kinds of sources."""
    opponent = Opponent(Discriminator(SIZE, (16, 32, 64, 128)), real=one_source, fake=lambda fused: fused)
    return Adversarial(network, {"source": opponent}, generate, content, STEPS)


RECIPE = Recipe(
    name="dense-dcgan",
    build=DenseDCGAN,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=begin,
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    sheet=fused_sheet,
    epoch=100,
    about={
        "title": "Dense blocks with adversarial training",
        "citation": "C. Zhao, T. Wang, B. Lei, Neural Comput. Appl. 33 (2021) 6595-6610",
        "reproduces": "the design of the abstract: dense encoder, largest norm of features, decoder; detail, structure "
        "and adversarial loss",
        "guessed": f"layers (those of DenseFuse), discriminator (half of FusionGAN's width), prices of detail "
        f"({DETAIL:.0f}) and structure ({STRUCTURE:.0f}); {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
