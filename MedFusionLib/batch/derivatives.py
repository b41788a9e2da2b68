"""Files of the derivatives: names and sidecars as in BIDS."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from MedFusionLib import __version__
from MedFusionLib.batch.plan import Plan, PlannedCase
from MedFusionLib.io.write import write_nifti
from MedFusionLib.result import FusionResult

BIDS_VERSION = "1.10.0"
RESULTS = "medfusion"
"""Folder with the complete result folders of a case, one per method."""
_DATATYPES = {"pet": "pet"}
_IGNORED = ("medfusion", "dicom", "logs", "ct", "*.html", "/*.tsv", "case.json", "thumbnail.txt", ".partial-*")


def describe_data_set(plan: Plan) -> None:
    """Write dataset_description.json, .bidsignore and README.md into the folder of the batch."""
    folder = Path(plan.out)
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "Name": "Fused volumes",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "MedFusion", "Version": __version__}],
    }
    if plan.kind == "bids":
        document["DatasetLinks"] = {"raw": os.path.relpath(plan.input, folder)}
        document["SourceDatasets"] = [{"URL": os.path.relpath(plan.input, folder)}]
    _write(folder / "dataset_description.json", json.dumps(document, indent=2) + "\n")
    _write(folder / ".bidsignore", "\n".join(_IGNORED) + "\n")
    _write(folder / "README.md", _README)


def write_named(case: PlannedCase, method: str, result: FusionResult, results: Path, folder: Path) -> None:
    """Name the fused volume and the tumour of one method as BIDS does, with sidecars.

    The volume is the same file as in the result folder (a hard link) where the file system has links.
    """
    suffix = next((source.suffix for source in case.sources if source.suffix), "")
    if not suffix:
        modalities = {volume.modality for volume in result.sources}
        suffix = next((_SUFFIXES[modality] for modality in _SUFFIXES if modality in modalities), "ct")
    place = folder / _DATATYPES.get(suffix, "ct" if suffix == "ct" else "anat")
    place.mkdir(exist_ok=True)
    stem = f"{case.id}_desc-{method.replace('-', '')}"
    _link(results / "fused.nii.gz", place / f"{stem}_{suffix}.nii.gz")
    sidecar = {
        "Description": f"Fusion index 0 to 1 by {method}; research use only",
        "Units": "1",
        "Sources": sources_of(case, result),
        "SourceUnits": [source.unit.code for source in result.sources],
        "SourceModalities": [source.modality for source in result.sources],
        "SpatialReference": "orig",
        "SkullStripped": False,
        "Method": method,
        "Parameters": result.provenance.get("parameters", {}).get("parameters", {}),
    }
    _write(place / f"{stem}_{suffix}.json", json.dumps(sidecar, indent=2) + "\n")
    if result.tumour is not None:
        (folder / "anat").mkdir(exist_ok=True)
        _write_tumour(result, folder / "anat" / f"{case.id}_desc-tumour_dseg", sidecar["Sources"])


def sources_of(case: PlannedCase, result: FusionResult) -> list[str]:
    """Sources as BIDS URIs where they come from BIDS, else by the SHA-256 of their bytes."""
    found = []
    for source, volume in zip(case.sources, result.sources):
        parts = Path(source.path).parts
        start = next((n for n, part in enumerate(parts) if part == case.stem), None)
        known = source.suffix and start is not None
        found.append("bids:raw:" + "/".join(parts[start:]) if known else "sha256:" + volume.source.sha256)
    return found


_SUFFIXES = {"PT": "pet", "MR": "T1w"}


def _write_tumour(result: FusionResult, stem: Path, sources: list[str]) -> None:
    found = result.tumour
    path = stem.with_name(stem.name + ".nii.gz")
    if path.exists():  # the same tumour for every method of the case
        return
    write_nifti(found.labels, found.geometry, path)
    rows = ["index\tname"] + [f"{segment.label}\t{safe_cell(segment.name)}" for segment in found.segments]
    _write(stem.with_name(stem.name + ".tsv"), "\n".join(rows) + "\n")
    sidecar = {
        "Description": "Tumour",
        "Manual": not found.source.notes,
        "Sources": sources,
        "SpatialReference": "orig",
    }
    _write(stem.with_name(stem.name + ".json"), json.dumps(sidecar, indent=2) + "\n")


def safe_cell(value: object) -> str:
    """Text for one cell of a table: no tab, no line break, and nothing that a spreadsheet takes for a formula."""
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value).strip("\t\r\n").replace("\t", " ").replace("\r", " ").replace("\n", " ")
    return "'" + text if text.lstrip().startswith(("=", "+", "-", "@")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also when several shards write the same."""
    from MedFusionLib.io.write import atomic

    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


_README = """# Fused volumes

Made by MedFusion; research use only, not for primary diagnosis. One folder per case: `medfusion/METHOD/` holds the
complete result (open it in 3D Slicer, or with `MedFusionLib.load_result`), the files named as in BIDS are the same
volumes, `report.html` shows them. `group.html` and the tables beside it put all cases together; `logs/` tells how each
case went.
"""
