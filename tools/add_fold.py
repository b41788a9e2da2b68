"""Add what another fold reached to the card of the convex weights: ``python tools/add_fold.py DIR/convex-fold25.json``.

The card is that which ``medfusion train convex --fold 25 --data DATA --out DIR`` left. The weights stay those of the
first fold.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SET = "pet_mri"
CARD = Path(__file__).resolve().parents[1] / "MedFusionLib" / "weights" / "convex.json"


def with_fold(card: dict, other: dict) -> dict:
    """The card with the folds by name: what each held back of MR-PET, and its figures there."""
    folds = card.get("folds", {})
    for each in (card, other):
        cases = ", ".join(each["training_data"]["held_back"][SET])
        folds[f"{SET}, case {cases} held back"] = {
            "sha256": each["sha256"], "command": each["command"], "figures": each["figures"][SET],
        }  # fmt: skip
    return {**card, "folds": folds}


def main(arguments: list[str]) -> int:
    """Rewrite the card."""
    card, other = (json.loads(Path(path).read_text(encoding="utf-8")) for path in (CARD, arguments[0]))
    CARD.write_text(json.dumps(with_fold(card, other), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
