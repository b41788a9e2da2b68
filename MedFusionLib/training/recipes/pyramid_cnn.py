"""Weights of the bands of a Burt pyramid, trained through the pyramid on pairs of slices."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.pyramid_cnn import PyramidWeights
from MedFusionLib.training.fusion import PAIR_DATA, fusion_terms, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 1500, 96


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Intensity of the maximum, strongest gradient, SSIM with both."""
    return fusion_terms(network(sources)[:, None], sources)


RECIPE = Recipe(
    name="pyramid-cnn",
    build=PyramidWeights,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=2e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "Weights of a Burt pyramid",
        "citation": "Reddy et al.; P. J. Burt, IEEE Trans. Commun. 31 (1983) 532-540",
        "reproduces": "pyramid with the generating kernel (a = 0.375), weights by a small network in every band",
        "guessed": "the network (three convolutions, 16 channels, one for details and one for the base), the loss, "
        f"{STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "intended_use": "fusion of slices in 0..1; no diagnosis",
    },
)
