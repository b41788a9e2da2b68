"""Recipes, one file per network; each has a `RECIPE`. ``medfusion train NAME --out DIR`` runs one."""

from __future__ import annotations

from importlib import import_module

from MedFusionLib.errors import UsageError
from MedFusionLib.training.recipe import Recipe

NAMES = (
    "cddfuse", "convex", "convex-aims", "convex-attention", "convex-free", "convex-pairs", "ddcgan",
    "dense-dcgan", "densefuse", "densefuse-tuned", "emfusion", "fusiongan", "ifcnn", "ifcnn-mean", "ifcnn-sum",
    "ift", "lesion-net", "mcfnet", "mmi-fuse", "modality-maps", "msdnet", "nestfuse", "pmgi", "pyramid-cnn",
    "sdnet", "shearlet-cnn", "siamese", "transfuse", "transmef", "tumour-gan", "tumour-gan-unguided", "u2fusion",
)  # fmt: skip
"""Recipes whose weights are in the package."""


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises
    ------
    UsageError
        When there is none.
    """
    if name not in NAMES:
        raise UsageError(f"Unknown recipe {name!r}", "one of " + ", ".join(NAMES))
    return import_module(f"{__name__}.{name.replace('-', '_')}").RECIPE
