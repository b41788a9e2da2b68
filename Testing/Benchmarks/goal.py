"""How far convex weights reach what was asked of them: ``python Testing/Benchmarks/goal.py --data DIR``.

Better than the maximum on six of nine metrics in every set, on none of those where higher is better below 80 % of it,
and conditions that no source gets lost. ``--weights FILE --case 25`` judges weights of another fold.
``tools/update_goal.py`` makes the table of Docs/networks.md from what is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from MedFusionLib.networks.convex import ConvexWeights, fuse_convex
from MedFusionLib.training.held_back import pair_figures
from MedFusionLib.training.pairs import HELD_BACK, read_pairs
from MedFusionLib.weights import load_tensors

HIGH = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "func", "anat")
"""Metrics that are better when high; N_AB/F is the ninth."""
SHARE = 0.8


def judge(rows: dict[str, dict[str, float]], name: str) -> dict:
    """Wins over the maximum, metrics below 80 % of it, and conditions that do not hold.

    Parameters
    ----------
    rows : dict
        Figures of one set by fusion: `name`, "maximum" and "average".
    name : str
        What is judged.
    """
    own, most, mean = rows[name], rows["maximum"], rows["average"]
    better = {metric: max(most[metric], mean[metric]) for metric in ("clin", "ssim_w")}
    conditions = {
        "invention at most 1e-4": own["invent"] <= 1e-4,
        "background at most one grey level": own["bg"] <= 1,
        "CLIN": own["clin"] >= better["clin"] - 0.005,
        "SSIM of the worse source": own["ssim_w"] >= better["ssim_w"] - 0.02,
        "VIF of the worse source": own["vif_w"] >= 0.95 * most["vif_w"],
    }
    won = [metric for metric in HIGH if own[metric] > most[metric]] + ["nabf"] * (own["nabf"] < most["nabf"])
    return {
        "better than maximum": won,
        "share of maximum where below 80 %": {
            metric: round(own[metric] / most[metric], 2) for metric in HIGH if own[metric] < SHARE * most[metric]
        },
        "conditions missed": [title for title, holds in conditions.items() if not holds],
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure by luminance and by the scalar behind the palette, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12, help="per set, evenly chosen")
    parser.add_argument("--weights", type=Path, help="a safetensors file instead of the weights of the package")
    parser.add_argument(
        "--case", help="case of MR-PET that was held back from these weights; the other sets are left out"
    )
    options = parser.parse_args(arguments)
    network = ConvexWeights().eval()
    network.load_state_dict(_values(options.weights))

    def fuse(sources: Tensor) -> Tensor:
        return fuse_convex(network, sources).image

    held_back = {"pet_mri": (options.case,)} if options.case else HELD_BACK
    found = {}
    for colour in ("luminance", "palette"):
        pairs = [pair for pair in read_pairs(options.data, held_back, colour).test
                 if colour == "luminance" or pair.set != "ct_mri"]  # fmt: skip
        figures = pair_figures({"convex": fuse}, pairs, options.pairs)
        found[colour] = {name: {"held back": held_back[name], **judge(rows, "convex"), "figures": rows}
                         for name, rows in figures.items()}  # fmt: skip
    print(json.dumps(found, indent=1))
    return 0


def _values(path: Path | None) -> dict[str, Tensor]:
    if path is None:
        return load_tensors("convex")
    return {name: value.float() for name, value in load_file(path).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
