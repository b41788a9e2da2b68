"""Where a learned method stays below the average of the sources, on pairs that no network was trained on."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

WORDS = {"clin": "function or anatomy", "qabf": "edges"}
"""What is lost, by metric: CLIN is the worse of both fidelities, Q_AB/F the edges kept."""


def below_average(name: str) -> str:
    """What the sentence of a method ends with; empty where average is never better.

    The figures are those of Docs/networks.md; ``tools/update_networks.py`` writes them down.
    """
    found = _standing().get(name, {})
    parts = [f"{WORDS[metric]} ({', '.join(found[metric])})" for metric in WORDS if metric in found]
    return f" Below the average of the sources: {', '.join(parts)}." if parts else ""


@lru_cache(maxsize=1)
def _standing() -> dict[str, dict[str, list[str]]]:
    return json.loads((resources.files("MedFusionLib.resources") / "below_average.json").read_text(encoding="utf-8"))
