"""Measure what one slice of a preview takes by every method, and write MedFusionScene/preview_speed.py.

Processor seconds of one thread for a slice of 512 x 512 voxels of two sources, the second one on a grid of its own:
the best of three, so that loading weights does not count. Run with the project's Python on an otherwise idle machine.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

import MedFusionLib
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.units import ARBITRARY, SUV_BODY_WEIGHT
from MedFusionLib.volume import Case, Geometry, Volume
from MedFusionScene.preview import Plane, PreviewSources

TARGET = Path(__file__).resolve().parents[1] / "MedFusion" / "MedFusionScene" / "preview_speed.py"
SIZE, SLICES = 512, 8
SLOW_SECONDS = 1.0
"""A method that takes longer is not measured again."""


def sources() -> tuple[PreviewSources, Plane]:
    """Smooth noise as MR, and as PET with three times larger voxels; the plane is the middle slice."""
    rng = np.random.default_rng(0)
    mr = 500 * ndimage.gaussian_filter(rng.normal(size=(SLICES, SIZE, SIZE)), (0, 3, 3))
    pet = 20 * np.abs(ndimage.gaussian_filter(rng.normal(size=(SLICES, SIZE // 3, SIZE // 3)), (0, 3, 3)))
    grids = [np.diag([step, step, 3.0, 1.0]) for step in (0.8, 2.4)]
    case = Case([
        Volume(mr, Geometry(mr.shape, grids[0]), "MR", ARBITRARY, "MR"),
        Volume(pet, Geometry(pet.shape, grids[1]), "PT", SUV_BODY_WEIGHT, "PET"),
    ])  # fmt: skip
    middle = grids[0].copy()
    middle[2, 3] = 3.0 * (SLICES // 2)
    grid = Geometry((1, SIZE, SIZE), middle)
    return PreviewSources.of(case), Plane(grid, grid, (0, SLICES // 2))


def milliseconds(prepared: PreviewSources, plane: Plane, name: str) -> int:
    """Processor time of one slice."""
    method, best = create_method(name), float("inf")
    for _ in range(3):
        started = time.process_time()
        prepared.fuse(plane, method, "cpu")
        best = min(best, time.process_time() - started)
        if best > SLOW_SECONDS:
            break
    return round(1000 * best)


def main() -> None:
    """Measure the methods that the catalogue calls fast; the others take seconds and more."""
    torch.set_num_threads(1)
    prepared, plane = sources()
    lines = []
    for info in MedFusionLib.methods():
        if info.is_fast:
            lines.append(f'    "{info.name}": {milliseconds(prepared, plane, info.name)},')
            print(lines[-1], flush=True)
    text = (
        '"""Milliseconds of one slice of 512 x 512 on one processor thread; made by tools/measure_preview.py.\n\n'
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}.\n"
        '"""\n\nMILLISECONDS = {\n' + "\n".join(lines) + "\n}\n"
    )
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
