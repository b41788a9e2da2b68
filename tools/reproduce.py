"""Train weights of the package again and compare: ``python tools/reproduce.py NAME ... --data DIR --out DIR``.

Every one is trained by the command of its card. What is not finished is gone on with by the same call. The exit code
is 1 when a file differs or a training is refused.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
WEIGHTS = PROJECT / "MedFusionLib" / "weights"


def is_same(name: str, data: Path | None, out: Path) -> bool:
    """Train `name`, and say whether the file is that of the package."""
    card = _card(WEIGHTS, name)
    places = {"DIR": str(out), "DATA": str(data)}
    words = [places.get(word, word) for word in card["command"].split()[1:]]
    path = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "MedFusionLib", *words]
    if subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode:
        print(f"{name}: NOT TRAINED, for the reason above", flush=True)
        return False
    again = _card(out, name)
    same = again["sha256"] == card["sha256"]
    print(
        f"{name}: {'the same bits' if same else 'ANOTHER FILE'}: {again['sha256'][:8]} here ({_machine(again)}), "
        f"{card['sha256'][:8]} in the package ({_machine(card)})",
        flush=True,
    )
    return same


def _machine(card: dict) -> str:
    known = card.get("machine", {})
    return f"{known.get('maker', 'maker not recorded')}, {known.get('instructions', 'instructions not recorded')}"


def _card(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """Train one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, help="folder with the training data, for recipes that need one")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    return 0 if all([is_same(name, options.data, options.out) for name in options.names]) else 1


if __name__ == "__main__":
    sys.exit(main())
