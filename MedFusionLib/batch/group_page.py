"""The page of all cases: failures first, a table to sort, distributions, pictures that lead to the cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from MedFusionLib.batch.case_page import GROUP_PAGE, PAGE, THUMBNAIL, metric_legend
from MedFusionLib.batch.figures import figure_uri
from MedFusionLib.batch.pages import render
from MedFusionLib.io.write import atomic

SHOWN = ("qabf", "ssim", "mi", "func", "anat", "clin", "invent")
_START_OF_PICTURE = "data:image/png;base64,"


def write_group_page(folder: Path, records: Sequence[dict]) -> None:
    """Write ``group.html`` from the records of all cases."""
    rows = [_row(folder, record) for record in records]
    counts = {status: sum(record["status"] == status for record in records) for status in ("failed", "warning", "ok")}
    values = metrics_by_method(records)
    page = render(
        "group.html", rows=rows, counts=counts, shown=metric_legend(SHOWN), distributions=distributions(values),
        methods=[{"name": method, "cells": [_spread(values[name].get(method)) for name in SHOWN if name in values]}
                 for method in dict.fromkeys(m for found in values.values() for m in found)],
        measured=metric_legend([name for name in SHOWN if name in values]),
        first=next((next(iter(record["methods"])) for record in records if record["methods"]), ""),
    )  # fmt: skip
    with atomic(folder / GROUP_PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


def metrics_by_method(records: Sequence[dict]) -> dict[str, dict[str, list[float]]]:
    """Values of the shown metrics over the cases: metric -> method -> values."""
    values: dict[str, dict[str, list[float]]] = {}
    for name in SHOWN:
        for record in records:
            for method, found in record["methods"].items():
                value = found["metrics"].get(name)
                if value is not None:
                    values.setdefault(name, {}).setdefault(method, []).append(value)
    return values


def _spread(values: list[float] | None) -> str:
    """Median and quartiles."""
    if not values:
        return ""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def distributions(values: dict[str, dict[str, list[float]]]) -> str:
    """Every metric over the cases, one box and the points per method, as a data URI; empty without results."""
    if not values:
        return ""
    from matplotlib.figure import Figure

    names = [name for name in SHOWN if name in values]
    figure = Figure(figsize=(2.2 * len(names), 2.8), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        methods = list(values[name])
        axes.boxplot([values[name][method] for method in methods], tick_labels=methods, widths=0.6, showfliers=False)
        for place, method in enumerate(methods, start=1):
            axes.plot([place] * len(values[name][method]), values[name][method], ".", color="#2a6f97", alpha=0.5)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.tick_params(axis="x", rotation=30)
    return figure_uri(figure)


def _row(folder: Path, record: dict) -> dict:
    metrics = next(iter(record["methods"].values()), {"metrics": {}})["metrics"]
    lesions = record.get("measures", [])
    hottest = [lesion["suv_max"] for lesion in lesions if lesion.get("suv_max") is not None]
    return {
        **{key: record[key] for key in ("id", "status", "code", "reason", "hint", "warnings", "seconds")},
        "metrics": [metrics.get(name) for name in SHOWN],
        "alignment": record.get("alignment", {}).get("status", ""),
        "volume_ml": sum(lesion["volume_ml"] for lesion in lesions) if lesions else None,
        "suv_max": max(hottest) if hottest else None,
        "page": _page(folder, record),
        "picture": _picture(folder, record),
    }  # fmt: skip


def _page(folder: Path, record: dict) -> str:
    path = f"{record['folder']}/{PAGE}"
    return path if record["folder"] and (folder / path).is_file() else ""


def _picture(folder: Path, record: dict) -> str:
    path = folder / record["folder"] / THUMBNAIL if record["folder"] else None
    if path is None or not path.is_file():
        return ""
    text = path.read_text(encoding="ascii", errors="replace")
    return text if text.startswith(_START_OF_PICTURE) else ""
