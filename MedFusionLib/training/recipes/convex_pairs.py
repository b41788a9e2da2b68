"""Convex weights, first stage: no ground truth, all goals with wide tolerance; `convex_aims` goes on from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.convex import ConvexWeights, fuse_convex
from MedFusionLib.training import objectives as measure
from MedFusionLib.training.augment import crop, disturbed, flip_and_turn, turn_and_scale
from MedFusionLib.training.fusion import PAIR_DATA
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.kept import kept_of, kept_of_plain_fusions
from MedFusionLib.training.pairs import Pairs, read_pairs
from MedFusionLib.training.recipe import Descent, Recipe

STEPS, RATE, MOST = 1800, 2e-3, 12
INVENTED = 60.0
"""Price of edges that are stronger than in every source."""
SIZE, AT_ONCE = 128, 3
"""Samples of a crop along each axis, and number of sets of which one is taken at once."""


@dataclass(frozen=True)
class Goal:
    """One thing to keep, in relation to what maximum and average keep of the same picture.

    Parameters
    ----------
    weight : float
        Price of a shortfall of 1.
    share, surplus : float
        The goal: this share of what they keep, and so much more.
    reference : str
        "maximum", or "better" of maximum and average.
    pull : float
        Share of the price that is paid for what is missing to 1, so that goals can be exceeded.
    """

    weight: float
    share: float = 1.0
    surplus: float = 0.0
    reference: str = "maximum"
    pull: float = 0.05


GOALS = {
    "q_mi": Goal(3.0, share=0.86),
    "scd": Goal(1.5, share=0.88),
    "qabf": Goal(3.0, surplus=0.02),
    "vif": Goal(2.1, surplus=0.03),
    "ssim": Goal(2.0, surplus=0.005),
    "ms_ssim": Goal(1.0, surplus=0.01),
    "func": Goal(1.5, surplus=0.005),
    "anat": Goal(1.0, surplus=0.01),
    "vif_w": Goal(2.0, share=0.98, pull=0.0),
    "ssim_w": Goal(8.0, surplus=-0.008, reference="better", pull=0.0),
    "clin": Goal(12.0, surplus=0.01, reference="better", pull=0.0),
}  # fmt: skip
"""By the name of the metric; those of the worse source, and of the worse of function and anatomy, are conditions."""


def loss(network: nn.Module, sources: Tensor) -> dict[str, Tensor]:
    """What falls short of the goals."""
    fused = fuse_convex(network, sources).image[:, None]
    found, had = kept_of(fused, sources), kept_of_plain_fusions(sources)
    terms = {}
    for name, goal in GOALS.items():
        short = (goal.share * had[goal.reference][name] + goal.surplus - found[name]).clamp(min=0)
        terms[name] = goal.weight * (short + goal.pull * (1 - found[name])).mean()
    terms["invented"] = INVENTED * measure.invented_edges(fused * 255, sources * 255).mean()
    return terms


def batch(data: Pairs, generator: Generator, size: int = SIZE) -> Tensor:
    """A crop of one pair of each of some sets, (AT_ONCE, 2, size, size)."""
    found, sets = [], list(data.sets().values())
    if len(sets) > AT_ONCE:
        sets = [sets[number] for number in torch.randperm(len(sets), generator=generator)[:AT_ONCE].tolist()]
    for pairs in sets:
        images = pairs[int(torch.randint(0, len(pairs), (), generator=generator))].tensor()
        images = flip_and_turn(turn_and_scale(images, generator), generator)
        images = crop(images, size, generator, least=0.35)
        found.append(disturbed(images, generator, graded=0.3, shifted=0.3, noisy=0.2))
    return torch.stack(found)


def apart() -> ConvexWeights:
    """The network whose first layer sees every source alone, as the first two stages have it."""
    return ConvexWeights(beside=False)


def figures(network: nn.Module, data: Pairs, name: str, build: Callable[[], nn.Module] = apart) -> dict:
    """All that the goals speak of on the cases held back, beside the untrained network, maximum and average."""
    torch.manual_seed(RECIPE.seed)
    fusions = {name: network, "untrained": build().eval()}
    return pair_figures({name: partial(_image, each) for name, each in fusions.items()}, data.test, most=MOST)


def _image(network: nn.Module, sources: Tensor) -> Tensor:
    return fuse_convex(network, sources).image


RECIPE = Recipe(
    name="convex-pairs",
    build=apart,
    load=read_pairs,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=RATE),
    steps=STEPS,
    figures=partial(figures, name="convex"),
    needs_data=True,
    about={
        "title": "Convex weights, first stage",
        "citation": "MedFusion, own design: networks/convex.py",
        "reproduces": "nothing; trained without ground truth on what pictures keep of their sources: information, "
        "edges, structure, function, anatomy, in relation to maximum and average",
        "guessed": f"prices and goals, {STEPS} steps of one crop of {SIZE} x {SIZE} samples of each set",
        **PAIR_DATA,
        "intended_use": "weights of registered sources in 0..1 for fusion; no diagnosis",
    },
)
