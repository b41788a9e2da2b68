"""Convex weights, last stage: from the weights of `convex_aims`, a few small steps towards edges of MR and CT.

Prices begin near those that the second stage had come to, so that what was reached is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from MedFusionLib.training.bargain import Aim, Bargain
from MedFusionLib.training.recipes import convex_aims
from MedFusionLib.weights import load_tensors

STEPS, RATE = 200, 3e-4
BEGUN = "convex-aims"
"""Weights of the second stage."""
CLOSER = {"ct_mri": {"qabf": Aim(0.01, surplus=0.02, dearest=0.8)}}
"""What is asked for beyond the aims of the second stage."""
REACHED = {
    "ct_mri": {
        "q_mi": 0.05, "scd": 0.05, "qabf": 0.3, "vif": 0.1, "ssim": 0.02, "func": 0.01, "ssim_w": 0.06, "clin": 0.1,
    },
    "pet_mri": {"q_mi": 0.15, "qabf": 0.8, "vif": 0.03, "ssim": 0.5, "detail": 0.5},
    "pet_mri" + convex_aims.SCALAR: {
        "q_mi": 0.15, "scd": 0.2, "qabf": 0.1, "vif": 0.1, "ssim": 0.02, "ms_ssim": 0.02, "detail": 0.1, "ssim_w": 0.18,
        "clin": 0.05,
    },
    "spect_mri": {"q_mi": 0.2, "scd": 0.2, "qabf": 1.0, "ssim_w": 0.5, "clin": 0.1},
    "spect_mri" + convex_aims.SCALAR: {"q_mi": 0.15, "scd": 0.04, "qabf": 0.18, "ssim_w": 0.06},
}  # fmt: skip
"""Prices half way through the second stage, rounded, that of edges of MR and CT raised; all others were lowest."""


def aims(name: str) -> Mapping[str, Aim]:
    """The aims of a set."""
    return {**convex_aims.aims(name), **CLOSER.get(name, {})}


def stored_second() -> dict[str, Tensor]:
    """Weights of the second stage that come with MedFusion."""
    return load_tensors(BEGUN)


RECIPE = replace(
    convex_aims.RECIPE,
    name="convex",
    build=partial(convex_aims.begun, stored_second),
    begin=partial(Bargain, measure=convex_aims.measure, aims=aims, steps=STEPS, rate=RATE, prices=REACHED),
    steps=STEPS,
    about={
        **convex_aims.RECIPE.about,
        "title": "Convex weights",
        "guessed": f"aims and the limits of their prices; goes on from the weights of {BEGUN} for {STEPS} steps of "
        f"{convex_aims.AT_ONCE} whole pictures",
    },
)
