"""What every method costs: processor seconds for 256 x 256 x 128 voxels on one thread, memory beyond its inputs.

``python Testing/Benchmarks/cost.py convex:volume convex:slice`` measures some at full size, 512 x 512 x 300 voxels.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

import MedFusionLib as mf
from MedFusionLib.engine import EngineOptions, choose_mode, run
from MedFusionLib.methods.catalogue import create_method

SHAPE = (128, 256, 256)
LARGE = (300, 512, 512)
SLOW_SLICES = 2
"""Methods not marked fast are timed on this many slices, or on one group where slices start from each other."""
SAMPLE_SECONDS = 0.01


@dataclass(frozen=True)
class Cost:
    """Cost of one method.

    Parameters
    ----------
    name, mode : str
        Method, and whether it ran in slices or as a volume.
    seconds : float
        Of the processor, for two sources of `SHAPE`, one thread: what else the machine does hardly counts.
    peak_mb : float
        Most memory beyond the sources while it ran, output included.
    scaled : bool
        Whether the seconds are scaled from a few slices (the memory then is that of these slices).
    """

    name: str
    mode: str
    seconds: float
    peak_mb: float
    scaled: bool


def measure(volumes: list[np.ndarray], methods: Sequence[str] = ()) -> list[Cost]:
    """Cost of every method of the catalogue, or of some, on two volumes of `SHAPE`."""
    found = []
    for info in mf.methods():
        if methods and info.name not in methods:
            continue
        mode = choose_mode("auto", info.dims, SHAPE)
        scaled = not info.is_fast and mode == "slice"
        middle = SHAPE[0] // 2
        few = max(SLOW_SLICES, info.slices_together)
        part = slice(middle, middle + few) if scaled else slice(None)
        sources = np.stack([volume[part] for volume in volumes])
        print(f"\r{info.name}                ", end="", file=sys.stderr, flush=True)
        seconds, peak = _run(info.name, sources, mode)
        found.append(Cost(info.name, mode, seconds * SHAPE[0] / sources.shape[1], peak, scaled))
    print(file=sys.stderr)
    return found


def _run(name: str, sources: np.ndarray, mode: str) -> tuple[float, float]:
    process, done, peak = psutil.Process(), threading.Event(), [0]
    _hand_back()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.process_time()
    try:
        run(create_method(name), sources, options=EngineOptions(mode, device="cpu", workers=1))
        return time.process_time() - started, peak[0] / 2**20
    finally:
        done.set()
        watcher.join()


def _hand_back() -> None:
    """Give memory that the method before left free back to the system, so that the next one is seen to take its own."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def main(arguments: list[str] | None = None) -> int:
    """Measure methods on large volumes and print a table."""
    import torch
    from speed import phantom

    parser = argparse.ArgumentParser(description="Cost of methods on two sources of 512 x 512 x 300 voxels")
    parser.add_argument("methods", nargs="+", metavar="NAME:MODE", help="mode is slice or volume")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    sources = np.stack([phantom(LARGE, seed) for seed in (1, 2)])
    print("| method | mode | seconds | memory MB beyond sources and output |\n|---|---|---|---|")
    for each in options.methods:
        name, _, mode = each.partition(":")
        seconds, peak = _run(name, sources, mode)
        print(f"| {name} | {mode} | {seconds:.0f} | {peak - sources[0].nbytes / 2**20:.0f} |", flush=True)
    return 0


def as_markdown(costs: list[Cost]) -> str:
    """One row per method."""
    rows = ["| method | mode | seconds | memory MB |", "|---|---|---|---|"]
    rows += [f"| {c.name} | {c.mode} | {c.seconds:.1f}{' *' if c.scaled else ''} | {c.peak_mb:.0f} |" for c in costs]
    return "\n".join([*rows, "", f"\\* scaled from {SLOW_SLICES} slices or one group, memory of these"])


if __name__ == "__main__":
    sys.exit(main())
