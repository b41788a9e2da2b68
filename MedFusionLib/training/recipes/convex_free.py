"""Convex weights trained without pictures of unknown licence: on volumes of patients and templates."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from MedFusionLib.training.pairs import Pairs
from MedFusionLib.training.recipes import convex_pairs
from MedFusionLib.training.volumes import PAIRS, read_volume_pairs


def figures(network: nn.Module, data: Pairs) -> dict:
    """Nothing is held back here: the card of this network is filled by the bench on other pictures."""
    return {"held_back": "none; figures on the pairs of the atlas are in Docs/networks.md"}


RECIPE = replace(
    convex_pairs.RECIPE,
    name="convex-free",
    load=read_volume_pairs,
    figures=figures,
    about={
        **convex_pairs.RECIPE.about,
        "title": "Convex weights, trained on data with free licences",
        "guessed": convex_pairs.RECIPE.about["guessed"] + "; every slice of a volume is a picture",
        "training_data": {
            "source": [name for pair in PAIRS for name in pair.files],
            "licence": "MNI templates of SPM and Clinical (GPL-2, BSD-2), soft-tissue sarcoma of TCIA (CC BY 3.0), "
            "glioma of BraTS-Toolkit (see there): none of it is part of MedFusion",
        },
    },
)
