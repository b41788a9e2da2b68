"""FusionGAN, trained on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from MedFusionLib.networks.discriminators import Discriminator
from MedFusionLib.networks.fusiongan import FusionGAN, shipped
from MedFusionLib.training.adversarial import Adversarial, Opponent, Rules
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import LAPLACE, filtered, veil
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.sheet import fused_sheet

STEPS, SIZE = 800, 48
CONTENT, EDGES = 100.0, 5.0
VEIL, SETTLED = 200.0, 0.25
"""A tanh reaches black only far out, and squares of small errors cost next to nothing: black needs its own price."""


def generate(network: nn.Module, sources: Tensor) -> Tensor:
    """Fused images (B, 1, H, W)."""
    return network(sources)[:, None]


def content(network: nn.Module, sources: Tensor, fused: Tensor) -> dict[str, Tensor]:
    """Brightness of the second source, edges of the anatomical one; on the scale -1..1 of the paper."""
    anatomical, other = (2 * sources - 1).split(1, dim=1)
    veiled = VEIL * veil(fused, sources).mean()
    fused = 2 * fused - 1
    return {
        "veil": veiled,
        "intensity": CONTENT * (fused - other).square().mean(),
        "edges": CONTENT * EDGES * (filtered(fused, LAPLACE) - filtered(anatomical, LAPLACE)).square().mean(),
    }


def begin(network: FusionGAN) -> Adversarial:
    """The generator against one discriminator, which knows anatomical pictures."""
    judge = Discriminator(SIZE, (16, 32, 64, 128))
    opponent = Opponent(judge, real=lambda sources: sources[:, :1], fake=lambda fused: fused)
    return Adversarial(network, {"anatomy": opponent}, generate, content, STEPS, rules=Rules(settled=SETTLED))


RECIPE = Recipe(
    name="fusiongan",
    build=shipped,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE, in_order=True),
    begin=begin,
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    sheet=fused_sheet,
    about={
        "title": "FusionGAN, an eighth of the width",
        "citation": "J. Ma et al., Inf. Fusion 48 (2019) 11-26",
        "reproduces": "layers at about an eighth (generator: 32, 16, 16, 8 channels) and half (discriminator) of their "
        "widths, least squares with soft labels, 100 times (intensity of one source + 5 times the edges of the other)",
        "guessed": "the anatomical source gives the edges; reflected borders; spectral normalisation in the "
        f"discriminator only, which is held back while it is ahead; {VEIL:.0f} times the brightness where both sources "
        "are black; the normalisation keeps its statistics in the last quarter; "
        f"{STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, the anatomical one first, for comparison; no diagnosis",
    },
)
