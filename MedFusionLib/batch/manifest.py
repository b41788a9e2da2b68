"""Cases from a table: one row per case."""

from __future__ import annotations

import csv
from pathlib import Path

from MedFusionLib.batch.files import VOLUMES, voxels_of
from MedFusionLib.batch.plan import PlannedCase, Source, label, problem_of
from MedFusionLib.errors import MedFusionError, UnreadableFile, UsageError

COLUMNS = ("case", "session", "reference", "moving", "modality", "unit", "tumour", "seed", "roi", "transform")
NEEDED = ("case", "reference", "moving")
MOST_BYTES, MOST_ROWS = 16 << 20, 100_000
SEPARATOR = ";"


def cases_of_manifest(path: Path) -> list[PlannedCase]:
    """One case per row of a CSV (or TSV) file with a header.

    Columns: ``case``, ``reference``, ``moving`` (several separated by semicolons); optional ``session``, ``modality``
    and ``unit`` (semicolons, in source order), ``tumour`` (label map or method), ``seed`` (``R A S`` in mm), ``roi``
    and ``transform`` (semicolons, one per moving source). Relative paths start at the folder of the table. A row that
    makes no case becomes a case with a problem.

    Raises
    ------
    UnreadableFile
        When the table is too large or not text.
    UsageError
        When a column is missing or unknown.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableFile(f"{path.name} is larger than 16 MB", "a table with one row per case")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path.name} is not UTF-8 text", "a CSV file with a header") from error
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    if not rows or len(rows) > MOST_ROWS:
        raise UnreadableFile(f"{path.name} has {len(rows)} rows", f"1 to {MOST_ROWS}")
    _check_columns(path, rows[0])
    return [_case(path.parent, number, row) for number, row in enumerate(rows, start=2)]


def _check_columns(path: Path, row: dict) -> None:
    there = {name for name in row if name is not None}
    for name in NEEDED:
        if name not in there:
            raise UsageError(f"{path.name} has no column {name!r}", "the columns " + ", ".join(NEEDED))
    unknown = sorted(there - set(COLUMNS))
    if unknown:
        raise UsageError(f"{path.name} has an unknown column {unknown[0]!r}", "columns from " + ", ".join(COLUMNS))


def _case(folder: Path, line: int, row: dict) -> PlannedCase:
    cells = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str) or value is None}
    try:
        case = PlannedCase(label(cells["case"]), label(cells["session"]) if cells.get("session") else "")
    except UsageError as error:
        return PlannedCase(f"line{line}", chosen_by=(f"line {line}",), problem=problem_of(error))
    try:
        return _filled(folder, case, line, cells)
    except MedFusionError as error:
        return PlannedCase(case.participant, case.session, chosen_by=(f"line {line}",), problem=problem_of(error))


def _filled(folder: Path, case: PlannedCase, line: int, cells: dict) -> PlannedCase:
    paths = [_path(folder, part) for part in (cells["reference"], *cells["moving"].split(SEPARATOR))]
    if not all(paths):
        raise UsageError(f"Line {line} names no reference or no moving source", "a path in each")
    modalities, units = (_spread(cells.get(name, ""), len(paths), name) for name in ("modality", "unit"))
    sources = tuple(Source(path, modality, unit, voxels=voxels_of(Path(path)) if Path(path).is_file() else 0)
                    for path, modality, unit in zip(paths, modalities, units))  # fmt: skip
    tumour = cells.get("tumour") or None
    given = [_path(folder, part) or None for part in cells.get("transform", "").split(SEPARATOR)]
    return PlannedCase(
        case.participant, case.session, sources, (f"line {line} of the table",),
        tumour=_path(folder, tumour) if tumour and _is_path(folder, tumour) else tumour,
        seed=_point(cells.get("seed", "")), roi=_path(folder, cells.get("roi", "")) or None,
        transforms=tuple(given) if any(given) else (),
    )  # fmt: skip


def _path(folder: Path, text: str) -> str:
    text = text.strip()
    return str(folder / text) if text else ""


def _is_path(folder: Path, text: str) -> bool:
    return "/" in text or "\\" in text or (folder / text).exists() or text.lower().endswith(VOLUMES)


def _spread(text: str, count: int, what: str) -> list[str | None]:
    values = [part.strip() or None for part in text.split(SEPARATOR)] if text else []
    if len(values) > count:
        raise UsageError(f"{len(values)} values of {what} for {count} sources", "at most one per source")
    return values + [None] * (count - len(values))


def _point(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        r, a, s = (float(part) for part in text.replace(SEPARATOR, " ").split())
    except ValueError as error:
        raise UsageError(f"The point {text!r}", "three numbers R A S in mm, for example 12.5 -30 44") from error
    return r, a, s
