"""Install PyTorch once, without a CUDA build where it is not needed.

A CPU wheel at hand (pip's find-links) comes first, then PyTorch's own CPU index, then the plain
package, whose size is announced. Run with the interpreter of the environment.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PLAIN_SIZE = "about 3 GB with the CUDA libraries it brings"
CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"


def pinned_version() -> str:
    """The version of torch that the constraints name."""
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("torch=="):
            return line.partition("==")[2].strip()
    raise SystemExit("constraints.txt pins no torch")


def pip(*arguments: str) -> bool:
    """Run pip; whether it succeeded."""
    return subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], check=False).returncode == 0


def index_answers() -> bool:
    """Whether PyTorch's CPU index can be reached."""
    try:
        with urllib.request.urlopen(CPU_INDEX + "/torch/", timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Install torch unless it is there."""
    if importlib.util.find_spec("torch"):
        return
    wanted = "torch==" + pinned_version()
    at_hand = ["--no-index", "--no-deps", wanted]
    if (
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", *at_hand], check=False, capture_output=True
        ).returncode
        == 0
    ):
        print("Installed PyTorch from a wheel at hand.", flush=True)
        done = pip(wanted)  # its dependencies
    elif index_answers():
        print("Installing PyTorch from its CPU index.", flush=True)
        done = pip(wanted, "--index-url", CPU_INDEX)
    else:
        print(f"Installing PyTorch: {PLAIN_SIZE}.", flush=True)
        done = pip(wanted)
    if not done:
        raise SystemExit(f"{wanted} could not be installed")


if __name__ == "__main__":
    main()
