"""What the maps of trust find, for every method of the catalogue: ``python Testing/Benchmarks/trust_maps.py``.

Two real pairs (T1 and PET templates, two sequences of one glioma), a lesion planted here and there in
one of the sources, and fused by every method. Into the fused volume bright blobs are planted that no
source has, and the lesions are removed from it, one at a time. ``--keep FILE`` goes on where a run was
stopped (delete the lines of a method that has changed), ``--table FILE`` writes the table, which
``tools/marked.py Docs/alignment.md trust FILE`` puts into its place. Needs ``PYTHONPATH=Testing/support``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from aligned_pairs import data_folder, wilson
from journal import Journal
from scipy import ndimage

from MedFusionLib import read_volume
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.intensity import default_window, normalise
from MedFusionLib.methods.catalogue import methods
from MedFusionLib.trust import foreground_of, invention_map, lesion_contrast, loss_map
from MedFusionLib.trust import invention as invention_module
from MedFusionLib.trust import loss as loss_module
from quick_methods import quick

SHAPE = (16, 64, 64)
BLOBS, LESIONS = 15, 6
BLOB, LESION = 0.35, 0.3
PAIRS = {
    "templates": ("mni_multimodal/spm_T1.nii.gz", "MR", "mni_multimodal/spm_PET.nii.gz", "PT"),
    "glioma": ("lgg_du7294/t1c.nii.gz", "MR", "lgg_du7294/flair.nii.gz", "MR"),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description="What the maps of trust find")
    parser.add_argument("--rounds", type=int, default=2, help="layouts of lesions per pair")
    parser.add_argument("--methods", nargs="*", help="only these")
    parser.add_argument("--table", type=Path, help="file that the table is written to")
    parser.add_argument("--keep", type=Path, help="file of trials done")
    options = parser.parse_args(arguments)
    journal, crops = Journal(options.keep), {name: crop(name) for name in PAIRS}
    outcomes = {}
    for info in methods():
        if options.methods and info.name not in options.methods:
            continue
        outcomes[info.name] = [
            journal.once((info.name, name, seed), trial, info, *crops[name], seed)
            for seed in range(options.rounds)
            for name in PAIRS
        ]
        print(as_row(info.name, outcomes[info.name]), flush=True)
    if options.table:
        options.table.write_text(as_markdown(outcomes) + "\n", encoding="utf-8")


def crop(name: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The middle of a pair, (2, *SHAPE) in 0..1, and its voxel size along K, J, I in mm."""
    first, first_modality, second, second_modality = PAIRS[name]
    volumes = [read_volume(data_folder() / path, m) for path, m in ((first, first_modality), (second, second_modality))]
    middle = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(volumes[0].array.shape, SHAPE))
    stack = [normalise(volume, default_window(volume))[middle] for volume in volumes]
    return np.stack(stack).astype(np.float32), volumes[0].geometry.spacing_kji_mm


def trial(info, sources: np.ndarray, spacing, seed: int) -> dict[str, list]:
    """What is found in one fused volume.

    Returns
    -------
    dict
        ``blobs`` and ``lesions``: found or not; ``hidden``: for lesions that the method itself hides, whether
        the loss map says so; ``invented``: share of the foreground.
    """
    rng = np.random.default_rng(seed)
    lesions = [ball(centre, rng.uniform(2.5, 4)) for centre in apart(rng, LESIONS)]
    stack = sources * np.float32(1 - LESION)
    for number, lesion in enumerate(lesions):
        stack[number % 2] += LESION * ndimage.gaussian_filter(lesion.astype(np.float32), 0.5)
    mode = "volume" if 3 in info.dims else "slice"
    fused = np.clip(run(quick(info.name), stack, options=EngineOptions(mode=mode, workers=1)).fused, 0, 1)
    plane = None if mode == "volume" else 0
    inside = foreground_of(stack)
    before = invention_map(fused, stack, slice_axis=plane) > invention_module.SIGNIFICANT
    return {
        "blobs": [blob_found(fused, stack, before, inside, plane, rng) for _ in range(BLOBS)],
        "lesions": [lesion_found(fused, stack, lesions, n, spacing, plane) for n in range(LESIONS)],
        "hidden": hidden_said(fused, stack, lesions, spacing, plane),
        "invented": [float(before[inside].mean())],
    }


def blob_found(fused, stack, before, inside, plane, rng) -> bool:
    """Plant a bright blob in the fused volume: does a tenth of its voxels light up?"""
    border = np.zeros(SHAPE, bool)
    border[4:-4, 8:-8, 8:-8] = True
    places = np.argwhere(inside & border)
    blob = ball(places[rng.integers(len(places))], rng.uniform(2, 4))
    planted = fused + np.float32(BLOB) * ndimage.gaussian_filter(blob.astype(np.float32), 0.7)
    flagged = invention_map(planted, stack, slice_axis=plane) > invention_module.SIGNIFICANT
    return bool((flagged & ~before)[ndimage.binary_dilation(blob)].sum() >= 0.1 * blob.sum())


def lesion_found(fused, stack, lesions, number: int, spacing, plane) -> bool:
    """Fill a lesion of the fused volume with what lies around it: does the loss map show three tenths of it?"""
    lesion = lesions[number]
    gone = ndimage.binary_dilation(lesion)
    shell = ndimage.binary_dilation(lesion, iterations=3) & ~gone
    removed = np.where(gone, fused[shell].mean(), fused)
    lost = loss_map(removed, stack, spacing, slice_axis=plane)[number % 2] > loss_module.SIGNIFICANT
    return bool(lost[lesion].mean() > 0.3)


def hidden_said(fused, stack, lesions, spacing, plane) -> list[bool]:
    """For each lesion that the fused volume hides by its contrast: does the loss map show three tenths of it?"""
    labels = sum((n + 1) * lesion.astype(np.uint8) for n, lesion in enumerate(lesions))
    contrasts = lesion_contrast(labels, fused, stack, spacing)
    lost = loss_map(fused, stack, spacing, slice_axis=plane) > loss_module.SIGNIFICANT
    # the lesion was planted in one source: that is where it must be missed
    return [bool(lost[n % 2][lesions[n]].mean() > 0.3) for n, one in enumerate(contrasts) if one["hidden"]]


def apart(rng, count: int) -> list[np.ndarray]:
    """Places at least 16 voxels from each other within a slice, and away from the border."""
    found = []
    while len(found) < count:
        place = rng.integers((6, 10, 10), (SHAPE[0] - 6, SHAPE[1] - 10, SHAPE[2] - 10))
        if all(np.linalg.norm((place - other)[1:]) >= 16 for other in found):
            found.append(place)
    return found


def ball(centre, radius: float) -> np.ndarray:
    """A ball of voxels, bool of SHAPE."""
    return sum((g - c) ** 2 for g, c in zip(np.ogrid[tuple(map(slice, SHAPE))], centre)) <= radius**2


def as_row(name: str, outcomes: list[dict]) -> str:
    """A method's row."""
    joined = {key: [one for outcome in outcomes for one in outcome[key]] for key in outcomes[0]}
    cells = [_share(joined["blobs"]), _share(joined["lesions"])]
    hidden = f"{sum(joined['hidden'])} of {len(joined['hidden'])}" if joined["hidden"] else "none hidden"
    return f"| {name} | " + " | ".join([*cells, hidden, f"{np.mean(joined['invented']):.1%}"]) + " |"


def as_markdown(outcomes: dict[str, list[dict]]) -> str:
    """One row per method, and all of them together."""
    rows = [
        "| method | planted blobs found | removed lesions found | lesions it hides itself: shown by the loss map "
        "| invented share of the foreground |",
        "|---|---|---|---|---|",
    ]
    rows += [as_row(name, found) for name, found in outcomes.items()]
    rows.append(as_row("all", [one for found in outcomes.values() for one in found]))
    return "\n".join(rows)


def _share(hits: list[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)} of {len(hits)} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
