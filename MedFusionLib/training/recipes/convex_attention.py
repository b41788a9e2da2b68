"""Convex attention: trained like convex weights, in less time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from MedFusionLib.networks.convex_attention import ConvexAttention
from MedFusionLib.training.recipe import Descent
from MedFusionLib.training.recipes import convex_pairs

STEPS, SIZE = 450, 96

RECIPE = replace(
    convex_pairs.RECIPE,
    name="convex-attention",
    build=ConvexAttention,
    batch=partial(convex_pairs.batch, size=SIZE),
    begin=partial(Descent, loss=convex_pairs.loss, steps=STEPS, rate=4e-3),
    steps=STEPS,
    figures=partial(convex_pairs.figures, name="convex-attention", build=ConvexAttention),
    about={
        **convex_pairs.RECIPE.about,
        "title": "Convex attention",
        "citation": "MedFusion, own design: networks/convex_attention.py",
        "guessed": f"prices and goals of the convex weights, {STEPS} steps of one crop of {SIZE} x {SIZE} samples of "
        "each set; trained on slices only",
    },
)
