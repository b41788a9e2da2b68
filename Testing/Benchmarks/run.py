"""Run the benchmarks: ``python Testing/Benchmarks/run.py [--quick] [--only speed|quality] [--out DIR]``.

Every figure of speed is a ratio of two medians taken in this process, one thread each, so that the speed of
the machine cancels. Prints a Markdown table; with ``--out`` also writes results.json and
results.md. Exits 1 when a gate is missed. Quality needs a folder with real data (MEDFUSION_TEST_DATA);
its contact sheet lands in ``--out`` as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    # read by the numerical libraries when they are first imported
    os.environ[variable] = "1"
PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "Testing" / "support")]

SUITES = ("speed", "quality")
REPEATS = 5


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 when every gate holds."""
    parser = argparse.ArgumentParser(description="MedFusion benchmarks: ratios against public implementations")
    parser.add_argument("--quick", action="store_true", help="small volumes, to see that everything runs; no gates")
    parser.add_argument("--only", choices=SUITES, help="one suite")
    parser.add_argument("--pairs", type=int, default=4, metavar="N", help="picture pairs per set (quality)")
    parser.add_argument("--out", type=Path, help="folder for results.json and results.md")
    options = parser.parse_args(arguments)

    speed = [] if options.only == "quality" else run_speed(quick=options.quick)
    data = os.environ.get("MEDFUSION_TEST_DATA")
    results, pictures = {}, {}
    if options.only != "speed" and data:
        from quality import measure

        results, pictures = measure(Path(data), options.pairs)
    elif options.only == "quality":
        print("No data: set MEDFUSION_TEST_DATA to the folder with aanlib2d and volumes", file=sys.stderr)
        return 2
    report = _report(speed, results)
    print(report)
    if options.out:
        _write(options.out, options.quick, speed, results, pictures, report)
    missed = [c.name for c in speed if c.difference > c.tolerance or (not options.quick and not c.passed)]
    if missed:
        print("Gate missed: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


def _report(speed: list, results: dict) -> str:
    from quality import as_markdown as quality_table

    return "\n".join(([as_markdown(speed)] if speed else []) + ([quality_table(results)] if results else []))


def _write(folder: Path, quick: bool, speed: list, results: dict, pictures: dict, report: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "quick": quick, "speed": [c.as_json() for c in speed], "quality": results}
    (folder / "results.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(report + "\n", encoding="utf-8")
    if pictures:
        from quality import contact_sheet

        contact_sheet(pictures, folder / "contact_sheet.png")


def run_speed(*, quick: bool) -> list:
    """The comparisons of the suite ``speed``."""
    import torch

    torch.set_num_threads(1)
    import reading
    from speed import QUICK_SHAPE, SHAPE, contests

    repeats = 1 if quick else REPEATS
    found = [contest.run(repeats) for contest in contests(QUICK_SHAPE if quick else SHAPE)]
    with tempfile.TemporaryDirectory() as folder:
        series = reading.QUICK_SERIES if quick else reading.SERIES
        files = reading.QUICK_FILES if quick else reading.FILES
        found += [contest.run(repeats) for contest in reading.contests(Path(folder), series, files)]
    return found


def as_markdown(comparisons: list) -> str:
    """One row per comparison."""
    rows = [
        "| what | ours s | baseline | baseline s | times faster | gate | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {c.name} | {c.seconds:.3f} | {c.baseline} | {c.baseline_seconds:.3f} | {c.ratio:.1f} | {c.gate:g} "
        f"| {c.difference:.1e} |"
        for c in comparisons
    ]
    return "\n".join(rows)


def machine() -> dict:
    """What the figures were taken with."""
    import numpy
    import scipy
    import torch

    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "threads": 1,
    }


if __name__ == "__main__":
    sys.exit(main())
