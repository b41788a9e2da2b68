"""Convex weights, first stage on pairs of pictures: all goals with wide tolerance; `convex` goes on from here."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from MedFusionLib.networks.convex import ConvexWeights
from MedFusionLib.training.recipe import Descent
from MedFusionLib.training.recipes import convex

STEPS, RATE = 1800, 2e-3

RECIPE = replace(
    convex.RECIPE,
    name="convex-pairs",
    build=ConvexWeights,
    batch=partial(convex.batch, stage=convex.FIRST),
    begin=partial(Descent, loss=partial(convex.loss, stage=convex.FIRST), steps=STEPS, rate=RATE),
    steps=STEPS,
    about={
        **convex.RECIPE.about,
        "title": "Convex weights, first stage",
        "guessed": f"prices and goals, {STEPS} steps of one crop of {convex.FIRST.size} x {convex.FIRST.size} samples "
        "of each set",
    },
)
