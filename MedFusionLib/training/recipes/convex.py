"""Convex weights, last stage: from the weights of `convex_aims` towards what was just missed.

That is structure of the worse source, edges and correlation with both sources of MR and SPECT, and some of the other
sets, so that nothing that was reached is given up for it. Prices at first are set by hand, near those of the second
stage. Steps scatter, and what is asked for lies close together: so the mean of the later weights is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from MedFusionLib.networks.convex import ConvexWeights
from MedFusionLib.training.averaged import Averaged
from MedFusionLib.training.bargain import Aim, Bargain
from MedFusionLib.training.recipes import convex_aims
from MedFusionLib.weights import load_tensors

STEPS, RATE = 400, 6e-4
BEGUN = "convex-aims"
"""Weights of the second stage."""
CLOSER = {
    "ct_mri": {"q_mi": Aim(0.04, share=0.8, dearest=0.3), "scd": Aim(0.05, share=0.86, dearest=0.5)},
    "pet_mri": {"ssim": Aim(0.003, surplus=0.004, dearest=1.1)},
    "pet_mri" + convex_aims.SCALAR: {
        "scd": Aim(0.05, share=0.84, dearest=0.36),
        "clin": Aim(0.01, surplus=0.02, reference="better", dearest=1.0),
    },
    "spect_mri": {
        "q_mi": Aim(0.04, share=0.84, dearest=0.9),
        "scd": Aim(0.05, share=0.86, dearest=1.1),
        "qabf": Aim(0.01, surplus=0.028, dearest=2.4),
        "vif": Aim(0.015, dearest=0.15),
        "ssim_w": Aim(0.004, surplus=-0.0133, reference="better", dearest=1.55),
        "clin": Aim(0.01, reference="better", dearest=0.2),
    },
    "spect_mri" + convex_aims.SCALAR: {"qabf": Aim(0.01, surplus=0.012, dearest=0.3)},
}
"""What is asked for beyond the aims of the second stage."""
REACHED = {
    "ct_mri": {"q_mi": 0.3, "scd": 0.26, "qabf": 0.18, "vif": 0.2, "ssim": 0.03, "ssim_w": 0.2, "clin": 0.2},
    "pet_mri": {"q_mi": 0.4, "qabf": 0.8, "ssim": 1.0, "ms_ssim": 0.05, "detail": 0.5},
    "pet_mri" + convex_aims.SCALAR: {
        "q_mi": 0.15, "scd": 0.36, "qabf": 0.1, "vif": 0.1, "detail": 0.1, "ssim_w": 0.2, "clin": 0.3,
    },
    "spect_mri": {"q_mi": 0.85, "scd": 1.1, "qabf": 2.3, "vif": 0.15, "ssim_w": 1.28, "clin": 0.1},
    "spect_mri" + convex_aims.SCALAR: {"q_mi": 0.14, "qabf": 0.12, "detail": 0.1},
}  # fmt: skip
"""Prices at first; those not named are lowest."""


def aims(name: str) -> Mapping[str, Aim]:
    """The aims of a set."""
    return {**convex_aims.aims(name), **CLOSER.get(name, {})}


def begun(second: Callable[[], dict[str, Tensor]]) -> ConvexWeights:
    """The network with the weights of the second stage."""
    network = ConvexWeights()
    network.load_state_dict(second())
    return network


def begin(network: ConvexWeights) -> Averaged:
    """A bargain whose rate falls to a half, and the mean of the weights of its second half."""
    bargain = Bargain(network, convex_aims.measure, aims, REACHED, steps=2 * STEPS, rate=RATE)
    return Averaged(bargain, STEPS // 2, STEPS)


RECIPE = replace(
    convex_aims.RECIPE,
    name="convex",
    build=partial(begun, partial(load_tensors, BEGUN)),
    begin=begin,
    steps=STEPS,
    about={
        **convex_aims.RECIPE.about,
        "title": "Convex weights",
        "guessed": f"aims and the limits of their prices; goes on from the weights of {BEGUN} for {STEPS} steps of "
        f"{convex_aims.AT_ONCE} whole pictures; weights averaged over the second half",
    },
)
