"""The dictionaries that come with MedFusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MedFusionLib.weights import load_tensors

if TYPE_CHECKING:
    from torch import Tensor


def load_dictionary(name: str) -> Tensor:
    """Atoms (K, n) of length 1, or filters (M, h, w).

    Raises
    ------
    UnreadableFile
        When the file is not the one that its model card describes.
    """
    return load_tensors(name)["dictionary"]
