"""Convex weights, last stage: from the weights of `convex_beside`, a few small steps towards what was just missed.

That is the structure of the worse source of MR and SPECT, and function and anatomy of MR and scalars behind palettes
of PET. Prices at first are set by hand, near those of the third stage, so that what was reached is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from MedFusionLib.networks.convex import ConvexWeights
from MedFusionLib.training.bargain import Aim, Bargain
from MedFusionLib.training.recipes import convex_aims, convex_beside
from MedFusionLib.weights import load_tensors

STEPS, RATE = 100, 3e-4
BEGUN = "convex-beside"
"""Weights of the third stage."""
CLOSER = {
    "spect_mri": {"ssim_w": Aim(0.004, surplus=-0.012, reference="better", dearest=1.2)},
    "pet_mri" + convex_aims.SCALAR: {"clin": Aim(0.01, surplus=0.015, reference="better", dearest=0.8)},
}
"""What is asked for beyond the aims of the third stage."""
REACHED = {
    "ct_mri": {"q_mi": 0.25, "scd": 0.3, "qabf": 0.15, "vif": 0.1, "ssim": 0.04, "ssim_w": 0.15, "clin": 0.2},
    "pet_mri": {"q_mi": 0.45, "scd": 0.15, "qabf": 0.8, "vif": 0.1, "ssim": 0.6, "detail": 0.5},
    "pet_mri" + convex_aims.SCALAR: {
        "q_mi": 0.15, "scd": 0.25, "qabf": 0.1, "vif": 0.1, "ssim": 0.02, "detail": 0.1, "ssim_w": 0.15, "clin": 0.2,
    },
    "spect_mri": {"q_mi": 0.9, "scd": 0.7, "qabf": 1.4, "ssim_w": 1.15, "clin": 0.25},
    "spect_mri" + convex_aims.SCALAR: {"q_mi": 0.15, "scd": 0.03, "qabf": 0.1, "ssim_w": 0.05},
}  # fmt: skip
"""Prices at first; those not named are lowest."""


def aims(name: str) -> Mapping[str, Aim]:
    """The aims of a set."""
    return {**convex_beside.aims(name), **CLOSER.get(name, {})}


def begun(third: Callable[[], dict[str, Tensor]]) -> ConvexWeights:
    """The network with the weights of the third stage."""
    return convex_aims.begun(third, ConvexWeights)


RECIPE = replace(
    convex_beside.RECIPE,
    name="convex",
    build=partial(begun, partial(load_tensors, BEGUN)),
    begin=partial(Bargain, measure=convex_aims.measure, aims=aims, steps=STEPS, rate=RATE, prices=REACHED),
    steps=STEPS,
    about={
        **convex_beside.RECIPE.about,
        "title": "Convex weights",
        "guessed": f"aims and the limits of their prices; goes on from the weights of {BEGUN} for {STEPS} steps of "
        f"{convex_aims.AT_ONCE} whole pictures",
    },
)
