"""Tables and the page of all cases of a batch, from what the cases left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from MedFusionLib.batch.derivatives import safe_cell
from MedFusionLib.batch.plan import Plan
from MedFusionLib.batch.work import LOGS

_ORDER = {"failed": 0, "warning": 1, "ok": 2}
_CASE_COLUMNS = ("id", "status", "code", "reason", "seconds", "peak_mb", "resumed")


def records_of(folder: Path) -> list[dict]:
    """What became of all cases so far, of all shards; failures first, then warnings, then by name."""
    found = []
    for path in sorted((folder / LOGS).glob("*.json")):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda record: (_ORDER[record["status"]], record["id"]))


def write_group(plan: Plan) -> None:
    """Write ``cases.tsv``, ``metrics.tsv``, ``measures.tsv`` and, if reports are wished, ``group.html``."""
    folder = Path(plan.out)
    records = records_of(folder)
    _write_table(folder / "cases.tsv", _CASE_COLUMNS, [[record[key] for key in _CASE_COLUMNS] for record in records])
    _write_rows(folder / "metrics.tsv", metric_rows(records))
    _write_rows(folder / "measures.tsv", measure_rows(records))
    if plan.wishes.with_reports:
        from MedFusionLib.batch.group_page import write_group_page

        write_group_page(folder, records)


def metric_rows(records: Sequence[dict]) -> list[dict]:
    """One row per case and method."""
    return [{"id": record["id"], "method": method, **found["metrics"]}
            for record in records for method, found in record["methods"].items()]  # fmt: skip


def measure_rows(records: Sequence[dict]) -> list[dict]:
    """One row per case and lesion: its size, and what was measured on each source (``PT_max``, ``PT_unit`` ...)."""
    return [{"id": record["id"], **_flat(lesion)} for record in records for lesion in record.get("measures", [])]


def _flat(lesion: dict) -> dict:
    row = {key: value for key, value in lesion.items() if not isinstance(value, (dict, list))}
    for source in lesion.get("sources", []):
        row |= {f"{source['modality']}_{key}": value for key, value in source.items()
                if key != "modality" and not isinstance(value, (dict, list))}  # fmt: skip
    return row


def _write_rows(path: Path, rows: list[dict]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row)) or ["id"]
    _write_table(path, columns, [[row.get(key) for key in columns] for row in rows])


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from MedFusionLib.io.write import atomic

    lines = ["\t".join(safe_cell(cell) for cell in row) for row in (columns, *rows)]
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
