"""The batch at work: fifty cases, five of them broken, killed three times; and two workers against one.

``python Testing/Benchmarks/batch.py [--cases 45] [--out record.json]``. Needs MEDFUSION_TEST_DATA for real templates;
without it a phantom stands in. Exits 1 when a result differs from an undisturbed run, or two workers are less than 1.7
times as fast as one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "Testing" / "support")]

import MedFusionLib as mf  # noqa: E402
from batch_cases import BROKEN, write_cases  # noqa: E402

KILLS = 3
GATE = 1.7
MEMORY_GB = 2.0
VARYING = {"seconds", "timings", "peak_mb", "total", "resumed"}
SEED = 7


def main() -> int:
    """Run, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=45, help="good ones")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record = measure(Path(folder), options.cases)
    print(json.dumps(record, indent=2))
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    good = record["same_after_kills"] and record["codes_as_expected"] and record["speed_up"] >= GATE
    return 0 if good and record["peak_mb"] <= MEMORY_GB * 1024 else 1


def measure(folder: Path, good: int) -> dict:
    """Undisturbed with one and two workers, then killed and resumed."""
    manifest = write_cases(folder / "in", good, templates())
    one = timed(manifest, folder / "one", 1)
    two = timed(manifest, folder / "two", 2)
    kills = killed(manifest, folder / "killed", two["seconds"])
    document = json.loads(run(manifest, folder / "killed", 2).stdout)
    failures = {
        case["id"].removeprefix("sub-"): case["code"] for case in document["cases"] if case["status"] == "failed"
    }
    return {
        "cases": len(document["cases"]),
        "results": len(document["cases"]) - len(failures),
        "failures": {case["id"]: case["reason"] for case in document["cases"] if case["status"] == "failed"},
        "codes_as_expected": failures == BROKEN,
        "killed_at_s": kills,
        "same_after_kills": content(folder / "killed") == content(folder / "one"),
        "same_with_two_workers": content(folder / "two") == content(folder / "one"),
        "seconds_one_worker": one["seconds"],
        "seconds_two_workers": two["seconds"],
        "speed_up": one["seconds"] / two["seconds"],
        "peak_mb": max(case["peak_mb"] or 0 for case in one["cases"] + two["cases"]),
        "cap_mb": MEMORY_GB * 1024,
    }


def templates():
    """MR and PET templates, or None for a phantom."""
    data = os.environ.get("MEDFUSION_TEST_DATA")
    if not data:
        return None
    place = Path(data) / "mni_multimodal"
    mr = mf.read_volume(place / "spm_T1.nii.gz", "MR")
    return mr, mf.read_volume(place / "spm_PET.nii.gz", "PT", "SUVbw")


def command(manifest: Path, out: Path, workers: int) -> list[str]:
    """One core per worker, so that the ratio is that of the workers."""
    return [sys.executable, "-m", "MedFusionLib", "batch", str(manifest), str(out), "--method", "laplacian", "--json",
            "--workers", str(workers), "--memory", str(MEMORY_GB)]  # fmt: skip


def run(manifest: Path, out: Path, workers: int) -> subprocess.CompletedProcess:
    """To the end; PYTHONPATH makes it this copy."""
    return subprocess.run(
        command(manifest, out, workers), capture_output=True, text=True, check=False, env=environment()
    )


def environment() -> dict:
    """One thread per process."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}


def timed(manifest: Path, out: Path, workers: int) -> dict:
    """The document of an undisturbed run, with its wall time."""
    started = time.monotonic()
    document = json.loads(run(manifest, out, workers).stdout)
    return {**document, "seconds": time.monotonic() - started}


def killed(manifest: Path, out: Path, seconds: float) -> list[float]:
    """Start and kill -9 at random moments; the moments."""
    chance = random.Random(SEED)
    moments = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            command(manifest, out, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
        )
        moments.append(round(3 + chance.random() * seconds / 3, 2))
        time.sleep(moments[-1])
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(1)
    return moments


def content(out: Path) -> dict:
    """Hashes of voxels, JSON without times and memory."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".json":
            found[name] = constant(json.loads(path.read_text(encoding="utf-8")))
        elif path.name.endswith((".nii.gz", ".nrrd")):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def constant(document):
    """A record without what differs from run to run."""
    if isinstance(document, dict):
        return {key: constant(value) for key, value in document.items() if key not in VARYING}
    return [constant(value) for value in document] if isinstance(document, list) else document


if __name__ == "__main__":
    sys.exit(main())
