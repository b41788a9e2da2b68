"""Write the tables of Docs/networks.md: ``python tools/update_networks.py networks.json`` (see Testing/Benchmarks)."""

from __future__ import annotations

import json
import re
import sys
from importlib import resources
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "networks.md"
SHOWN = ("q_mi", "qabf", "vif", "ssim", "ms_ssim", "scd", "nabf", "func", "anat", "clin", "invent", "bg")
TITLES = {"ct_mri": "MR and CT", "pet_mri": "MR and PET", "spect_mri": "MR and SPECT"}


def cards() -> str:
    """One row per model card."""
    rows = ["| weights | what | values | kB | steps | minutes on one core |", "|---|---|---|---|---|---|"]
    folder = resources.files("MedFusionLib.weights")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".json"):
            continue
        card = json.loads(entry.read_text(encoding="utf-8"))
        size = len((folder / f"{card['name']}.safetensors").read_bytes()) / 1000
        minutes = card.get("seconds_on_one_core")
        shown = "-" if minutes is None else f"{minutes / 60:.0f}"
        rows.append(f"| {card['name']} | {card['title']} | {card.get('parameters', '-')} | {size:.0f} | "
                    f"{card.get('steps', '-')} | {shown} |")  # fmt: skip
    return "\n".join(rows)


def figures(record: dict) -> str:
    """One table per set."""
    parts = []
    for name, fusions in record["figures"].items():
        parts += [f"**{TITLES.get(name, name)}**, {record['pairs']} pairs", "",
                  "| method | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]  # fmt: skip
        order = ["maximum", "average", *(title for title in fusions if title not in ("maximum", "average"))]
        for title in order:
            values = [fusions[title][metric] for metric in SHOWN]
            cells = [f"{value:.4f}" if metric in ("nabf", "invent") else f"{value:.3f}"
                     for metric, value in zip(SHOWN, values)]  # fmt: skip
            parts.append(f"| {title} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts).rstrip()


def main(arguments: list[str]) -> int:
    """Replace what stands between the markers."""
    record = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    tables = {"cards": cards(), **{colour: figures(one) for colour, one in record.items()}}
    for marker, table in tables.items():
        pattern = f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
        text = re.sub(pattern, lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text, flags=re.DOTALL)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
