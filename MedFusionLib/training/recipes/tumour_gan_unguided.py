"""The same generator as `tumour_gan`, whose head learns beside it without telling it anything: the comparison."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from MedFusionLib.training.recipes import tumour_gan

RECIPE = replace(
    tumour_gan.RECIPE,
    name="tumour-gan-unguided",
    begin=partial(tumour_gan.begin, guided=False),
    about={
        **{key: value for key, value in tumour_gan.RECIPE.about.items() if key != "identical_sources_psnr_db"},
        "title": "The same GAN, not guided by its tumour head",
        "reproduces": "nothing: it shows what the head does to the fusion",
    },
)
