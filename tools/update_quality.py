"""Write the tables of Docs/quality.md and the short one of README.md from the records of the benchmarks.

Usage: python tools/update_quality.py RESULTS.json [RESULTS.json ...]   (suites may come from several runs)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "Docs" / "quality.md"
README = ROOT / "README.md"
IN_README = ("average", "maximum", "laplacian", "nsst", "csr", "csmca")
SHOWN = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "nabf", "func", "anat", "clin", "invent", "bg")


def merged(paths: list[str]) -> dict:
    """All suites of several records; a later record wins."""
    record: dict = {}
    for path in paths:
        for suite, content in json.loads(Path(path).read_text(encoding="utf-8")).items():
            if content:
                record[suite] = content
    return record


def quality_tables(groups: dict) -> str:
    """One table per group."""

    def shown(row: dict, name: str) -> str:
        return f"{row[name]:.3f}" if name in row else "-"

    parts = []
    for group, rows in groups.items():
        known = [name for name in SHOWN if any(row.get(name) == row.get(name) for row in rows.values())]
        parts += [f"### {group}", "", "| method | " + " | ".join(known) + " |", "|---" * (len(known) + 1) + "|"]
        parts += ["| " + " | ".join([name, *(shown(row, m) for m in known)]) + " |" for name, row in rows.items()]
        parts.append("")
    return "\n".join(parts).rstrip()


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


def cost_table(costs: list[dict]) -> str:
    """Seconds and memory per method."""
    rows = ["| method | mode | seconds | memory MB |", "|---|---|---|---|"]
    for cost in costs:
        mark = " *" if cost["scaled"] else ""
        rows.append(f"| {cost['name']} | {cost['mode']} | {cost['seconds']:.1f}{mark} | {cost['peak_mb']:.0f} |")
    return "\n".join(rows)


def speed_table(contests: list[dict]) -> str:
    """Ratios against public implementations."""
    rows = ["| what | against | times faster | gate |", "|---|---|---|---|"]
    rows += [f"| {c['name']} | {c['baseline']} | {c['ratio']:.1f} | {c['gate']:.2g} |" for c in contests]
    return "\n".join(rows)


def with_block(text: str, name: str, content: str) -> str:
    """The page with one marked block replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def main() -> None:
    """Update every table for which there is a record."""
    record, text = merged(sys.argv[1:]), PAGE.read_text(encoding="utf-8")
    for name, make in (("quality", quality_tables), ("cost", cost_table), ("speed", speed_table)):
        if name in record:
            text = with_block(text, name, make(record[name]))
    PAGE.write_text(text, encoding="utf-8")
    if "quality" in record:
        front = README.read_text(encoding="utf-8")
        README.write_text(with_block(front, "scores", short_table(record["quality"])), encoding="utf-8")


if __name__ == "__main__":
    main()
