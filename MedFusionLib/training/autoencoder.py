"""Data of the auto-encoders: crops of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from MedFusionLib.training.augment import crop, flip_and_turn, luminance
from MedFusionLib.training.photographs import LICENCE, NAMES, load_photographs

SIZE, BATCH = 64, 4
HELD_BACK = ("camera", "coins")
AUTOENCODER_DATA = {
    "training_data": {"source": "skimage.data", "photographs": [n for n in NAMES if n not in HELD_BACK],
                      "held_back": list(HELD_BACK), "licence": LICENCE},
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Photographs:
    """Grey photographs (1, H, W) in 0..1, to train on and held back."""

    train: list[Tensor]
    test: list[Tensor]


def load_crops(folder: Path | None) -> Photographs:
    """The photographs that scikit-image ships; the folder is not needed."""
    images = dict(zip(NAMES, (torch.from_numpy(image)[None] for image in load_photographs())))
    return Photographs([images[n] for n in NAMES if n not in HELD_BACK], [images[n] for n in HELD_BACK])


def photograph_batch(data: Photographs, generator: Generator, size: int = SIZE) -> Tensor:
    """Crops (B, 1, size, size), mirrored, turned, some darkened so that black background is known."""
    found = []
    for _ in range(BATCH):
        image = data.train[int(torch.randint(0, len(data.train), (), generator=generator))]
        found.append(luminance(flip_and_turn(crop(image, size, generator), generator), generator))
        if torch.rand((), generator=generator) < 0.25:
            found[-1] = (found[-1] - found[-1].mean()).clamp(min=0)
    return torch.stack(found)


def reconstruction_figures(network: nn.Module, data: Photographs) -> dict:
    """PSNR in dB of the photographs held back."""
    psnr = []
    for image in data.test:
        error = (network(image[None, :, :256, :256]) - image[None, :, :256, :256]).square().mean()
        psnr.append(float(-10 * error.log10()))
    return {"psnr_held_back_db": [round(value, 2) for value in psnr]}
