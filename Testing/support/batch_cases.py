"""Many cases for the batch: good ones, and five that are broken in five ways."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

import MedFusionLib as mf
from dicom_writer import Recipe, pet_tags, write_series
from MedFusionLib.volume import Geometry, Volume
from phantoms import head_pair

BROKEN = {"truncated": 3, "misaligned": 4, "nosuv": 5, "wrongmodality": 2, "empty": 3}
"""How a case is broken, and the exit code that says so."""
COLUMNS = ("case", "reference", "moving", "modality", "unit")


def write_cases(folder: Path, good: int, pair: tuple[Volume, Volume] | None = None, *, broken: bool = True) -> Path:
    """Write `good` cases that differ in contrast, and the five broken ones where wanted; returns the manifest."""
    pair = pair or head_pair((20, 24, 22))
    rows = [_good(folder, number, pair) for number in range(1, good + 1)]
    if broken:
        rows += [_truncated(folder, pair), _misaligned(folder, pair), _without_suv(folder, pair), _empty(folder, pair)]
        rows.append({**_named(folder, "wrongmodality", pair), "modality": "CT;PT"})
    manifest = folder / "cases.csv"
    with open(manifest, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return manifest


def _good(folder: Path, number: int, pair: tuple[Volume, Volume]) -> dict:
    mr, pet = pair
    changed = (replace(mr, array=mr.array * (1 + 0.02 * number)), replace(pet, array=pet.array * (1 + 0.01 * number)))
    return _named(folder, f"{number:02d}", changed)


def _named(folder: Path, name: str, pair: tuple[Volume, Volume]) -> dict:
    place = folder / name
    place.mkdir(parents=True)
    for volume, file in zip(pair, ("mr.nii.gz", "pet.nii.gz")):
        mf.write_volume(volume, place / file)
    (place / "mr.json").write_text('{"Modality": "MR"}', encoding="utf-8")
    return {"case": name, "reference": f"{name}/mr.nii.gz", "moving": f"{name}/pet.nii.gz", "unit": ";SUVbw"}


def _truncated(folder: Path, pair) -> dict:
    row = _named(folder, "truncated", pair)
    file = folder / row["moving"]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return row


def _misaligned(folder: Path, pair) -> dict:
    mr, pet = pair
    matrix = np.array(pet.geometry.ijk_to_ras)
    matrix[:3, 3] += 500.0
    return _named(folder, "misaligned", (mr, replace(pet, geometry=Geometry(pet.geometry.shape, matrix))))


def _without_suv(folder: Path, pair) -> dict:
    row = _named(folder, "nosuv", pair)
    tags = pet_tags()
    tags.pop("PatientWeight")
    write_series(folder / "nosuv" / "series", Recipe("PT", shape=(12, 16, 16), tags=tags))
    return {**row, "moving": "nosuv/series", "unit": ""}


def _empty(folder: Path, pair) -> dict:
    row = _named(folder, "empty", pair)
    (folder / "empty" / "nothing").mkdir()
    return {**row, "moving": "empty/nothing", "unit": ""}
