"""EMFusion, trained on pairs without a ground truth."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from MedFusionLib.networks.emfusion import EMFusion
from MedFusionLib.training.fusion import PAIR_DATA, load_pairs, pair_batch, pair_figures_of
from MedFusionLib.training.losses import ssim_map
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, SIZE = 1200, 64


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """Similarity and squared error with every source, weighted by how much the source tells."""
    fused = network(sources)
    weights = told(sources)
    similar = torch.stack([ssim_map(fused[:, None], s[:, None])[0].mean(dim=(1, 2, 3)) for s in sources.unbind(1)], 1)
    error = (fused[:, None] - sources).square().mean(dim=(2, 3))
    return {"ssim": (weights * (1 - similar)).sum(dim=1).mean(), "mse": 10 * (weights * error).sum(dim=1).mean()}


def told(sources: Tensor) -> Tensor:
    """Weights (B, S): softmax of (entropy + 3 intensity) / 0.5 of every crop."""
    found = []
    for crop in sources.flatten(0, 1):
        share = torch.histc(crop, 64, 0, 1) / crop.numel()
        found.append(-(share * (share + 1e-9).log2()).sum() / 6 + 3 * crop.mean())
    return torch.softmax(torch.stack(found).unflatten(0, sources.shape[:2]) / 0.5, dim=1)


RECIPE = Recipe(
    name="emfusion",
    build=EMFusion,
    load=load_pairs,
    batch=partial(pair_batch, size=SIZE),
    begin=partial(Descent, loss=loss, steps=STEPS, rate=1e-3),
    steps=STEPS,
    figures=pair_figures_of,
    needs_data=True,
    about={
        "title": "EMFusion",
        "citation": "H. Xu, J. Ma, Inf. Fusion 76 (2021) 177-186",
        "reproduces": "layers, similarity and squared error (10) weighted by entropy and intensity",
        "guessed": f"bins and scale of the entropy, no constraint by features of pre-trained networks; {STEPS} "
        f"steps of 4 crops of {SIZE} x {SIZE} samples",
        **PAIR_DATA,
        "identical_sources_psnr_db": 20.0,
        "intended_use": "fusion of slices in 0..1, for comparison; no diagnosis",
    },
)
