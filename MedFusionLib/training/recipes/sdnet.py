"""SDNet, trained on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.sdnet import SDNet
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import LAPLACE, filtered
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 1800, 64
INTENSITY, GRADIENT = 10.0, 5.0


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Squared error with both, with the gradient of the source that is livelier there, and of the sources drawn.

    The brighter source of a sample counts twice.
    """
    fused = network(sources)
    brighter = (sources == sources.amax(dim=1, keepdim=True)).float() + 1
    edges = filtered(sources, LAPLACE)
    smooth = F.avg_pool2d(edges.abs(), 5, stride=1, padding=2)
    decision = (smooth == smooth.amax(dim=1, keepdim=True)).float()
    own = filtered(fused[:, None], LAPLACE)
    return {
        "intensity": INTENSITY * (brighter * (fused[:, None] - sources).square()).mean() / 1.5,
        "gradient": GRADIENT * (decision * (own - edges).square()).mean(),
        "decomposition": (network.decompose(fused) - sources).square().mean(),
    }


RECIPE = Recipe(
    name="sdnet",
    build=SDNet,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=2e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "SDNet",
        "citation": "H. Zhang, J. Ma, Int. J. Comput. Vis. 129 (2021) 2761-2785",
        "reproduces": "layers, intensity, gradient with pixel-wise decision, decomposition",
        "guessed": "brightness measured from what the network makes of black sources; the brighter source of a sample "
        f"counts twice (in the paper the functional one), prices of intensity ({INTENSITY:.0f}) and gradient "
        f"({GRADIENT:.0f}), window of the decision; {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 25.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
