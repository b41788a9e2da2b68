"""Quality of every method: all metrics on picture pairs and volumes, and a contact sheet to look at.

The data are not part of the project: a folder with ``aanlib2d`` (pairs of PNG, read as luminance),
``mni_multimodal`` and ``lgg_du7294`` (NIfTI) is named by MEDFUSION_TEST_DATA.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import MedFusionLib as mf
from MedFusionLib.align import to_reference
from MedFusionLib.engine import EngineOptions, choose_mode, run
from MedFusionLib.intensity import default_window, normalise
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.metrics import evaluate, roles_of

PAIRS = {
    "MR-CT": ("ct_mri", "mri", "ct"),
    "MR-PET": ("pet_mri", "mri", "pet"),
    "MR-SPECT": ("spect_mri", "mri", "spect"),
}
MODALITIES = {"MR-CT": ("MR", "CT"), "MR-PET": ("MR", "PT"), "MR-SPECT": ("MR", "NM")}
SHOWN = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "nabf", "func", "anat", "clin", "invent", "bg")
SLAB = 16
"""Slices of a volume that are fused."""


@dataclass(frozen=True, eq=False)
class Example:
    """Sources (S, K, J, I) in 0..1 of one set.

    Parameters
    ----------
    group : str
        The set.
    sources : ndarray
        On one grid.
    modalities : tuple of str
        In source order.
    spacing : tuple of float
        Along K, J, I in mm.
    """

    group: str
    sources: np.ndarray
    modalities: tuple[str, ...]
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


def examples(data: Path, most: int) -> Iterator[Example]:
    """At most `most` picture pairs per set, evenly chosen, and a slab of two volumes."""
    for group, (folder, first, second) in PAIRS.items():
        names = sorted(path.name for path in (data / "aanlib2d" / folder / first).glob("*.png"))
        for name in names[:: max(1, len(names) // most)][:most]:
            paths = [data / "aanlib2d" / folder / side / name for side in (first, second)]
            stack = np.stack([np.asarray(Image.open(p).convert("L"), np.float32) / 255 for p in paths])
            yield Example(group, stack[:, None], MODALITIES[group])
    yield _volume("T1-PET volume", data / "mni_multimodal", ("*T1*", "*PET*"), ("MR", "PT"))
    yield _volume("FLAIR-T1c volume", data / "lgg_du7294", ("*[Ff][Ll][Aa][Ii][Rr]*", "*[Tt]1*[cC]*"), ("MR", "MR"))


def _volume(group: str, folder: Path, patterns: tuple[str, str], modalities: tuple[str, str]) -> Example:
    volumes = []
    for pattern, modality in zip(patterns, modalities):
        found = [p for p in sorted(folder.rglob(pattern)) if p.name.endswith((".nii", ".nii.gz"))]
        volumes.append(mf.read_volume(found[0], modality=modality))
    case = to_reference(mf.Case(volumes))
    stack = np.stack([normalise(source, default_window(source)) for source in case.sources])
    middle = stack.shape[1] // 2
    slab = stack[:, middle - SLAB // 2 : middle + SLAB // 2]
    return Example(group, np.ascontiguousarray(slab), modalities, case.reference.geometry.spacing_kji_mm)


def measure(data: Path, most: int, methods: Sequence[str] = ()) -> tuple[dict, dict]:
    """Mean of every metric per group and method (all, or some), and pictures of one example per group and method."""
    values: dict[str, dict[str, list[dict]]] = {}
    pictures: dict[str, dict[str, np.ndarray]] = {}
    for example in examples(data, most):
        seen = pictures.setdefault(example.group, {})
        for number, modality in enumerate(example.modalities):
            seen.setdefault(f"source {number + 1}: {modality}", _middle(example.sources[number]))
        for info in mf.methods():
            if methods and info.name not in methods:
                continue
            fused = _fuse(info, example)
            roles = roles_of(example.modalities)
            found = evaluate(list(example.sources), fused, metrics="all", roles=roles)
            values.setdefault(example.group, {}).setdefault(info.name, []).append(found)
            seen.setdefault(info.name, _middle(fused))
            print(f"\r{example.group} {info.name}            ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {group: {name: _mean(rows) for name, rows in names.items()} for group, names in values.items()}, pictures


def _fuse(info, example: Example) -> np.ndarray:
    mode = choose_mode("auto", info.dims, example.sources.shape[1:])
    output = run(create_method(info.name), example.sources, example.spacing, EngineOptions(mode, device="cpu"))
    return np.clip(output.fused, 0, 1)


def _middle(volume: np.ndarray) -> np.ndarray:
    return volume[len(volume) // 2]


def _mean(rows: list[dict]) -> dict[str, float]:
    names = rows[0].keys()
    table = np.array([[row[name] for name in names] for row in rows], float)
    known = np.isfinite(table)
    means = np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return {n: (float(m) if k else float("nan")) for n, m, k in zip(names, means, known.any(axis=0))}


def as_markdown(results: dict) -> str:
    """One table per group, methods in the order of the catalogue."""
    parts = []
    for group, rows in results.items():
        shown = [name for name in SHOWN if any(np.isfinite(row.get(name, np.nan)) for row in rows.values())]
        parts += [f"### {group}", "", "| method | " + " | ".join(shown) + " |", "|---" * (len(shown) + 1) + "|"]
        for name, row in rows.items():
            cells = [f"{row[metric]:.3f}" if metric in row else "-" for metric in shown]
            parts.append("| " + " | ".join([name, *cells]) + " |")
        parts.append("")
    return "\n".join(parts).rstrip()


def contact_sheet(pictures: dict, path: Path, *, side: int = 256, across: int = 8) -> None:
    """All pictures of all groups with their names, as one PNG."""
    rows = []
    for seen in pictures.values():
        tiles = []
        for name, image in seen.items():
            tile = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8)).resize((side, side), Image.BILINEAR)
            ImageDraw.Draw(tile).text((3, 3), name, fill=255)
            tiles.append(np.asarray(tile))
        tiles += [np.zeros((side, side), np.uint8)] * (-len(tiles) % across)
        rows += [np.hstack(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    Image.fromarray(np.vstack(rows)).save(path)
