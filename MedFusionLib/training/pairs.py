"""Training pairs from a folder of pictures: one sub-folder per set, in it one folder of equal names per modality.

``ct_mri/ct/28015.png`` and ``ct_mri/mri/28015.png`` are slice 15 of case 28: the last three digits
are the slice, what is before them is the case. Data are split by case, never by slice:
neighbouring slices of one head are nearly the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from MedFusionLib.colour import LUMA_WEIGHTS
from MedFusionLib.errors import UsageError
from MedFusionLib.io.picture import read_pixels
from MedFusionLib.palette import find_palettes

ORDER = ("mri", "mr", "ct", "pet", "pt", "spect", "nm")
"""Names of the folders of modalities; the anatomical ones come first."""
HELD_BACK = {"ct_mri": ("20", "28", "34"), "spect_mri": ("10", "18", "28"), "pet_mri": ("30",)}
"""Cases that are never trained on, by set; case 28 of two sets is one person."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two registered pictures.

    Parameters
    ----------
    set, case, name : str
        Where it is from.
    pixels : (2, H, W) uint8 ndarray
        The anatomical picture first, then the other.
    """

    set: str
    case: str
    name: str
    pixels: np.ndarray

    def tensor(self) -> Tensor:
        """(2, H, W) float32 in 0..1."""
        return torch.from_numpy(self.pixels).float() / 255


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs to train on and pairs held back."""

    train: list[Pair]
    test: list[Pair]

    def sets(self) -> dict[str, list[Pair]]:
        """Training pairs by set."""
        found: dict[str, list[Pair]] = {}
        for pair in self.train:
            found.setdefault(pair.set, []).append(pair)
        return found


def read_pairs(folder: Path, held_back: dict[str, Sequence[str]] | None = None, colour: str = "luminance") -> Pairs:
    """All pairs below a folder, split by case.

    Parameters
    ----------
    folder : Path
        With one sub-folder per set.
    held_back : dict or None
        Cases for the test, by set; None takes `HELD_BACK`.
    colour : {"luminance", "palette"}
        What becomes of colour pictures: their luminance, or the scalar behind their palette where there is one.

    Raises
    ------
    UsageError
        When the folder holds no set.
    """
    held_back = HELD_BACK if held_back is None else held_back
    train: list[Pair] = []
    test: list[Pair] = []
    for inside in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        for pair in _read_set(inside, colour):
            (test if pair.case in held_back.get(pair.set, ()) else train).append(pair)
    if not train:
        raise UsageError(f"{folder} holds no pairs to train on", "SET/mri/NAME.png and SET/ct/NAME.png (or pet, spect)")
    return Pairs(train, test)


def _read_set(folder: Path, colour: str) -> list[Pair]:
    modalities = sorted((path for path in folder.iterdir() if path.name in ORDER), key=lambda p: ORDER.index(p.name))
    if len(modalities) != 2:
        return []
    names = sorted(path.name for path in modalities[0].glob("*.png") if (modalities[1] / path.name).is_file())
    sides = [[read_pixels(path / name) for name in names] for path in modalities]
    grey = [_scalars(side) if colour == "palette" else [_grey(pixels) for pixels in side] for side in sides]
    return [Pair(folder.name, Path(name).stem[:-3], name, np.stack(both)) for name, *both in zip(names, *grey)]


def _scalars(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Scalars behind the palettes of colour pictures, 8 bit; luminance where there is none."""
    palettes = iter(find_palettes([pixels for pixels in pictures if pixels.ndim == 3]))
    found = []
    for pixels in pictures:
        palette = next(palettes) if pixels.ndim == 3 else None
        found.append(_grey(pixels) if palette is None else np.rint(255 * palette.to_scalar(pixels)).astype(np.uint8))
    return found


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Luminance of a colour picture, 8 bit."""
    if pixels.ndim == 2:
        return pixels.astype(np.uint8)
    return np.rint(pixels.astype(np.float32) @ LUMA_WEIGHTS).astype(np.uint8)
