"""Figures of the learned methods on pairs of cases that none of them was trained on.

``python Testing/Benchmarks/networks.py --data DIR --out networks.json``: DIR holds ``ct_mri``, ``pet_mri`` and
``spect_mri``. Average, maximum and the Laplacian pyramid stand beside them. ``tools/update_networks.py`` makes the
tables of Docs/networks.md from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.methods.catalogue import create_method, methods
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.pairs import read_pairs

FAMILIES = (
    "convex networks", "auto-encoders", "transfer learning", "end-to-end networks",
    "adversarial networks", "transformer networks", "transforms with networks",
)  # fmt: skip
BESIDE = ("laplacian",)
VARIANTS = {
    "convex, free data": ("convex", {"trained": "free"}),
    "ifcnn, sum": ("ifcnn", {"join": "sum"}),
    "ifcnn, mean": ("ifcnn", {"join": "mean"}),
}
"""Methods with weights of their own behind a parameter, measured with the method."""


def learned() -> list[str]:
    """Names of the learned methods."""
    return [info.name for info in methods() if info.family in FAMILIES]


def fuse(name: str, parameters: dict, sources: Tensor) -> Tensor:
    """Fused images (N, H, W) of sources (N, S, H, W)."""
    stack = np.ascontiguousarray(sources.numpy().transpose(1, 0, 2, 3))
    output = run(create_method(name, parameters), stack, options=EngineOptions("slice", device="cpu", workers=1))
    return torch.from_numpy(output.fused)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=6, help="per set, evenly chosen")
    parser.add_argument("--methods", nargs="+", default=learned(), help="only these; the others keep their rows")
    options = parser.parse_args(arguments)
    fusions = {name: partial(fuse, name, {}) for name in (*BESIDE, *options.methods)}
    fusions |= {title: partial(fuse, *one) for title, one in VARIANTS.items() if one[0] in options.methods}
    record = {}
    for colour in ("luminance", "palette"):
        test = read_pairs(options.data, colour=colour).test
        if colour == "palette":
            test = [pair for pair in test if pair.set != "ct_mri"]
            fusions = {name: one for name, one in fusions.items() if name.startswith(("convex", "laplacian"))}
        record[colour] = {"pairs": options.pairs, "figures": pair_figures(fusions, test, options.pairs)}
        print(f"{colour} done", file=sys.stderr)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
