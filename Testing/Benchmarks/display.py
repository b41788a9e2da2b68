"""How long a person waits for a picture: ``python Testing/Benchmarks/display.py [--quick] [--out FILE]``.

Two scalar volumes of 512 x 512 x 300 in two layers, one slice view of 800 x 800 pixels, drawn offscreen: from the
change of opacity or slice to the new pixels in memory. Medians of many changes, by the clock and in processor time,
which other programs on the machine do not lengthen; the limits hold for the smaller of the two. Software OpenGL on
one core is the slowest machine that a person would use. Exits 1 when a limit is missed. Needs slicer-core and an
OpenGL library.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "MedFusion")]

SHAPE, QUICK_SHAPE = (300, 512, 512), (20, 64, 64)
PIXELS = 800
CHANGES, QUICK_CHANGES = 41, 3
LIMITS_MS = {
    "opacity": 60.0, "axial slice": 150.0, "coronal slice": 150.0, "sagittal slice": 150.0,
    "slice with text and legend": 150.0,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table; 0 when every limit holds."""
    parser = argparse.ArgumentParser(description="MedFusion: time from a change to its picture")
    parser.add_argument("--quick", action="store_true", help="small volumes, to see that it runs; no limits")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args(arguments)
    medians = measured(quick=options.quick)
    print(as_markdown(medians))
    if options.out:
        options.out.write_text(json.dumps(medians, indent=1) + "\n", encoding="utf-8")
    late = [] if options.quick else missed(medians)
    if late:
        print("Limit missed: " + ", ".join(late), file=sys.stderr)
    return 1 if late else 0


def measured(*, quick: bool) -> dict[str, list[float]]:
    """Median milliseconds by the clock and of the processor, by change; empty without an OpenGL library."""
    from MedFusionScene.gl import offscreen_problem

    problem = offscreen_problem()
    if problem:
        print(problem, file=sys.stderr)
        return {}
    found = measure(QUICK_SHAPE, QUICK_CHANGES) if quick else measure(SHAPE, CHANGES)
    return {name: [statistics.median(one) for one in zip(*times)] for name, times in found.items()}


def as_markdown(medians: dict[str, list[float]]) -> str:
    """One row per change."""
    rows = ["| change | median ms | processor ms | limit ms |", "|---|---|---|---|"]
    rows += [f"| {name} | {wall:.1f} | {busy:.1f} | {LIMITS_MS[name]:g} |" for name, (wall, busy) in medians.items()]
    return "\n".join(rows)


def missed(medians: dict[str, list[float]]) -> list[str]:
    """Changes whose picture comes too late by the smaller of both times."""
    return [name for name, both in medians.items() if min(both) > LIMITS_MS[name]]


def measure(shape: tuple[int, int, int], changes: int) -> dict[str, list[tuple]]:
    """Milliseconds of every change by the clock and of the processor, by kind."""
    from MedFusionScene.display import set_layers
    from MedFusionScene.headless import HeadlessApplication
    from MedFusionScene.slice_view import SliceView

    found = {}
    with HeadlessApplication() as application:
        below, above = _volumes(application.scene, shape)
        for plane in ("Axial", "Coronal", "Sagittal"):
            view = SliceView(application.application_logic, application.scene, (PIXELS, PIXELS), plane, plane)
            set_layers(view.composite, below, above, 0.5)
            view.look_at((0, 0, 0), (0, 0, 0), shape[1])
            view.picture()
            steps = np.linspace(-0.3, 0.3, changes) * min(shape)
            if plane == "Axial":
                found["opacity"] = _opacities(view, changes)
                found["slice with text and legend"] = _annotated_slices(view, steps, application, above)
            found[f"{plane.lower()} slice"] = _slices(view, steps)
            view.close()
    return found


def _opacities(view, changes: int) -> list[tuple]:
    from MedFusionScene.display import set_opacity

    return [_milliseconds(partial(set_opacity, view.composite, one), view) for one in np.linspace(0.1, 0.9, changes)]


def _slices(view, steps) -> list[tuple]:
    return [_milliseconds(partial(view.node.JumpSliceByOffsetting, s, s, s), view) for s in steps.tolist()]


def _annotated_slices(view, steps, application, volume) -> list[tuple]:
    from MedFusionScene.annotation import Annotations
    from MedFusionScene.legends import show_legend

    annotations = Annotations(application.application_logic)
    annotations.refresh()
    legend = show_legend(volume)
    view.picture()
    found = _slices(view, steps)
    annotations.remove()
    application.scene.RemoveNode(legend)
    return found


def _volumes(scene, shape: tuple[int, int, int]) -> tuple:
    """CT and PET of noise on a ramp, on the same grid of 1 mm."""
    from MedFusionLib import units
    from MedFusionLib.intensity import Window
    from MedFusionLib.volume import Geometry, Volume
    from MedFusionScene.display import show_colours, show_window
    from MedFusionScene.nodes import node_from_volume

    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    random = np.random.default_rng(0)
    made = []
    for modality, unit, high, table in (
        ("CT", units.HOUNSFIELD, 1000.0, "grey"), ("PT", units.SUV_BODY_WEIGHT, 10.0, "inferno"),
    ):  # fmt: skip
        array = random.random(shape, dtype=np.float32) * np.float32(high)
        made.append(node_from_volume(Volume(array, Geometry(shape, matrix), modality, unit, modality), scene))
        show_window(made[-1], Window(0.0, high))
        show_colours(made[-1], table)
    return tuple(made)


def _milliseconds(change, view) -> tuple[float, float]:
    start = time.perf_counter(), time.process_time()
    change()
    view.picture()
    return 1000 * (time.perf_counter() - start[0]), 1000 * (time.process_time() - start[1])


if __name__ == "__main__":
    sys.exit(main())
