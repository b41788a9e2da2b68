"""IFT: first an auto-encoder of photographs and slices, then the fusion of its features."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.ift import IFT, SMALL_WIDTHS, shipped
from MedFusionLib.networks.nestfuse import WIDTHS
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, photograph_batch
from MedFusionLib.training.fusion import PAIR_DATA, fusion_terms, pair_batch, pair_figures_of
from MedFusionLib.training.losses import reconstruction
from MedFusionLib.training.mixed import Mixed, load_mixed
from MedFusionLib.training.recipe import Descent, Recipe, Stages

STEPS, REBUILDING, SIZE, COUNT, STRUCTURE = 1500, 600, 48, 2, 0.1
SCALE_PRICES = (1 / 700, 10 / 700, 100 / 700, 1000 / 700)
"""Of the features, in relation to the similarity, as in the paper."""


def batch(data: Mixed, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pairs (COUNT, 2, SIZE, SIZE), and photographs (4, 1, SIZE, SIZE)."""
    return pair_batch(data.pairs, generator, SIZE, COUNT), photograph_batch(data.photographs, generator, SIZE)


def rebuilding(network: IFT, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """First stage: photographs and sources through encoder and decoder."""
    pairs, photographs = batch
    images = torch.cat((pairs.flatten(0, 1)[:, None], photographs[:COUNT]))
    return reconstruction(network.rebuild(images), images, STRUCTURE)


def fusing(network: IFT, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Second stage: the picture as other networks here, the features as the stronger ones of the sources."""
    sources = batch[0]
    with torch.no_grad():
        features = network.features(sources)
    fused = network.fuse(features)
    terms = fusion_terms(network.decoder(fused), sources)
    terms["features"] = sum(
        price * F.mse_loss(one, both.amax(dim=1)) for price, one, both in zip(SCALE_PRICES, fused, features)
    )
    return terms


def begin(network: IFT) -> Stages:
    """Both stages; the second changes the fusion only."""
    autoencoder: list[nn.Parameter] = [*network.encoder.parameters(), *network.decoder.parameters()]
    fusion = list(network.fusion.parameters())
    return Stages(
        Descent(network, rebuilding, REBUILDING, rate=3e-3, trained=autoencoder),
        Descent(network, fusing, STEPS - REBUILDING, rate=2e-3, trained=fusion),
    )


def figures(network: nn.Module, data: Mixed) -> dict:
    """Figures on the pairs held back, beside average and maximum."""
    return pair_figures_of(network, data.pairs)


RECIPE = Recipe(
    name="ift",
    build=shipped,
    load=load_mixed,
    batch=batch,
    begin=begin,
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "Image Fusion Transformer",
        "citation": "V. Vs, J. M. Jose Valanarasu, P. Oza, V. M. Patel, ICIP 2022, 3566-3570",
        "reproduces": "auto-encoder of NestFuse, trained first; at every scale a branch of convolutions and one of "
        "attention along columns and rows with tables of relative positions; loss of similarity and features",
        "guessed": f"widths {SMALL_WIDTHS} instead of {WIDTHS}, tables interpolated to the size of the slice, features "
        "drawn to the stronger ones of both sources, intensity and gradient added to the loss, "
        f"{REBUILDING} + {STEPS - REBUILDING} steps of {COUNT} pairs of {SIZE} x {SIZE} samples",
        "training_data": [PAIR_DATA["training_data"], AUTOENCODER_DATA["training_data"]],
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
