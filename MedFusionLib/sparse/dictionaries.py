"""The dictionaries that come with MedFusion."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources

import numpy as np
from torch import Tensor

from MedFusionLib.errors import UnreadableFile


def card(name: str) -> dict:
    """Model card of the weights of that name."""
    text = (resources.files("MedFusionLib.weights") / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text)


def load_dictionary(name: str) -> Tensor:
    """Atoms (K, n) of length 1, or filters (M, h, w).

    Raises
    ------
    UnreadableFile
        When the file is not the one that the card describes.
    """
    import torch

    return torch.from_numpy(_load(name))


@lru_cache(maxsize=8)
def _load(name: str) -> np.ndarray:
    from safetensors.numpy import load

    content = (resources.files("MedFusionLib.weights") / f"{name}.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != card(name)["sha256"]:
        raise UnreadableFile(
            f"The weights {name} are not those of their model card", "the file that was installed",
            "Install MedFusion again",
        )  # fmt: skip
    return load(content)["dictionary"]
