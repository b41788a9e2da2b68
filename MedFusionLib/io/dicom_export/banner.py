"""The research mark, drawn into a picture."""

from __future__ import annotations

import numpy as np

from MedFusionLib.io.dicom_export.stamp import RESEARCH

_BACKGROUND, _INK = (0, 0, 0), (255, 200, 0)


def draw_banner(pixels: np.ndarray, text: str = RESEARCH) -> np.ndarray:
    """A copy of an RGB picture (J, I, 3) uint8 with a line of text on its upper edge."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    pen = ImageDraw.Draw(picture)
    size = 40
    while size > 6 and pen.textlength(text, ImageFont.load_default(size)) > 0.9 * picture.width:
        size -= 1
    font = ImageFont.load_default(size)
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    height = bottom - top + 4
    pen.rectangle((0, 0, picture.width, height), fill=_BACKGROUND)
    pen.text(((picture.width - (right - left)) / 2, 2 - top), text, fill=_INK, font=font)
    return np.asarray(picture)
