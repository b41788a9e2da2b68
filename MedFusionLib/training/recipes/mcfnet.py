"""MCFNet, trained on photographs that got the grey values and the texture of medical slices."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.mcfnet import MCFNet
from MedFusionLib.training.fusion import PAIR_DATA, fusion_terms, pair_figures_of
from MedFusionLib.training.matched import load_matched, matched_batch
from MedFusionLib.training.photographs import LICENCE, NAMES
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 3000, 64


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Intensity of the maximum, strongest gradient, SSIM with both."""
    return fusion_terms(network(sources)[:, None], sources)


RECIPE = Recipe(
    name="mcfnet",
    build=MCFNet,
    load=load_matched,
    batch=partial(matched_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "MCFNet",
        "citation": "X. Liang, P. Hu, L. Zhang, J. Sun, G. Yin, IEEE Sens. J. 19 (2019) 7107-7119",
        "reproduces": "residual stages, two down-samplings, the sources joined to every stage of the decoder, fast "
        "up-convolutions, photographs matched to medical grey values and texture",
        "guessed": f"widths 16, 32, 64, number of blocks, loss, {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        "training_data": {
            "source": "skimage.data", "photographs": list(NAMES), "licence": LICENCE,
            "grey_values": "distribution of grey values of the training pairs of the Whole Brain Atlas (AANLIB); "
            + PAIR_DATA["training_data"]["licence"],
            "held_back": PAIR_DATA["training_data"]["held_back"],
        },
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)  # fmt: skip
