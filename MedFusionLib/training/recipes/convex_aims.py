"""Convex weights, second stage: from those of `convex_pairs` towards aims with prices; `convex` goes on.

What is asked for: better than the pixel-wise maximum on edges, information fidelity, structure, function and anatomy,
with neither source lost. Pictures are shown whole, because the aims speak of whole pictures, and coloured ones twice:
by luminance, and by the scalar behind the palette.

A weight that is to follow single samples has to know what the other sources show there. So from here on the first layer
sees, beside a source, the mean and the maximum of all; what it makes of them is learned here, and nothing at first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.convex import ConvexWeights, fuse_convex
from MedFusionLib.training import objectives
from MedFusionLib.training.augment import crop, disturbed, flip_and_turn, turn_and_scale, uniform
from MedFusionLib.training.bargain import Aim, Bargain, Measured, Shown
from MedFusionLib.training.kept import kept_of, kept_of_plain_fusions
from MedFusionLib.training.pairs import Pair, Pairs, read_pairs
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.recipes import convex_pairs
from MedFusionLib.weights import load_tensors

STEPS, RATE = 2200, 1e-3
SIZE, AT_ONCE = 256, 2
"""Samples of a picture along each axis at most, and sets of which one is taken at once."""
INVENTED = 200.0
"""Price of edges that are stronger than in every source."""
SCALAR = ", scalar behind the palette"
"""What is added to the name of a set whose colours are turned into the scalar behind them."""
BEGUN = "convex-pairs"
"""Weights of the first stage."""

USUAL = {
    "q_mi": Aim(0.04, share=0.8, dearest=0.15),
    "scd": Aim(0.05, share=0.82, dearest=0.2),
    "qabf": Aim(0.01, surplus=0.008),
    "vif": Aim(0.015),
    "ssim": Aim(0.003, surplus=0.003),
    "ms_ssim": Aim(0.005, surplus=0.004),
    "func": Aim(0.02, surplus=0.03),
    "detail": Aim(0.2, surplus=0.3),
    "vif_w": Aim(0.01),
    "ssim_w": Aim(0.004, surplus=-0.008, reference="better"),
    "clin": Aim(0.01, surplus=0.012, reference="better"),
}
"""By the name of the metric, for sets of any name."""
SPECIAL = {
    "ct_mri": {
        "q_mi": Aim(0.04, share=0.8, dearest=0.25),
        "scd": Aim(0.05, share=0.84, dearest=0.4),
        "qabf": Aim(0.01, surplus=0.02, dearest=0.8),
        "vif": Aim(0.015, dearest=0.2),
        "func": Aim(0.02, surplus=0.004),
        "clin": Aim(0.01, surplus=0.035, reference="better", dearest=1.0),
    },
    "pet_mri": {
        "q_mi": Aim(0.04, share=0.84, dearest=0.5),
        "scd": Aim(0.05, share=0.84, dearest=0.4),
        "qabf": Aim(0.01, surplus=0.013, dearest=0.8),
        "vif": Aim(0.015, surplus=0.02),
        "ssim": Aim(0.003, surplus=0.0035, dearest=0.6),
    },
    "spect_mri": {
        "q_mi": Aim(0.04, share=0.84, dearest=0.9),
        "scd": Aim(0.05, share=0.86, dearest=0.7),
        "qabf": Aim(0.01, surplus=0.028, dearest=1.4),
        "ssim_w": Aim(0.004, surplus=-0.012, reference="better", dearest=1.2),
        "clin": Aim(0.01, reference="better"),
    },
    "pet_mri" + SCALAR: {
        "scd": Aim(0.05, share=0.84, dearest=0.4),
        "qabf": Aim(0.01, dearest=0.1),
        "vif": Aim(0.015, dearest=0.1),
        "detail": Aim(0.2, dearest=0.1),
        "clin": Aim(0.01, surplus=0.015, reference="better", dearest=0.8),
    },
    "spect_mri" + SCALAR: {"qabf": Aim(0.01, dearest=0.3)},
}
"""Where a set is harder, or easier, than others."""


def aims(name: str) -> Mapping[str, Aim]:
    """The aims of a set."""
    return {**USUAL, **SPECIAL.get(name, {})}


def measure(network: nn.Module, images: Tensor) -> Measured:
    """What fused pictures and plain fusions of (B, 2, H, W) keep."""
    fused = fuse_convex(network, images).image[:, None]
    information = objectives.fine_information
    invented = INVENTED * objectives.invented_edges(fused * 255, images * 255).mean()
    return Measured(
        kept_of(fused, images, information), kept_of_plain_fusions(images, information), {"invented": invented}
    )


def load(folder: Path, held_back: dict[str, Sequence[str]] | None = None) -> Pairs:
    """The pairs of a folder; coloured ones are trained on by luminance and by the scalar behind the palette."""
    pairs = read_pairs(folder, held_back)
    coloured = [_named(other) for pair, other in zip(pairs.train, read_pairs(folder, held_back, "palette").train)
                if not np.array_equal(pair.pixels, other.pixels)]  # fmt: skip
    return Pairs(pairs.train + coloured, pairs.test)


def _named(pair: Pair) -> Pair:
    return replace(pair, set=pair.set + SCALAR)


def batch(data: Pairs, generator: Generator) -> Shown:
    """One picture of each of AT_ONCE sets."""
    sets = data.sets()
    chosen = [list(sets)[number] for number in torch.randperm(len(sets), generator=generator)[:AT_ONCE].tolist()]
    return Shown(tuple(chosen), torch.stack([_shown(sets[name], generator) for name in chosen]))


def _shown(pairs: Sequence[Pair], generator: Generator) -> Tensor:
    images = flip_and_turn(pairs[int(torch.randint(0, len(pairs), (), generator=generator))].tensor(), generator)
    if uniform(generator, 0, 1) < 0.3:
        images = turn_and_scale(images, generator)
    return disturbed(crop(images, SIZE, generator), generator, graded=0.15, shifted=0.1, noisy=0.1)


def begun(first: Callable[[], dict[str, Tensor]]) -> ConvexWeights:
    """The network with the weights of the first stage, which does not yet heed what is beside a source."""
    tensors = dict(first())
    network = ConvexWeights()
    alone = tensors["stem.weight"]
    tensors["stem.weight"] = alone.new_zeros(network.stem.weight.shape)
    tensors["stem.weight"][:, :1] = alone
    network.load_state_dict(tensors)
    return network


RECIPE = Recipe(
    name="convex-aims",
    build=partial(begun, partial(load_tensors, BEGUN)),
    load=load,
    batch=batch,
    begin=partial(Bargain, measure=measure, aims=aims, steps=STEPS, rate=RATE),
    steps=STEPS,
    figures=partial(convex_pairs.figures, name="convex", build=ConvexWeights),
    needs_data=True,
    about={
        **convex_pairs.RECIPE.about,
        "title": "Convex weights, second stage",
        "guessed": f"aims and the limits of their prices; goes on from the weights of {BEGUN} for {STEPS} steps of "
        f"{AT_ONCE} whole pictures",
        "training_data": {
            **convex_pairs.RECIPE.about["training_data"],
            "source": "pairs of slices of the Whole Brain Atlas (AANLIB), coloured ones by their luminance and by the "
            "scalar behind their palette",
        },
        "selection": "the aims and prices were chosen among some thirty trainings, by what the cases trained on and "
        "those held back showed, so that the figures are optimistic",
    },
)
