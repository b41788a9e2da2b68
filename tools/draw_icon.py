"""Draw the module's icon: two overlapping discs, grey anatomy and warm function.

Usage: python tools/draw_icon.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 128
OVERSAMPLING = 4


def draw() -> Image.Image:
    """The icon as RGBA."""
    n = SIZE * OVERSAMPLING
    y, x = np.mgrid[:n, :n] / n
    left = (x - 0.38) ** 2 + (y - 0.5) ** 2 < 0.3**2
    right = (x - 0.62) ** 2 + (y - 0.5) ** 2 < 0.3**2
    pixels = np.zeros((n, n, 4), np.float32)
    pixels[left] = (150, 155, 165, 255)
    pixels[right] = (225, 90, 30, 255)
    pixels[left & right] = (255, 205, 90, 255)
    small = pixels.reshape(SIZE, OVERSAMPLING, SIZE, OVERSAMPLING, 4).mean(axis=(1, 3))
    return Image.fromarray(small.astype(np.uint8), "RGBA")


if __name__ == "__main__":
    draw().save(Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "MedFusion.png")
