"""Write the tables of Docs/quality.md and the short one of README.md from the records of the benchmarks.

Usage: python tools/update_quality.py RESULTS.json [RESULTS.json ...]   (suites may come from several runs)
Of a run with ``--methods`` only the rows of these are written; all others stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marked import part, with_part, with_rows, write_part

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


def short_table(groups: dict) -> str:
    """A few methods on the picture pairs."""
    pairs = [group for group in groups if "volume" not in group]
    rows = ["| method | " + " | ".join(f"{group} Q_AB/F, VIF, CLIN" for group in pairs) + " |"]
    rows.append("|---" * (len(pairs) + 1) + "|")
    for name in IN_README:
        cells = [
            ", ".join(f"{groups[group][name][metric]:.2f}" for metric in ("qabf", "vif", "clin")) for group in pairs
        ]
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(rows)


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
    if "quality" in record and not record.get("methods"):
        write_part(README, "scores", short_table(record["quality"]))


if __name__ == "__main__":
    main()
