"""Run the benchmarks: ``python Testing/Benchmarks/run.py [--quick] [--only speed|cost|quality|display] [--out DIR]``.

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
sys.path[:0] = [str(PROJECT), str(PROJECT / "MedFusion"), str(PROJECT / "Testing" / "support")]

SUITES = ("speed", "cost", "quality", "display")
REPEATS = 5


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 when every gate holds."""
    parser = argparse.ArgumentParser(description="MedFusion benchmarks: ratios against public implementations")
    parser.add_argument("--quick", action="store_true", help="small volumes, to see that everything runs; no gates")
    parser.add_argument("--only", choices=SUITES, help="one suite")
    parser.add_argument("--pairs", type=int, default=4, metavar="N", help="picture pairs per set (quality)")
    parser.add_argument("--methods", nargs="+", default=[], help="only these (quality, cost)")
    parser.add_argument("--out", type=Path, help="folder for results.json and results.md")
    options = parser.parse_args(arguments)

    data = os.environ.get("MEDFUSION_TEST_DATA")
    if options.only == "quality" and not data:
        print("No data: set MEDFUSION_TEST_DATA to the folder with aanlib2d and volumes", file=sys.stderr)
        return 2
    wanted = (options.only,) if options.only else SUITES
    speed = run_speed(quick=options.quick) if "speed" in wanted else []
    costs = run_cost(options.methods) if "cost" in wanted and not options.quick else []
    results, pictures = {}, {}
    if "quality" in wanted and data:
        results, pictures = run_quality(Path(data), options.pairs, options.methods)
    pictures_ms = run_display(quick=options.quick) if "display" in wanted else {}
    report = _report(speed, costs, results, pictures_ms)
    print(report)
    if options.out:
        record = {
            "machine": machine(), "quick": options.quick, "methods": options.methods,
            "speed": [c.as_json() for c in speed], "cost": [vars(c) for c in costs], "quality": results,
            "display_ms": pictures_ms,
        }  # fmt: skip
        _write(options.out, record, pictures, report)
    missed = [c.name for c in speed if c.difference > c.tolerance or (not options.quick and not c.passed)]
    missed += [] if options.quick else display_missed(pictures_ms)
    if missed:
        print("Gate missed: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


def _report(speed: list, costs: list, results: dict, pictures_ms: dict) -> str:
    import cost
    import display
    import quality

    parts = [as_markdown(speed)] if speed else []
    parts += [cost.as_markdown(costs)] if costs else []
    parts += [display.as_markdown(pictures_ms)] if pictures_ms else []
    return "\n\n".join([*parts, quality.as_markdown(results)] if results else parts)


def _write(folder: Path, record: dict, pictures: dict, report: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(report + "\n", encoding="utf-8")
    if pictures:
        from quality import contact_sheet

        contact_sheet(pictures, folder / "contact_sheet.png")


def run_cost(methods: list[str]) -> list:
    """Seconds and memory of every method, or of some."""
    import cost
    import torch
    from speed import phantom

    torch.set_num_threads(1)
    return cost.measure([phantom(cost.SHAPE, seed) for seed in (1, 2)], methods)


def run_display(*, quick: bool) -> dict:
    """Milliseconds from a change to its picture; empty where nothing can be drawn."""
    import importlib.util

    import display

    if importlib.util.find_spec("slicer") is None:
        print("No pictures timed: slicer-core is not installed", file=sys.stderr)
        return {}
    return display.measured(quick=quick)


def display_missed(pictures_ms: dict) -> list[str]:
    """Changes whose picture comes too late."""
    import display

    return display.missed(pictures_ms)


def run_quality(data: Path, pairs: int, methods: list[str]) -> tuple[dict, dict]:
    """Metrics of every method, or of some, on real data, and pictures."""
    from quality import measure

    return measure(data, pairs, methods)


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
        f"| {c.name} | {c.seconds:.3f} | {c.baseline} | {c.baseline_seconds:.3f} "
        f"| {c.ratio:.{1 if c.ratio >= 1 else 2}f} | {c.gate:g} | {c.difference:.1e} |"
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
