"""The page of one case: self-contained HTML."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from MedFusionLib.batch.figures import checkerboards, thumbnail, trust_maps, upright_of, views
from MedFusionLib.batch.pages import render
from MedFusionLib.batch.plan import PlannedCase
from MedFusionLib.io.plain import plain
from MedFusionLib.result import FusionResult
from MedFusionLib.units import parse_unit

PAGE, THUMBNAIL = "report.html", "thumbnail.txt"
_PER_SOURCE = ("min", "mean", "median", "max", "sd", "suv_peak", "tlg")


def write_report(result: FusionResult, folder: str | Path, *, name: str) -> Path:
    """Write the page of one result, outside of any batch.

    Parameters
    ----------
    result : FusionResult
        The result.
    folder : path
        An existing folder.
    name : str
        What the page calls the case; never a patient's name.

    Returns
    -------
    Path
        ``report.html`` in the folder.

    Raises
    ------
    NotSupported
        When matplotlib or jinja2 is not installed.
    """
    folder, said = Path(folder), list(result.metrics.get("trust", {}).get("warnings", []))
    method = result.provenance.get("parameters", {}).get("method") or result.provenance.get("method") or "fused"
    numbers = {key: value for key, value in result.metrics.items() if isinstance(value, (int, float))}
    record = {
        "status": "ok" if result.alignment.status == "pass" and not said else "warning",
        "warnings": said, "chosen_by": [], "suv": [],
        "alignment": result.alignment.as_json(), "methods": {method: {"metrics": numbers}},
    }  # fmt: skip
    page = _page(name, record, {method: result})
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def write_case_page(case: PlannedCase, record: dict, found: dict[str, FusionResult], folder: Path) -> None:
    """Draw the pictures of a case and write ``report.html``, and the picture that stands for it in the group."""
    first = next(iter(found.values()))
    (folder / THUMBNAIL).write_text(thumbnail(first, upright_of(first, _mask_on(first))), encoding="ascii")
    (folder / PAGE).write_text(_page(case.id, record, found), encoding="utf-8")


def _page(name: str, record: dict, found: dict[str, FusionResult]) -> str:
    first = next(iter(found.values()))
    mask = _mask_on(first)
    upright = upright_of(first, mask)
    methods = [
        {"name": method, "views": views(result, upright, mask), "trust": trust_maps(result, upright, mask),
         "metrics": record["methods"][method]["metrics"]}
        for method, result in found.items()
    ]  # fmt: skip
    provenance = plain({key: value for key, value in first.provenance.items() if key != "peak_mb"})
    return render(
        "case.html", id=name, record=record, methods=methods, checkerboards=checkerboards(first, upright),
        lesions=_lesions(first), sources=_sources(first), provenance=json.dumps(provenance, indent=2),
        is_oblique=not _is_upright(first), audits=[_audit(one) for one in record["suv"]],
    )  # fmt: skip


def _mask_on(result: FusionResult) -> np.ndarray | None:
    """The tumour on the grid of the fused volume."""
    if result.tumour is None:
        return None
    from MedFusionLib.align import resample_labels_to

    return resample_labels_to(result.tumour.labels, result.tumour.geometry, result.fused.geometry) > 0


def _sources(result: FusionResult) -> list[dict]:
    return [
        {
            "modality": volume.modality, "unit": str(volume.unit),
            "window": f"{window.lower:.4g} to {window.upper:.4g}",
            "spacing": " x ".join(f"{mm:.3g}" for mm in volume.source.native_spacing_mm or volume.geometry.spacing_mm),
            "sha256": volume.source.sha256, "notes": list(volume.source.notes),
        }
        for volume, window in zip(result.sources, result.windows)
    ]  # fmt: skip


def _lesions(result: FusionResult) -> list[dict]:
    """Rows of the table of measures; what is measured on each source's native grid stands below the size."""
    if result.tumour is None:
        return []
    found = []
    for lesion in result.tumour.measures:
        sizes = [(key, value) for key, value in lesion.items() if isinstance(value, (int, float))]
        per_source = [
            {"modality": one["modality"], "unit": str(parse_unit(one["unit"])),
             "values": [(key, one[key]) for key in _PER_SOURCE if isinstance(one.get(key), (int, float))]}
            for one in lesion.get("sources", [])
        ]  # fmt: skip
        found.append({"name": lesion["name"], "sizes": sizes, "sources": per_source})
    return found


def _is_upright(result: FusionResult) -> bool:
    return bool((np.abs(result.fused.geometry.directions).max(axis=0) > 0.999).all())


def _audit(audit: dict) -> dict:
    """Inputs and candidate times of one SUV account as rows of text."""
    factors = [audit["factor"]] if "factor" in audit else audit["factors"]
    return {
        "title": f"SUV{audit['variant']} = rescaled value x {min(factors):.6g}"
        + ("" if len(factors) == 1 else f" to {max(factors):.6g}, slice by slice"),
        "inputs": [(name, entry["tag"], entry["value"]) for name, entry in audit["inputs"].items()],
        "times": [", ".join(f"{key} {value}" for key, value in time.items()) for time in audit["reference_times"]],
        "warnings": audit["warnings"],
    }
