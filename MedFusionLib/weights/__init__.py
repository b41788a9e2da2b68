"""Trained weights: one safetensors file and one model card (JSON) each, checked by hash when they are read."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from MedFusionLib.errors import UnreadableFile

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def card(name: str) -> dict:
    """Model card of the weights of that name."""
    text = (resources.files("MedFusionLib.weights") / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text)


def invention_of(name: str) -> float | None:
    """Invention on the pairs held back, of the worst set, as the card of the weights tells; None where it does not."""
    figures = card(name).get("figures", {})
    sets = [one for one in figures.values() if isinstance(one, dict)]
    found = [one[title]["invent"] for one in sets for title in ("network", name) if title in one]
    return max(found, default=None)


def load_tensors(name: str) -> dict[str, Tensor]:
    """All tensors of the weights of that name, in float32 on the CPU.

    Raises
    ------
    UnreadableFile
        When the file is not the one that the card describes.
    """
    import torch

    return {key: torch.from_numpy(value).float() for key, value in _load(name).items()}


@lru_cache(maxsize=8)
def _load(name: str) -> dict[str, np.ndarray]:
    from safetensors.numpy import load

    content = (resources.files("MedFusionLib.weights") / f"{name}.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != card(name)["sha256"]:
        raise UnreadableFile(
            f"The weights {name} are not those of their model card", "the file that was installed",
            "Install MedFusion again",
        )  # fmt: skip
    return load(content)
