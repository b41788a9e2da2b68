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

from MedFusionLib.sparse.learning import learn_ksvd
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.training.photographs import LICENCE, NAMES, load_photographs

SIZE, ATOMS, PATCHES, ROUNDS, SEED = 8, 256, 20_000, 15, 0
LEAST_CONTRAST = 0.02
"""Patches with a smaller standard deviation teach nothing."""


def patches8(report: Callable[[int, float], None]) -> tuple[Tensor, dict]:
    """256 atoms of 8 x 8 by K-SVD with five atoms per patch; the dictionary and what its card says."""
    chosen = training_patches()
    atoms = learn_ksvd(chosen, ATOMS, rounds=ROUNDS, seed=SEED, report=report)
    return atoms, {
        "title": "256 atoms of 8 x 8 samples",
        "algorithm": f"K-SVD, {ROUNDS} rounds, 5 atoms per patch",
        "patches": len(chosen),
        "used_by": ["sr", "lp-sr", "nsct-sr", "l0-nsct-sr"],
    }


RECIPES = {"patches8": patches8}


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
        print(f"\r{name}: round {number + 1}, error {error:.5f}", end="", file=sys.stderr)

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
