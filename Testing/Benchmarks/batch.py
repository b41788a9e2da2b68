"""The batch at work: fifty cases, five of them broken, killed three times; and two workers against one.

``python Testing/Benchmarks/batch.py [--cases 45] [--only kills|speed] [--rounds 3] [--out FILE]``. Needs
MEDFUSION_TEST_DATA for real templates (thinned for the kills); without it a phantom stands in. Exits 1 when a result
differs from an undisturbed run, two workers are less than 1.7 times as fast as one, or the memory cap does not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "Testing" / "support")]

import MedFusionLib as mf  # noqa: E402
from batch_cases import BROKEN, write_cases  # noqa: E402
from MedFusionLib.volume import Geometry, Volume  # noqa: E402

KILLS = 3
GATE = 1.7
MEMORY_GB = 2.0
SPEED_CASES = 24
VARYING = {"seconds", "timings", "peak_mb", "total", "resumed"}
SEED = 7


def main() -> int:
    """Run, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=45, help="good ones")
    parser.add_argument("--only", choices=("kills", "speed"), help="one half")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed: one worker and two, in turns")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    record, good = {}, True
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "speed":
            record |= kill_and_resume(Path(folder) / "kills", options.cases)
            good &= record["same_after_kills"] and record["failures_as_expected"]
            good &= record["peak_mb"] <= record["cap_mb"] and record["results"] == options.cases
        if options.only != "kills":
            record |= two_against_one(Path(folder) / "speed", options.rounds)
            good &= record["speed_up"] >= GATE
    print(json.dumps(record, indent=2))
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


def kill_and_resume(folder: Path, good: int) -> dict:
    """Undisturbed, then killed and resumed."""
    manifest = write_cases(folder / "in", good, templates())
    one = timed(manifest, folder / "undisturbed", 2)
    kills = killed(manifest, folder / "killed", good)
    resumed = timed(manifest, folder / "killed", 2)
    failures = {case["id"].removeprefix("sub-"): case for case in resumed["cases"] if case["status"] == "failed"}
    return {
        "cases": len(resumed["cases"]),
        "results": len(resumed["cases"]) - len(failures),
        "resumed": sum(case["resumed"] for case in resumed["cases"]),
        "failures": {name: [case["code"], case["reason"]] for name, case in failures.items()},
        "failures_as_expected": {name: case["code"] for name, case in failures.items()} == BROKEN,
        "done_when_killed": kills,
        "same_after_kills": content(folder / "killed") == content(folder / "undisturbed"),
        "files_compared": len(content(folder / "undisturbed")),
        "seconds_undisturbed": round(one["seconds"], 1),
        "peak_mb": max(case["peak_mb"] or 0 for case in one["cases"] + resumed["cases"]),
        "cap_mb": MEMORY_GB * 1024,
    }


def two_against_one(folder: Path, rounds: int) -> dict:
    """Wall times in turns, and the ratio of their medians."""
    manifest = write_cases(folder / "in", SPEED_CASES, templates(every=1), broken=False)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(rounds):
        for workers, found in seconds.items():
            found.append(timed(manifest, folder / f"{workers}-{turn}", workers)["seconds"])
    return {
        "seconds_one_worker": seconds[1], "seconds_two_workers": seconds[2],
        "speed_up": statistics.median(seconds[1]) / statistics.median(seconds[2]),
    }  # fmt: skip


def templates(every: int = 2) -> tuple[Volume, Volume] | None:
    """MR and PET templates, thinned along each axis; None for a phantom."""
    data = os.environ.get("MEDFUSION_TEST_DATA")
    if not data:
        return None
    place = Path(data) / "mni_multimodal"
    read = (mf.read_volume(place / "spm_T1.nii.gz", "MR"), mf.read_volume(place / "spm_PET.nii.gz", "PT", "SUVbw"))
    return tuple(thinned(volume, every) for volume in read)


def thinned(volume: Volume, every: int) -> Volume:
    """Every so many-th voxel along each axis."""
    array = np.ascontiguousarray(volume.array[::every, ::every, ::every])
    matrix = volume.geometry.ijk_to_ras @ np.diag([every, every, every, 1.0])
    return replace(volume, array=array, geometry=Geometry(array.shape, matrix))


def command(manifest: Path, out: Path, workers: int) -> list[str]:
    """One core per worker, so that the ratio is that of the workers; no pages, since nothing of them is compared."""
    return [sys.executable, "-m", "MedFusionLib", "batch", str(manifest), str(out), "--method", "laplacian", "--json",
            "--workers", str(workers), "--memory", str(MEMORY_GB), "--no-reports"]  # fmt: skip


def environment() -> dict:
    """One thread per process."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}


def timed(manifest: Path, out: Path, workers: int) -> dict:
    """The document of a run to its end, with its wall time."""
    started = time.monotonic()
    done = subprocess.run(
        command(manifest, out, workers), capture_output=True, text=True, check=False, env=environment()
    )
    return {**json.loads(done.stdout), "seconds": time.monotonic() - started}


def killed(manifest: Path, out: Path, good: int) -> list[int]:
    """Start and kill -9 three times, each a random moment after some more cases; how many were done at each."""
    chance, done = random.Random(SEED), []
    for number in range(1, KILLS + 1):
        process = subprocess.Popen(
            command(manifest, out, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
        )
        while process.poll() is None and finished(out) < number * good // (KILLS + 1):
            time.sleep(0.05)
        time.sleep(5 * chance.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(finished(out))
        time.sleep(1)
    return done


def finished(out: Path) -> int:
    """Cases with a complete folder."""
    return len(list(out.glob("sub-*/case.json")))


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
