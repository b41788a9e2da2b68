"""PNG and TIFF pictures as volumes of one slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.checks import check_finite
from MedFusionLib.io.limits import check_size
from MedFusionLib.io.nifti import RawImage
from MedFusionLib.volume import Geometry

SUFFIXES = (".png", ".tif", ".tiff")


def read_picture(path: Path) -> RawImage:
    """A grey picture as one axial slice; pixels are taken as 1 mm since pictures do not tell.

    Raises
    ------
    UnreadableFile
        For a broken file, or a colour picture.
    """
    pixels = read_pixels(path)
    if pixels.ndim == 3:
        raise UnreadableFile(
            f"{path.name} is a colour picture", "one grey value per pixel", "Colour pairs are fused by: fuse-folder"
        )
    array = pixels[None].astype(np.float32)
    # rows run from anterior to posterior, columns from the patient's right to left, as on a screen
    geometry = Geometry(array.shape, np.diag([-1.0, -1.0, 1.0, 1.0]))
    return RawImage(array, geometry, ("pixel size unknown, taken as 1 mm",))


def read_pixels(path: Path) -> np.ndarray:
    """Pixels of a picture: (H, W) numbers for grey, (H, W, 3) uint8 for colour.

    Raises
    ------
    UnreadableFile
        For a missing or broken file.
    """
    from PIL import Image

    if not path.is_file():
        raise UnreadableFile(f"No file {path.name}", "a PNG or TIFF picture")
    try:
        with Image.open(path) as image:
            check_size(path.name, (image.height, image.width))
            if getattr(image, "n_frames", 1) > 1:
                raise UnreadableFile(
                    f"{path.name} holds {image.n_frames} pages",
                    "one picture",
                    "Save a stack as NIfTI or NRRD",
                )
            if image.mode in ("L", "I", "F") or image.mode.startswith("I;16"):
                pixels = np.array(image)
            else:
                pixels = np.array(image.convert("L" if image.mode in ("1", "LA") else "RGB"))
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(f"{path.name} is not a readable picture", "a PNG or TIFF picture") from error
    if pixels.dtype.kind == "f":
        check_finite(path.name, pixels)
    return pixels
