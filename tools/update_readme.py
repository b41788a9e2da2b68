"""Write the table of methods into README.md, and its picture from a demo folder.

Usage: python tools/update_readme.py [DEMO_FOLDER]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from marked import with_part

import MedFusionLib

ROOT = Path(__file__).resolve().parents[1]


def method_table() -> str:
    """The catalogue as a Markdown table."""
    rows = ["| name | method | what it does | invents |", "|---|---|---|---|"]
    for info in MedFusionLib.methods():
        share = "" if info.invention is None else f"{info.invention:.1%}"
        rows.append(f"| `{info.name}` | {info.title} | {info.sentence} | {f'**{share}**' if info.warning else share} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """README text with the current table."""
    return with_part(text, "methods", method_table())


def main() -> None:
    """Update the table, and the picture when a demo folder is given."""
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    if len(sys.argv) > 1:
        (ROOT / "Docs").mkdir(exist_ok=True)
        shutil.copyfile(Path(sys.argv[1]) / "mr-pet" / "views.png", ROOT / "Docs" / "demo.png")


if __name__ == "__main__":
    main()
