"""Convex attention: trained like convex weights, in less time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from MedFusionLib.networks.convex_attention import ConvexAttention
from MedFusionLib.training.recipe import Descent
from MedFusionLib.training.recipes import convex

STEPS, SIZE = 450, 96
STAGE = replace(convex.FIRST, size=SIZE)

RECIPE = replace(
    convex.RECIPE,
    name="convex-attention",
    build=ConvexAttention,
    batch=partial(convex.batch, stage=STAGE),
    begin=partial(Descent, loss=partial(convex.loss, stage=STAGE), steps=STEPS, rate=4e-3),
    steps=STEPS,
    figures=partial(convex.figures, name="convex-attention", build=ConvexAttention),
    about={
        **{key: value for key, value in convex.RECIPE.about.items() if key != "selection"},
        "title": "Convex attention",
        "citation": "MedFusion, own design: networks/convex_attention.py",
        "guessed": f"prices and goals of the convex weights, {STEPS} steps of one crop of {SIZE} x {SIZE} samples of "
        "each set; trained on slices only",
    },
)
