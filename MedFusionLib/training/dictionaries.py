"""Recipes of the dictionaries: ``python -m MedFusionLib.training.dictionaries patches8 --out DIR``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from MedFusionLib.sparse.convolutional import learn_filters
from MedFusionLib.sparse.learning import learn_ksvd
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.training.photographs import LICENCE, NAMES, load_photographs
from MedFusionLib.transforms.smoothing import l0_smoothing, tikhonov

SIZE, ATOMS, PATCHES, ROUNDS, SEED = 8, 256, 20_000, 15, 0
FILTERS, FILTER_ROUNDS, CROP = 32, 20, 96
Report = Callable[[int, float], None]
LEAST_CONTRAST = 0.02
"""Patches with a smaller standard deviation teach nothing."""


def patches8(report: Report) -> tuple[Tensor, dict]:
    """256 atoms of 8 x 8 by K-SVD with five atoms per patch; the dictionary and what its card says."""
    chosen = training_patches()
    atoms = learn_ksvd(chosen, ATOMS, rounds=ROUNDS, seed=SEED, report=report)
    return atoms, {
        "title": "256 atoms of 8 x 8 samples",
        "algorithm": f"K-SVD, {ROUNDS} rounds, 5 atoms per patch",
        "patches": len(chosen),
        "error": "root mean square of what is left of a patch",
        "used_by": ["sr", "lp-sr", "nsct-sr", "l0-nsct-sr"],
    }


def filters8(report: Report) -> tuple[Tensor, dict]:
    """32 filters of 8 x 8 for the detail of whole slices."""
    return _filters(report, detail_images(), ["csr"], "detail above a Tikhonov base of strength 5")


def cartoon8(report: Report) -> tuple[Tensor, dict]:
    """32 filters of 8 x 8 for the cartoon part of the detail."""
    cartoon, _ = cartoon_and_texture()
    return _filters(report, cartoon, ["csmca"], "cartoon: what L0 smoothing (0.01) keeps of the detail")


def texture8(report: Report) -> tuple[Tensor, dict]:
    """32 filters of 8 x 8 for the texture part of the detail."""
    _, texture = cartoon_and_texture()
    return _filters(report, texture, ["csmca"], "texture: what L0 smoothing (0.01) takes away")


def _filters(
    report: Callable[[int, float], None], images: Tensor, used_by: list[str], kind: str
) -> tuple[Tensor, dict]:
    patches = PatchGrid((CROP, CROP), SIZE, 3).take(images).flatten(0, 1)
    patches = patches[patches.std(dim=1) > LEAST_CONTRAST]
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(SEED))
    start = learn_ksvd(patches[order[:PATCHES]], FILTERS, most_atoms=2, rounds=10, seed=SEED)
    filters = learn_filters(images, start.reshape(-1, SIZE, SIZE), rounds=FILTER_ROUNDS, report=report)
    return filters, {
        "title": f"{FILTERS} filters of {SIZE} x {SIZE} samples",
        "algorithm": f"K-SVD on patches, then {FILTER_ROUNDS} turns of convolutional coding and filter steps",
        "trained_on": kind,
        "crops": len(images),
        "error": "objective of the coder per sample",
        "used_by": used_by,
    }


def crops() -> Tensor:
    """Crops (B, 96, 96) of all photographs, four of each, away from their borders."""
    found = []
    for image in map(torch.from_numpy, load_photographs()):
        rows, columns = (torch.linspace(0, length - CROP, 4).long()[1:3].tolist() for length in image.shape)
        found += [image[row : row + CROP, column : column + CROP] for row in rows for column in columns]
    return torch.stack(found)


def detail_images() -> Tensor:
    """Crops without their Tikhonov base."""
    images = crops()
    lengths = (CROP + 16, CROP + 16)
    return images - tikhonov(images, 5.0, (1.0, 1.0), lengths)


def cartoon_and_texture() -> tuple[Tensor, Tensor]:
    """Crops without their base, split by L0 smoothing."""
    images = crops()
    lengths = (CROP + 16, CROP + 16)
    smooth = l0_smoothing(images, 0.01, (1.0, 1.0), lengths)
    return smooth - tikhonov(smooth, 5.0, (1.0, 1.0), lengths), images - smooth


RECIPES = {"patches8": patches8, "filters8": filters8, "cartoon8": cartoon8, "texture8": texture8}


def training_patches() -> Tensor:
    """Patches (P, 64) with mean 0 from all photographs, chosen at random."""
    found = []
    for image in map(torch.from_numpy, load_photographs()):
        found.append(PatchGrid(tuple(image.shape), SIZE, SIZE).take(image))
    patches = torch.cat(found)
    patches = patches - patches.mean(dim=1, keepdim=True)
    patches = patches[patches.std(dim=1) > LEAST_CONTRAST]
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(SEED))
    return patches[order[:PATCHES]]


def make(name: str, folder: Path) -> Path:
    """Run a recipe and write NAME.safetensors and NAME.json into a folder; the path of the weights."""
    from safetensors.torch import save

    torch.set_num_threads(1)  # another number of threads adds in another order
    started = time.perf_counter()
    errors: list[float] = []

    def report(number: int, error: float) -> None:
        errors.append(error)
        print(f"\r{name}: round {number + 1}, error {error:.3e}", end="", file=sys.stderr)

    dictionary, details = RECIPES[name](report)
    print(file=sys.stderr)
    content = save({"dictionary": dictionary.contiguous()})
    record = {
        "name": name,
        **details,
        "sha256": hashlib.sha256(content).hexdigest(),
        "shape": list(dictionary.shape),
        "training_data": {"source": "skimage.data", "photographs": list(NAMES), "licence": LICENCE},
        "seed": SEED,
        "final_error": round(errors[-1], 6),
        "command": f"python -m MedFusionLib.training.dictionaries {name} --out DIR",
        "licence": "as MedFusion",
        "intended_use": "sparse coding of slices in 0..1 for fusion; no diagnosis",
        "seconds_on_one_core": round(time.perf_counter() - started),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(content)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return folder / f"{name}.safetensors"


def main(arguments: list[str] | None = None) -> int:
    """Run a recipe from the command line."""
    parser = argparse.ArgumentParser(description="Learn a dictionary from the photographs that scikit-image ships")
    parser.add_argument("recipe", choices=tuple(RECIPES))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for weights and card")
    options = parser.parse_args(arguments)
    print(make(options.recipe, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
