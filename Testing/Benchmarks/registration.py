"""How well known movements are found: ``python Testing/Benchmarks/registration.py [--rounds N]``.

Moves one volume of a real pair by a random rigid transform, registers it back, and measures the mean
target error over the head: against the position that the pair came in, and against the position
that a registration without any movement ends in. The second is the error of the search alone:
templates and patients are not aligned to a tenth of a millimetre. ``--docs FILE`` puts the table
between the markers of a documentation page.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from aligned_pairs import brain_pairs, data_folder, moved, random_direction, rotation, shift, wilson
from verdict import put_between

from MedFusionLib.align import register
from MedFusionLib.align.transform import map_points

RANGES = (("up to 20 mm, 15 degrees", 20.0, 15.0), ("up to 60 mm, 15 degrees", 60.0, 15.0))
LIMIT_MM = {"MR-MR": 1.0, "MR-PT": 2.0, "MR-NM": 2.0}
MARKERS = ("<!-- registration: begin -->", "<!-- registration: end -->")


def main(arguments: list[str] | None = None) -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of the registration")
    parser.add_argument("--rounds", type=int, default=40, help="per group and range")
    parser.add_argument("--docs", type=Path, help="page that holds the markers")
    options = parser.parse_args(arguments)
    groups, own, errors = defaultdict(list), {}, defaultdict(list)
    for pair in brain_pairs(data_folder()):
        groups[pair.group].append(pair)
    for number in range(options.rounds):
        for group, pairs in groups.items():
            pair = pairs[number % len(pairs)]
            points = head(pair.reference)
            if pair.name not in own:
                own[pair.name] = map_points(register(pair.reference, pair.moving).transform, points)
            for place, (words, most_mm, most_deg) in enumerate(RANGES):
                rng = np.random.default_rng([number, place])
                errors[(group, words)].append(trial(pair, points, own[pair.name], most_mm, most_deg, rng))
        print(as_markdown(errors) + f"\n({number + 1} rounds)\n", flush=True)
    if options.docs:
        put_between(options.docs, as_markdown(errors), MARKERS)


def trial(pair, points, own, most_mm: float, most_deg: float, rng) -> tuple[float, float, float]:
    """Mean target error in mm against the given position and against the pair's own, and seconds."""
    centre = points.mean(axis=0)
    turn = rotation(rng.uniform(0, most_deg) * random_direction(rng), centre)
    matrix = shift(rng.uniform(0, most_mm) * random_direction(rng)) @ turn
    started = time.perf_counter()
    found = register(pair.reference, moved(pair.moving, matrix))
    seconds = time.perf_counter() - started
    # both in the moving image's own space
    back = np.linalg.inv(matrix)
    there = map_points(found.transform, points) @ back[:3, :3].T + back[:3, 3]
    return mean_distance(there, points), mean_distance(there, own), seconds


def head(volume) -> np.ndarray:
    """(N, 3) RAS points of the head."""
    inside = np.argwhere(volume.array > 0.3 * np.percentile(volume.array, 99.5))
    return volume.geometry.to_ras(inside[:: max(1, len(inside) // 2000), ::-1])


def mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance of two sets of points in mm."""
    return float(np.linalg.norm(first - second, axis=1).mean())


def as_markdown(errors: dict) -> str:
    """One row per group and range."""
    rows = ["| pair | movement | n | error to the given position: median, 95th percentile | "
            "to the pair's own optimum: median, 95th percentile | found within the limit | 95 % interval | s |",
            "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for (group, words), found in errors.items():
        given, own, seconds = np.array(found).T
        limit = LIMIT_MM[group.split()[-1]]
        hits = int((own < limit).sum())
        low, high = wilson(hits, len(own))
        rows.append(
            f"| {group} | {words} | {len(own)} | {np.median(given):.2f}, {np.percentile(given, 95):.2f} mm "
            f"| {np.median(own):.2f}, {np.percentile(own, 95):.2f} mm | {hits} of {len(own)} below {limit:g} mm "
            f"| {low:.0%} to {high:.0%} | {np.median(seconds):.0f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
