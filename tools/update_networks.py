"""Write the tables of Docs/networks.md: ``python tools/update_networks.py networks.json`` (see Testing/Benchmarks).

Which methods stay below the average of the sources is written to the library, whose catalogue says so. Without a
record only that and the table of the weights are brought up to date.
"""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path

from marked import part, rows, with_part

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "Docs" / "networks.md"
STANDING = HOME / "MedFusionLib" / "resources" / "below_average.json"
SHOWN = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "nabf", "func", "anat", "clin", "invent", "bg")
JUDGED = ("clin", "qabf")
TITLES = {"ct_mri": "MR and CT", "pet_mri": "MR and PET", "spect_mri": "MR and SPECT"}


def cards() -> str:
    """One row per model card."""
    lines = ["| weights | what | values | kB | steps | minutes on one core |", "|---|---|---|---|---|---|"]
    folder = resources.files("MedFusionLib.weights")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".json"):
            continue
        card = json.loads(entry.read_text(encoding="utf-8"))
        size = len((folder / f"{card['name']}.safetensors").read_bytes()) / 1000
        minutes = card.get("seconds_on_one_core")
        shown = "-" if minutes is None else f"{minutes / 60:.0f}"
        lines.append(f"| {card['name']} | {card['title']} | {card.get('parameters', '-')} | {size:.0f} | "
                    f"{card.get('steps', '-')} | {shown} |")  # fmt: skip
    return "\n".join(lines)


def figures(record: dict, before: str) -> str:
    """One table per set; rows of methods that were not measured anew stay as they stood."""
    parts = []
    for name, fusions in record["figures"].items():
        heading = f"**{TITLES.get(name, name)}**, {record['pairs']} pairs"
        lines = rows_below(heading, before)
        for title in sorted(fusions, key=lambda title: title not in ("maximum", "average")):
            digits = {metric: 4 if metric in ("nabf", "invent") else 3 for metric in SHOWN}
            cells = [f"{fusions[title][metric]:.{count}f}" for metric, count in digits.items()]
            lines[title] = f"| {title} | " + " | ".join(cells) + " |"
        parts += [heading, "", "| method | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|",
                  *lines.values(), ""]  # fmt: skip
    return "\n".join(parts).rstrip()


def rows_below(heading: str, text: str) -> dict[str, str]:
    """Rows of the table under a heading, by method, without the two lines of its head."""
    table = [row for above, row in rows(text) if above == heading]
    return {row.split("|")[1].strip(): row for row in table[2:]}


def standing(text: str) -> dict[str, dict[str, list[str]]]:
    """Per method of the tables by luminance and metric, the sets in which it is below average."""
    table = part(text, "luminance")
    found: dict[str, dict[str, list[str]]] = {}
    for title in TITLES.values():
        heading = next(line for line in table.splitlines() if line.startswith(f"**{title}**"))
        values = {name: row.split("|")[2:] for name, row in rows_below(heading, table).items()}
        for name, cells in values.items():
            for metric in JUDGED:
                place = SHOWN.index(metric)
                if float(cells[place]) < float(values["average"][place]):
                    found.setdefault(name, {}).setdefault(metric, []).append(title.removeprefix("MR and "))
    return found


def main(arguments: list[str]) -> int:
    """Change the tables."""
    record = json.loads(Path(arguments[0]).read_text(encoding="utf-8")) if arguments else {}
    text = PAGE.read_text(encoding="utf-8")
    for marker in ("cards", *record):
        table = cards() if marker == "cards" else figures(record[marker], part(text, marker))
        text = with_part(text, marker, table)
    PAGE.write_text(text, encoding="utf-8")
    STANDING.write_text(json.dumps(standing(text), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
