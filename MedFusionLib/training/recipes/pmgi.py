"""PMGI, trained on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.pmgi import PMGI
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import gradient
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 1800, 64
GRADIENT = 30.0


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Squared error with both sources, and with the gradient of the source where it is stronger."""
    fused = network(sources)[:, None]
    x, y = gradient(sources)
    strength = x * x + y * y
    stronger = (strength == strength.amax(dim=1, keepdim=True)).float()
    own_x, own_y = gradient(fused)
    error = ((own_x - x).square() + (own_y - y).square()) * stronger
    return {
        "intensity": 2 * (fused - sources).square().mean(),
        "gradient": GRADIENT * error.mean(),
    }


RECIPE = Recipe(
    name="pmgi",
    build=PMGI,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "PMGI",
        "citation": "H. Zhang et al., AAAI 2020",
        "reproduces": "layers, squared error of intensity and of gradient",
        "guessed": f"strongest gradient of both instead of that of the anatomical source, factor of the "
        f"gradient; {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
