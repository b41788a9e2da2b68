"""Does a fused volume keep the tumour apart? ``python Testing/Benchmarks/fused_lesions.py DATA [--out lesions.md]``.

For the sarcoma sts_001 and the glioma lgg_du7294, which none of the networks below was trained on: contrast
of the tumour against its surroundings, and how well one threshold parts them, in single sources, in fused
volumes, and in those of a generator that was trained with and without a tumour head. Fused is what lies within
2 cm of the tumour. ``tools/marked.py Docs/networks.md lesions lesions.md`` puts the table into its place.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

import MedFusionLib as mf
from MedFusionLib.align import to_reference
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.intensity import default_window, normalise
from MedFusionLib.io import read_labels
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.methods.tumour_gan import WEIGHTS
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.tumour_gan import TumourGAN
from MedFusionLib.segment import carry_labels

FUSIONS = {
    "average": ("average", {}),
    "maximum": ("maximum", {}),
    "laplacian": ("laplacian", {}),
    "convex": ("convex", {}),
    "cddfuse": ("cddfuse", {}),
    "fusiongan": ("fusiongan", {}),
    "dense-dcgan": ("dense-dcgan", {}),
    "tumour-gan, head not heard": ("tumour-gan", {"trained": "unguided"}),
    "tumour-gan, head heard": ("tumour-gan", {}),
}
GAP_MM, SHELL_MM, BOX_MM, FUSED_MM = 2.0, 10.0, 10.0, 20.0


class Patient:
    """Normalised sources (S, K, J, I) on the grid of the first one, and the tumour's mask there."""

    def __init__(self, sources: list, contour: Path) -> None:
        case = mf.Case(sources)

        aligned = to_reference(case)
        self.geometry = case.reference.geometry
        self.names = [source.name for source in sources]
        stack = np.stack([normalise(source, default_window(source)) for source in aligned.sources])
        labels, geometry = read_labels(contour)
        mask = carry_labels((labels > 0).astype(np.uint8), geometry, self.geometry) > 0
        distance = ndimage.distance_transform_edt(~mask, sampling=self.geometry.spacing_kji_mm)
        near = _box(distance <= FUSED_MM)
        self.stack, self.mask, distance = stack[(slice(None), *near)], mask[near], distance[near]
        shown = self.stack.max(axis=0) > 0.02
        self.shell = (distance > GAP_MM) & (distance <= SHELL_MM) & shown
        self.box = _box(distance <= BOX_MM)

    def fused(self, method: str, parameters: dict) -> np.ndarray:
        """The fused array, slice by slice."""
        spacing, axis = self.geometry.spacing_kji_mm, self.geometry.slice_axis
        options = EngineOptions("slice", device="cpu", workers=1)
        return run(create_method(method, parameters), self.stack, spacing, options, slice_axis=axis).fused.clip(0, 1)


def sarcoma(data: Path) -> Patient:
    """CT and PET of sts_001."""
    folder = data / "sts_001" / "nifti"
    names = (("CT", "CT", "HU"), ("PET", "PT", "SUVbw"))
    sources = [mf.read_volume(folder / f"{n}_image.nii.gz", m, u, name=n) for n, m, u in names]
    return Patient(sources, folder / "CT_gtv.nii.gz")


def glioma(data: Path) -> Patient:
    """T1 with contrast and FLAIR of lgg_du7294."""
    folder = data / "lgg_du7294"
    names = (("t1c", "T1c"), ("flair", "FLAIR"))
    sources = [mf.read_volume(folder / f"{n}.nii.gz", "MR", name=title) for n, title in names]
    return Patient(sources, folder / "seg" / "fusion_mav.nii.gz")


def figures(patient: Patient, values: np.ndarray) -> list[str]:
    """Contrast, contrast in standard deviations of the surroundings, Dice of the best threshold."""
    inside, around = values[patient.mask], values[patient.shell]
    contrast = float(inside.mean() - around.mean())
    noise = float(np.sqrt((inside.var() + around.var()) / 2))
    dice = best_threshold_dice(values[patient.box], patient.mask[patient.box])
    return [f"{contrast:+.3f}", f"{abs(contrast) / max(noise, 1e-6):.2f}", f"{dice:.3f}"]


def best_threshold_dice(values: np.ndarray, mask: np.ndarray) -> float:
    """Largest Dice of a mask with all values above, or all values below, some threshold."""
    order = np.argsort(values, axis=None, kind="stable")
    return max(_best(values.ravel()[way], mask.ravel()[way]) for way in (order[::-1], order))


def _best(values: np.ndarray, mask: np.ndarray) -> float:
    hits = np.cumsum(mask)
    dice = 2 * hits / (np.arange(1, len(mask) + 1) + hits[-1])
    is_last_of_its_value = np.append(values[1:] != values[:-1], True)
    return float(dice[is_last_of_its_value].max())


def head_dice(patient: Patient, trained: str, values: np.ndarray) -> str:
    """Dice of what the network's own head finds in its fused slices, within the box."""
    network = load_network(WEIGHTS[trained], TumourGAN)
    planes = np.moveaxis(values, patient.geometry.slice_axis, 0)
    with torch.inference_mode():
        found = [network.find(torch.from_numpy(np.ascontiguousarray(plane))[None, None])[0, 0] > 0 for plane in planes]
    found = np.moveaxis(torch.stack(found).numpy(), 0, patient.geometry.slice_axis)[patient.box]
    mask = patient.mask[patient.box]
    return f"{2 * (found & mask).sum() / max(found.sum() + mask.sum(), 1):.3f}"


def table(patients: dict[str, Patient]) -> list[str]:
    """One row per image."""
    lines = [
        _row("patient", "image", "contrast", "contrast / deviation", "Dice of the best threshold", "own head's Dice")
    ]
    lines.append("|---" * 6 + "|")
    for title, patient in patients.items():
        for name, values in zip(patient.names, patient.stack):
            lines.append(_row(title, f"{name} alone", *figures(patient, values), "-"))
        for name, (method, parameters) in FUSIONS.items():
            values = patient.fused(method, parameters)
            own = head_dice(patient, parameters.get("trained", "guided"), values) if method == "tumour-gan" else "-"
            lines.append(_row(title, name, *figures(patient, values), own))
    return lines


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    return ndimage.find_objects(mask.astype(np.uint8))[0]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; with --out also write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder that holds sts_001 and lgg_du7294")
    parser.add_argument("--out", type=Path, help="Markdown file")
    options = parser.parse_args(arguments)
    text = "\n".join(table({"sarcoma": sarcoma(options.data), "glioma": glioma(options.data)}))
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
