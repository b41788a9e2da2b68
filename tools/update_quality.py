"""Write the tables of Docs/quality.md and the short one of README.md from the records of the benchmarks.

Usage: python tools/update_quality.py RESULTS.json [RESULTS.json ...]   (suites may come from several runs)
Of a run with ``--methods`` only the rows of these are written; all others stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marked import part, rows, with_part, with_rows, write_part

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]
PAGE = ROOT / "Docs" / "quality.md"
README = ROOT / "README.md"
IN_README = ("average", "maximum", "laplacian", "nsst", "csr", "csmca")


def merged(paths: list[str]) -> dict:
    """All suites of several records; a later record wins."""
    record: dict = {}
    for path in paths:
        for suite, content in json.loads(Path(path).read_text(encoding="utf-8")).items():
            if content:
                record[suite] = content
    return record


def short_table(quality: str) -> str:
    """A few methods on the picture pairs, from the tables of the page."""
    found: dict[str, dict[str, list[str]]] = {}
    for heading, row in rows(quality):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        found.setdefault(heading.lstrip("# "), {})[cells[0]] = cells[1:]
    groups = {name: table for name, table in found.items() if "volume" not in name}
    lines = ["| method | " + " | ".join(f"{group} Q_AB/F, VIF, CLIN" for group in groups) + " |"]
    lines.append("|---" * (len(groups) + 1) + "|")
    for name in IN_README:
        cells = [_scores(table["method"], table[name]) for table in groups.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _scores(titles: list[str], cells: list[str]) -> str:
    return ", ".join(f"{float(cells[titles.index(metric)]):.2f}" for metric in ("qabf", "vif", "clin"))


def tables() -> dict:
    """Per suite, how the benchmarks print its part of a record."""
    import cost
    import quality
    import run
    from timing import Comparison

    def contests(rows: list[dict]) -> list[Comparison]:
        return [Comparison(**{key: value for key, value in row.items() if key != "passed"}) for row in rows]

    return {
        "quality": quality.as_markdown,
        "cost": lambda rows: cost.as_markdown([cost.Cost(**row) for row in rows]),
        "speed": lambda rows: run.as_markdown(contests(rows)),
    }


def main() -> None:
    """Update every table for which there is a record."""
    record, text = merged(sys.argv[1:]), PAGE.read_text(encoding="utf-8")
    for name, make in tables().items():
        if name in record:
            made = make(record[name])
            text = with_part(text, name, with_rows(part(text, name), made) if record.get("methods") else made)
    PAGE.write_text(text, encoding="utf-8")
    write_part(README, "scores", short_table(part(text, "quality")))


if __name__ == "__main__":
    main()
