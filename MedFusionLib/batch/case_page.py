"""The page of one case: self-contained HTML."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from MedFusionLib.batch.figures import checkerboards, labels_of, thumbnail, trust_maps, views
from MedFusionLib.batch.pages import render
from MedFusionLib.batch.plan import PlannedCase
from MedFusionLib.batch.planes import upright_of
from MedFusionLib.io.plain import plain
from MedFusionLib.metrics import METRICS
from MedFusionLib.result import FusionResult
from MedFusionLib.units import parse_unit
from MedFusionLib.volume import Volume

PAGE, GROUP_PAGE, THUMBNAIL = "report.html", "group.html", "thumbnail.txt"
_SIZES = {
    "volume_ml": "volume, ml", "surface_cm2": "surface, cm2", "longest_3d_mm": "longest diameter, mm",
    "axial_long_mm": "longest axial diameter, mm", "axial_short_mm": "diameter across it, mm", "suv_max": "SUVmax",
    "suv_mean": "SUVmean", "suv_median": "SUVmedian", "suv_sd": "SUV SD", "suv_peak": "SUVpeak (1 ml)",
    "mtv_ml": "metabolic volume, ml", "tlg_g": "total lesion glycolysis, g",
}  # fmt: skip
"""Measures of a lesion in the order of the page, with their units; others follow under their own names."""
_PER_SOURCE = ("min", "mean", "median", "max", "sd")


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
    group = "../" * len(case.folder.parts) + GROUP_PAGE
    (folder / PAGE).write_text(_page(case.id, record, found, group), encoding="utf-8")


def _page(name: str, record: dict, found: dict[str, FusionResult], group: str = "") -> str:
    """The page's text; `group` is the way to the page of all cases."""
    first = next(iter(found.values()))
    mask = _mask_on(first)
    upright = upright_of(first, mask)
    methods = [
        {"name": method, "views": views(result, upright, mask), "trust": trust_maps(result, upright, mask),
         "metrics": record["methods"][method]["metrics"], "run": _run(result)}
        for method, result in found.items()
    ]  # fmt: skip
    provenance = plain({key: value for key, value in first.provenance.items() if key != "peak_mb"})
    return render(
        "case.html", id=name, record=record, methods=methods, checkerboards=checkerboards(first, upright),
        metrics=metric_legend(methods[0]["metrics"]), lesions=_lesions(first), sources=_sources(first),
        provenance=json.dumps(provenance, indent=2), versions=first.provenance.get("software", {}),
        is_oblique=not _is_upright(first), audits=[_audit(one) for one in record["suv"]],
        has_unaudited=not record["suv"] and any(map(_is_unaudited, first.sources)), group=group,
    )  # fmt: skip


def metric_legend(names) -> list[dict]:
    """Key, title, definition and direction (an arrow) of metrics, for the heads of tables."""
    known = {info.name: info for info in METRICS}
    arrows = {True: "\u2191", False: "\u2193", None: ""}
    return [
        {"name": name, "title": known[name].title, "arrow": arrows[known[name].higher_is_better],
         "definition": f"{known[name].title}: {known[name].definition} ({known[name].unit}; {known[name].span})"}
        if name in known else {"name": name, "title": name, "arrow": "", "definition": name}
        for name in names
    ]  # fmt: skip


def _mask_on(result: FusionResult) -> np.ndarray | None:
    """The tumour on the grid of the fused volume."""
    if result.tumour is None:
        return None
    from MedFusionLib.align import resample_labels_to

    return resample_labels_to(result.tumour.labels, result.tumour.geometry, result.fused.geometry) > 0


def _run(result: FusionResult) -> str:
    """How a method was run, in a line."""
    asked, ran = result.provenance.get("parameters", {}), result.provenance.get("run", {})
    given = ", ".join(f"{name} {value}" for name, value in (asked.get("parameters") or {}).items())
    parts = [f"mode {asked.get('mode', '?')}", given, f"on {ran.get('device', '?')}",
             f"{result.timings.get('total', 0.0):.1f} s"]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _sources(result: FusionResult) -> list[dict]:
    return [
        {
            "label": name, "unit": str(volume.unit),
            "window": f"{window.lower:.4g} to {window.upper:.4g}",
            "spacing": " x ".join(f"{mm:.3g}" for mm in volume.source.native_spacing_mm or volume.geometry.spacing_mm),
            "sha256": volume.source.sha256, "notes": list(volume.source.notes),
        }
        for name, volume, window in zip(labels_of(result.sources), result.sources, result.windows)
    ]  # fmt: skip


def _lesions(result: FusionResult) -> list[dict]:
    """Measures of every lesion; what is measured on each source's native grid stands below the size."""
    if result.tumour is None:
        return []
    found, names = [], labels_of(result.sources)
    for lesion in result.tumour.measures:
        numbers = {key: value for key, value in lesion.items() if isinstance(value, (int, float))}
        order = [key for key in _SIZES if key in numbers] + [key for key in numbers if key not in _SIZES]
        found.append({
            "name": lesion["name"], "sizes": [(_SIZES.get(key, key), numbers[key]) for key in order],
            "centre": ", ".join(f"{mm:.1f}" for mm in lesion.get("centroid_ras_mm", ())),
            "columns": _PER_SOURCE, "sources": _measured_sources(names, lesion.get("sources", [])),
            "fused": lesion.get("fused"),
        })  # fmt: skip
    return found


def _measured_sources(names: list[str], found: list[dict]) -> list[dict]:
    """A row per source; those that a lesion does not reach are missing, and then modalities must do."""
    shown = names if len(names) == len(found) else [one["modality"] for one in found]
    return [_measured(name, one) for name, one in zip(shown, found)]


def _measured(name: str, one: dict) -> dict:
    around = one.get("contrast") or {}
    return {
        "label": name, "unit": str(parse_unit(one["unit"])), "voxels": one.get("voxels"),
        "values": [one.get(key) for key in _PER_SOURCE], "difference": around.get("difference"),
        "cnr": around.get("cnr"),
    }  # fmt: skip


def _is_unaudited(volume: Volume) -> bool:
    """Whether a PET came without an account of its SUV: one read from DICOM carries it in its notes."""
    return volume.modality == "PT" and not any(note.startswith("SUV") for note in volume.source.notes)


def _is_upright(result: FusionResult) -> bool:
    return bool((np.abs(result.fused.geometry.directions).max(axis=0) > 0.999).all())


def _audit(audit: dict) -> dict:
    """Inputs and candidate times of one SUV account as rows of text."""
    factors = [audit["factor"]] if "factor" in audit else audit["factors"]
    return {
        "title": f"SUV{audit['variant']} = rescaled value x {min(factors):.6g}"
        + ("" if len(factors) == 1 else f" to {max(factors):.6g}, slice by slice"),
        "inputs": [(name, entry["tag"], _value(entry)) for name, entry in audit["inputs"].items()],
        "times": audit["reference_times"],
        "warnings": audit["warnings"],
    }


def _value(entry: dict) -> str:
    value = entry["value"]
    if isinstance(value, list):
        text = f"{min(value):.6g} to {max(value):.6g}"
    else:
        text = f"{value:.9g}" if isinstance(value, float) else "-" if value is None else str(value)
    return f"{text} {entry['unit']}".strip()
