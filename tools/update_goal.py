"""Write the table of what convex weights reach in Docs/networks.md: ``python tools/update_goal.py goal.json ...``.

Every file is what ``Testing/Benchmarks/goal.py`` has printed; the second one may be of another fold.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marked import write_part

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "networks.md"
SETS = {"ct_mri": "CT", "pet_mri": "PET", "spect_mri": "SPECT"}
METRICS = {"q_mi": "MI", "qabf": "Q_AB/F", "vif": "VIF", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "scd": "SCD",
           "nabf": "N_AB/F", "func": "FUNC", "anat": "ANAT"}  # fmt: skip


def table(records: list[dict]) -> str:
    """One row per set, fold and colour."""
    titles = ("cases held back", "colour", "better than maximum", "below 80 % of it", "conditions")
    rows = [_line(*titles), "|---" * len(titles) + "|"]
    for name, title in SETS.items():
        for record in records:
            for colour, sets in record.items():
                if name in sets:
                    rows.append(_row(title, "grey" if name == "ct_mri" else colour, sets[name]))
    return "\n".join(rows)


def _row(title: str, colour: str, found: dict) -> str:
    won = found["better than maximum"]
    short = [f"{METRICS[name]} {share:.0%}".replace("%", " %")
             for name, share in found["share of maximum where below 80 %"].items()]  # fmt: skip
    missed = found["conditions missed"]
    return _line(
        f"{title}: {', '.join(found['held back'])}",
        colour,
        f"{len(won)} of 9: {', '.join(METRICS[name] for name in won)}",
        ", ".join(short) or "none",
        "missed: " + ", ".join(missed) if missed else "all hold",
    )


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Change the table."""
    write_part(PAGE, "goal", table([json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
