"""Convex weights: trained without ground truth to keep what either source shows.

In two stages. The first (`convex_pairs`, and `convex_free` on data with free licences) weighs all goals
with wide tolerance. The second goes on from its weights and asks for decisions: values that are those of one
source wherever the other goals allow it, because a mixture tells little of either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.networks.convex import ConvexWeights, fuse_convex
from MedFusionLib.training import objectives as measure
from MedFusionLib.training.augment import crop, flip_and_turn, luminance, misalign, noise, turn_and_scale, uniform
from MedFusionLib.training.fusion import PAIR_DATA
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.losses import ms_ssim
from MedFusionLib.training.pairs import Pairs, read_pairs
from MedFusionLib.training.recipe import Descent, Recipe
from MedFusionLib.weights import load_tensors

STEPS, RATE, MOST = 140, 8e-4, 12
BEGUN = "convex-pairs"
"""Weights of the first stage."""


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


@dataclass(frozen=True)
class Stage:
    """What a stage of the training asks for, and of what pictures.

    Parameters
    ----------
    goals : dict of str to Goal
        By the name of the metric; "vif_w", "ssim_w" and "clin" are conditions: the worse source, and the worse of
        function and anatomy.
    invented : float
        Price of edges that are stronger than in every source.
    undecided : float
        Price of values between those of the sources.
    information : callable
        Of `objectives`: how mutual information is measured.
    size, at_once : int
        Samples of a crop along each axis, and number of sets of which one is taken at once.
    """

    goals: dict[str, Goal]
    invented: float = 60.0
    undecided: float = 0.0
    information: Callable[[Tensor, Tensor], Tensor] = measure.mutual_information
    size: int = 128
    at_once: int = 3


FIRST = Stage({
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
})  # fmt: skip
SECOND = Stage(
    {
        "q_mi": Goal(2.5, share=0.9),
        "scd": Goal(4.0, share=0.88),
        "qabf": Goal(6.0, surplus=0.02),
        "vif": Goal(3.0, surplus=0.03),
        "ssim": Goal(8.0, surplus=0.006),
        "ms_ssim": Goal(4.0, surplus=0.01),
        "func": Goal(1.0, surplus=0.005),
        "anat": Goal(1.0, surplus=0.005),
        "vif_w": Goal(2.0, share=0.98, pull=0.0),
        "ssim_w": Goal(20.0, surplus=0.003, reference="better", pull=0.0),
        "clin": Goal(24.0, surplus=0.03, reference="better", pull=0.0),
    },
    invented=100.0,
    undecided=0.3,
    information=measure.fine_information,
    size=160,
    at_once=2,
)


def values(fused: Tensor, sources: Tensor, stage: Stage) -> dict[str, Tensor]:
    """All that the goals speak of, (B,) each, for images in 0..1: fused (B, 1, H, W), sources (B, 2, H, W)."""
    fused, sources = 255 * fused, 255 * sources
    anatomical, functional = sources.split(1, dim=1)
    both = (anatomical, functional)
    fidelity = [measure.information_fidelity(source, fused) for source in both]
    alike = [measure.similarity(source, fused) for source in both]
    func = measure.functional_fidelity(fused, functional)
    anat = measure.anatomical_detail(fused, anatomical, functional)
    return {
        "q_mi": sum(stage.information(source, fused) for source in both),
        "scd": measure.difference_correlation(fused, sources),
        "qabf": measure.edge_preservation(fused, sources),
        "vif": sum(fidelity),
        "vif_w": torch.minimum(*fidelity),
        "ssim": sum(alike) / 2,
        "ssim_w": torch.minimum(*alike),
        "ms_ssim": torch.stack([sum(ms_ssim(s[None] / 255, f[None] / 255) for s in pair) / 2
                                for f, pair in zip(fused, sources[:, :, None])]),
        "func": func,
        "anat": anat,
        "clin": torch.minimum(func, anat),
    }  # fmt: skip


def loss(network: nn.Module, sources: Tensor, stage: Stage = SECOND) -> dict[str, Tensor]:
    """What falls short of the goals of a stage."""
    fused = fuse_convex(network, sources).image[:, None]
    found = values(fused, sources, stage)
    with torch.no_grad():
        maximum = values(sources.amax(dim=1, keepdim=True), sources, stage)
        average = values(sources.mean(dim=1, keepdim=True), sources, stage)
    terms = {}
    for name, goal in stage.goals.items():
        kept = maximum[name] if goal.reference == "maximum" else torch.maximum(maximum[name], average[name])
        short = (goal.share * kept + goal.surplus - found[name]).clamp(min=0)
        terms[name] = goal.weight * (short + goal.pull * (1 - found[name])).mean()
    terms["invented"] = stage.invented * measure.invented_edges(fused * 255, sources * 255).mean()
    if stage.undecided:
        terms["undecided"] = stage.undecided * measure.indecision(fused * 255, sources * 255).mean()
    return terms


def batch(data: Pairs, generator: Generator, stage: Stage = SECOND) -> Tensor:
    """A crop of one pair of each of some sets, (at_once, 2, size, size)."""
    found, sets = [], list(data.sets().values())
    if len(sets) > stage.at_once:
        sets = [sets[number] for number in torch.randperm(len(sets), generator=generator)[: stage.at_once].tolist()]
    for pairs in sets:
        images = pairs[int(torch.randint(0, len(pairs), (), generator=generator))].tensor()
        images = flip_and_turn(turn_and_scale(images, generator), generator)
        images = crop(images, stage.size, generator, least=0.35)
        if uniform(generator, 0, 1) < 0.3:
            images = luminance(images, generator, 0.2)
        if uniform(generator, 0, 1) < 0.3:
            images = misalign(images, generator)
        if uniform(generator, 0, 1) < 0.2:
            images = noise(images, generator)
        found.append(images)
    return torch.stack(found)


def figures(
    network: nn.Module, data: Pairs, name: str = "convex", build: Callable[[], nn.Module] = ConvexWeights
) -> dict:
    """All that the goals speak of on the cases held back, beside the untrained network, maximum and average."""
    torch.manual_seed(RECIPE.seed)
    fusions = {name: network, "untrained": build().eval()}
    return pair_figures({name: partial(_image, each) for name, each in fusions.items()}, data.test, most=MOST)


def _image(network: nn.Module, sources: Tensor) -> Tensor:
    return fuse_convex(network, sources).image


def stored_first() -> dict[str, Tensor]:
    """Weights of the first stage that come with MedFusion."""
    return load_tensors(BEGUN)


def begun(first: Callable[[], dict[str, Tensor]] = stored_first) -> ConvexWeights:
    """The network with the weights of the first stage."""
    network = ConvexWeights()
    network.load_state_dict(first())
    return network


class HalfWay(Descent):
    """Descent that ends half way between the first stage and where it came to.

    The mean of both sets of values keeps what the first stage was good at [M. Wortsman et al., Robust fine-tuning of
    zero-shot models, CVPR 2022, 7959-7971]. It is taken of values as they are stored, in float16.

    Parameters
    ----------
    network, options
        As of `Descent`.
    first : callable
        Gives the weights of the first stage.
    """

    def __init__(self, network: nn.Module, *, first: Callable[[], dict[str, Tensor]] = stored_first, **options) -> None:
        super().__init__(network, **options)
        self.first = first

    def advance(self, number: int, batch: Tensor) -> dict[str, float]:
        """One step, and after the last one the mean."""
        terms = super().advance(number, batch)
        if number == self.steps - 1:
            first = self.first()
            state = self.network.state_dict()
            self.network.load_state_dict({key: (first[key] + state[key].half().float()) / 2 for key in state})
        return terms


RECIPE = Recipe(
    name="convex",
    build=begun,
    load=read_pairs,
    batch=batch,
    begin=partial(HalfWay, loss=loss, steps=STEPS, rate=RATE),
    steps=STEPS,
    figures=figures,
    needs_data=True,
    about={
        "title": "Convex weights",
        "citation": "MedFusion, own design: networks/convex.py",
        "reproduces": "nothing; trained without ground truth on what pictures keep of their sources: information, "
        "edges, "
        "structure, function, anatomy, in relation to maximum and average",
        "guessed": f"prices and goals; goes on from the weights of {BEGUN} for "
        f"{STEPS} steps of crops of {SECOND.size} x {SECOND.size} samples, and ends half way between both",
        **PAIR_DATA,
        "selection": "one trial, five trainings and the mean of two of them were compared on the cases held back, so "
        "that the figures are optimistic",
        "intended_use": "weights of registered sources in 0..1 for fusion; no diagnosis",
    },
)
