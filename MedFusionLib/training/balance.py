"""Balance training pairs between modalities with mapped pictures: for training, never to be looked at as a patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from MedFusionLib.networks.modality_maps import ModalityMaps
from MedFusionLib.training.pairs import Pair, Pairs

SETS = {"pet_mri": "pet", "ct_mri": "ct"}
"""Sets that are filled up, and the modality that their MR is mapped to."""
MAPPED = "mapped-"
"""Cases of mapped pairs begin so."""


@torch.no_grad()
def balanced(pairs: Pairs, maps: ModalityMaps) -> Pairs:
    """Training pairs with every set filled up to the size of the largest; pairs held back stay as they are.

    MR slices of other sets are mapped to the modality that is missing, evenly chosen. What is
    held back is never mapped.

    Parameters
    ----------
    pairs : Pairs
        The anatomical picture first.
    maps : ModalityMaps
        See `networks.modality_maps`.
    """
    sets = pairs.sets()
    most = max(len(own) for own in sets.values())
    added = [
        _mapped(pair, target_set, maps)
        for target_set in SETS
        if target_set in sets
        for pair in _evenly([p for p in pairs.train if p.set != target_set], most - len(sets[target_set]))
    ]
    return replace(pairs, train=[*pairs.train, *added])


def _evenly(pairs: list[Pair], count: int) -> list[Pair]:
    return [pairs[number] for number in np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)]


def _mapped(pair: Pair, target_set: str, maps: ModalityMaps) -> Pair:
    other = maps.there[SETS[target_set]](pair.tensor()[None, :1])[0]
    other = other * (pair.tensor()[:1] > 0.02)  # outside the head there is nothing
    pixels = np.concatenate((pair.pixels[:1], (255 * other).round().byte().numpy()))
    return Pair(target_set, MAPPED + pair.case, pair.name, pixels)
