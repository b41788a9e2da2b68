"""Similarity of shearlet bands, trained on bands of photographs that show the same and such that do not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.shearlet_cnn import ShearletSimilarity
from MedFusionLib.networks.vgg import VGG16
from MedFusionLib.training.augment import uniform
from MedFusionLib.training.autoencoder import AUTOENCODER_DATA, load_crops
from MedFusionLib.training.recipe import Descent, Recipe
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.transforms.filters import gaussian

STEPS, SIZE, COUNT = 1200, 32, 16
TILING = Tiling((8, 8, 4, 4), angles="slope")
HELD_BACK_PAIRS = 200


@dataclass(frozen=True, eq=False)
class Bands:
    """Shearlet bands (number, H, W) of every photograph, to train on and held back; the base is left out."""

    train: list[Tensor]
    test: list[Tensor]


def build() -> nn.Module:
    """The network with the kernels of VGG16."""
    network = ShearletSimilarity()
    network.encoder.start_from(load_network("vgg16", VGG16))
    return network


def load(folder: Path | None) -> Bands:
    """Bands of the photographs; the folder is not needed."""
    photographs = load_crops(None)
    return Bands(*([_bands(image[:, :256, :256]) for image in some] for some in (photographs.train, photographs.test)))


def _bands(image: Tensor) -> Tensor:
    bank = bank_for(image[None], (1.0, 1.0), TILING)
    return torch.cat(list(bank.bands(image))[:-1])


def batch(data: Bands, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two patches (B, 1, 32, 32) each, and 1 where they show the same structure, else 0."""
    return pairs_of(data.train, generator)


def pairs_of(bands: list[Tensor], generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Half of the pairs are one patch and a blurred, noisy version of it; half are two patches."""
    first, second, label = [], [], []
    for number in range(COUNT):
        patch = _patch(bands, generator)
        other = patch if number % 2 else _patch(bands, generator)
        first.append(patch)
        second.append(_degraded(other, generator))
        label.append(float(number % 2))
    return torch.stack(first), torch.stack(second), torch.tensor(label)


def _patch(bands: list[Tensor], generator: Generator) -> Tensor:
    some = bands[int(torch.randint(0, len(bands), (), generator=generator))]
    band = some[int(torch.randint(0, len(some), (), generator=generator))]
    row, column = (int(torch.randint(0, n - SIZE + 1, (), generator=generator)) for n in band.shape)
    return band[None, row : row + SIZE, column : column + SIZE]


def _degraded(patch: Tensor, generator: Generator) -> Tensor:
    soft = gaussian(patch, uniform(generator, 0.3, 1.5), 2)
    noise = torch.randn(patch.shape, generator=generator) * patch.std() * uniform(generator, 0, 1.5)
    return soft + noise


def loss(network: nn.Module, pairs: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """Logistic loss."""
    first, second, label = pairs
    return {"logistic": F.binary_cross_entropy_with_logits(network(first, second), label)}


def figures(network: nn.Module, data: Bands) -> dict:
    """Share of pairs of the photographs held back that are told right, of this network and of VGG16 as it was."""
    found = {}
    for name, one in (("trained", network), ("untrained", build())):
        generator, right, total = torch.Generator().manual_seed(1), 0, 0
        while total < HELD_BACK_PAIRS:
            first, second, label = pairs_of(data.test, generator)
            right += int(((one(first, second) > 0) == (label > 0.5)).sum())
            total += len(label)
        found[f"right_{name}"] = round(right / total, 3)
    return found | {"threshold": round(network.threshold.item(), 3)}


RECIPE = Recipe(
    name="shearlet-cnn",
    build=build,
    load=load,
    batch=batch,
    begin=partial(Descent, loss=loss, steps=STEPS, rate=3e-4),
    steps=STEPS,
    figures=figures,
    about={
        "title": "Similarity of shearlet bands",
        "citation": "H. Hermessi, O. Mourali, E. Zagrouba, Neural Comput. Appl. 30 (2018) 2029-2045",
        "reproduces": "siamese branches that start from a network for photographs and are fitted to equal and unequal "
        "patches of shearlet coefficients, correlation of the features, logistic loss",
        "guessed": f"widths 64 and 32 (VGG16's first kernels), how patches are degraded, {STEPS} steps of {COUNT} "
        f"pairs of {SIZE} x {SIZE} samples, Adam",
        **AUTOENCODER_DATA,
        "intended_use": "weights of shearlet bands in fusion; no diagnosis",
    },
)
