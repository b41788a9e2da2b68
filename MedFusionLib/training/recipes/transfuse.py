"""TransFuse: the network of TransMEF, trained to mend grey values, brightness and noise."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from MedFusionLib.training.destruction import brightness, grey_values, noise
from MedFusionLib.training.recipes import transmef

TASKS = (grey_values, brightness, noise)

RECIPE = replace(
    transmef.RECIPE,
    name="transfuse",
    batch=partial(transmef.batch, tasks=TASKS),
    figures=partial(transmef.figures, tasks=TASKS),
    about={
        **transmef.RECIPE.about,
        "title": "TransFuse",
        "citation": "L. Qu, S. Liu, M. Wang, S. Li, S. Yin, Q. Qiao, Z. Song, arXiv:2201.07451",
        "reproduces": "convolutions beside a transformer without positions, three tasks of mending (grey values for "
        "several modalities, brightness for exposures, noise for focus), one network for all",
        "guessed": transmef.RECIPE.about["guessed"]
        + "; the curves of the grey values, which only rise, and the strength of the noise",
    },
)
