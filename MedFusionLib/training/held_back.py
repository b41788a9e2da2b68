"""Figures on the pairs that were held back, beside average and maximum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from MedFusionLib.metrics import evaluate
from MedFusionLib.training.pairs import Pair

SHOWN = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "nabf", "func", "anat", "clin", "vif_w", "ssim_w",
         "invent", "bg")  # fmt: skip
MOST = 6
ROLES = ("anatomical", "functional")
PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "maximum": lambda sources: sources.amax(dim=1),
    "average": lambda sources: sources.mean(dim=1),
}


def pair_figures(
    fusions: dict[str, Callable[[Tensor], Tensor]], pairs: list[Pair], most: int = MOST, metrics: tuple = SHOWN
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean metrics by set and fusion; maximum and average always among them.

    Parameters
    ----------
    fusions : dict of str to callable
        Fused images (N, H, W) of sources (N, 2, H, W) in 0..1, the anatomical one first.
    pairs : list of Pair
        Held back from the training.
    most : int
        Pairs per set, evenly chosen.
    metrics : tuple of str
        What to measure.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in sorted({pair.set for pair in pairs}):
        own = [pair for pair in pairs if pair.set == name]
        chosen = own[:: -(-len(own) // most)]
        found[name] = {
            title: _means([_measured(fuse, pair, metrics) for pair in chosen], metrics)
            for title, fuse in {**fusions, **PLAIN}.items()
        }
    return found


def _measured(fuse: Callable[[Tensor], Tensor], pair: Pair, metrics: tuple) -> dict[str, float]:
    sources = pair.tensor()
    with torch.inference_mode():
        fused = fuse(sources[None])[0].float().clamp(0, 1).numpy()
    return evaluate([source.numpy() for source in sources], fused, metrics=metrics, roles=ROLES)


def _means(rows: list[dict[str, float]], metrics: tuple) -> dict[str, float]:
    table = np.ma.masked_invalid([[row[name] for name in metrics] for row in rows]).mean(axis=0)
    return {name: round(float(value), 5) for name, value in zip(metrics, table.filled(np.nan))}
