"""Photographs that scikit-image ships: training data with free licences, the same everywhere."""

from __future__ import annotations

import numpy as np

NAMES = (
    "astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field", "moon",
    "retina", "rocket",
)  # fmt: skip
LICENCE = "public domain or CC0, see the documentation of skimage.data"


def load_photographs() -> list[np.ndarray]:
    """Grey photographs (H, W) float32 in 0..1, in the order of `NAMES`."""
    from skimage import data

    images = []
    for name in NAMES:
        image = np.asarray(getattr(data, name)(), np.float64)
        if image.ndim == 3:
            image = image[..., :3] @ (0.299, 0.587, 0.114)
        images.append((image / 255).astype(np.float32))
    return images
