"""U2Fusion, trained on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.u2fusion import U2Fusion
from MedFusionLib.networks.vgg import VGG16
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import LAPLACE, filtered, ssim_map
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 700, 48
SCALES = (3200.0, 3500.0, 3500.0)


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Similarity and squared error with every source, weighted by how much the source tells."""
    fused = network(sources)
    weights = told(sources)
    similar = torch.stack([ssim_map(fused[:, None], s[:, None])[0].mean(dim=(1, 2, 3)) for s in sources.unbind(1)], 1)
    error = (fused[:, None] - sources).square().mean(dim=(2, 3))
    return {"ssim": (weights * (1 - similar)).sum(dim=1).mean(), "mse": 20 * (weights * error).sum(dim=1).mean()}


def told(sources: Tensor) -> Tensor:
    """Weights (B, S): softmax of the mean squared Laplacian of VGG features, averaged over three blocks."""
    with torch.no_grad():
        found = []
        for source in sources.unbind(1):
            blocks = load_network("vgg16", VGG16).of_grey(source[:, None])
            found.append(sum(filtered(b, LAPLACE).square().mean(dim=(1, 2, 3)) / c for b, c in zip(blocks, SCALES)))
        return torch.softmax(torch.stack(found, dim=1) / len(SCALES), dim=1)


RECIPE = Recipe(
    name="u2fusion",
    build=U2Fusion,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "U2Fusion",
        "citation": "H. Xu et al., IEEE Trans. Pattern Anal. Mach. Intell. 44 (2022) 502-518",
        "reproduces": "layers, similarity and squared error (20) weighted by gradients of VGG features",
        "guessed": f"divisors of the features, batch; {STEPS} steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
