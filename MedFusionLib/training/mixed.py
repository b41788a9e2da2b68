"""Pairs of medical slices together with photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from MedFusionLib.training.autoencoder import Photographs, load_crops
from MedFusionLib.training.fusion import load_pairs
from MedFusionLib.training.pairs import Pairs


@dataclass(frozen=True, eq=False)
class Mixed:
    """Pairs of medical slices, and photographs."""

    pairs: Pairs
    photographs: Photographs


def load_mixed(folder: Path) -> Mixed:
    """The pairs of a folder and the photographs of scikit-image."""
    return Mixed(load_pairs(folder), load_crops(None))
