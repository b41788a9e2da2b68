"""Small pairs to train on and to look at."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image


def generator(seed=0):
    """A seeded generator."""
    return torch.Generator().manual_seed(seed)


def blocks(count=2, size=48, seed=0):
    """Pictures (1, count, size, size) of squares on black."""
    picture = torch.rand(1, count, size // 6, size // 6, generator=generator(seed))
    picture[..., 0, :] = 0
    return picture.repeat_interleave(6, -1).repeat_interleave(6, -2)


def write_pairs(folder):
    """Two pairs of one case as pictures."""
    rng = np.random.default_rng(0)
    for modality in ("ct", "mri"):
        (folder / "ct_mri" / modality).mkdir(parents=True)
        for name in ("2001", "2002"):
            picture = rng.integers(0, 256, (16, 16)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
            Image.fromarray(picture).save(folder / "ct_mri" / modality / f"{name}.png")
