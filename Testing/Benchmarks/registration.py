"""How well known movements are found: ``python Testing/Benchmarks/registration.py [--rounds N]``.

Moves one volume of a real pair by a random rigid transform, registers it back, and measures the mean
target error over the head: against the position that the pair came in, and against the position
that a registration without any movement ends in. The second is the error of the search alone:
templates and patients are not aligned to a tenth of a millimetre. One group has a truth: its PET is
simulated from the T1. ``--keep FILE`` goes on where a run was stopped, ``--table FILE`` writes the table,
which ``tools/marked.py Docs/alignment.md registration FILE`` puts into its place.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from aligned_pairs import brain_pairs, data_folder, moved, random_direction, rotation, shift, simulated_pair, wilson
from journal import Journal

from MedFusionLib.align import ras_matrix, register, resample_to
from MedFusionLib.align.pose import affine_matrix
from MedFusionLib.volume import Geometry

RANGES = (("up to 20 mm, 15 degrees", 20.0, 15.0), ("up to 60 mm, 15 degrees", 60.0, 15.0))
LIMIT_MM = {"MR-MR": 1.0, "MR-PT": 2.0, "MR-NM": 2.0}
SIMULATED_EVERY = 4


def main(arguments: list[str] | None = None) -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of the registration")
    parser.add_argument("--rounds", type=int, default=40, help="per group and range")
    parser.add_argument("--table", type=Path, help="file that the table is written to")
    parser.add_argument("--keep", type=Path, help="file of trials done")
    parser.add_argument("--affine", action="store_true", help="only time an affine registration of large volumes")
    options = parser.parse_args(arguments)
    if options.affine:
        print(large_affine(), flush=True)
        return
    journal, groups, errors = Journal(options.keep), defaultdict(list), defaultdict(list)
    for pair in brain_pairs(data_folder()):
        groups[pair.group].append(pair)
    simulated = simulated_pair(data_folder())
    groups[simulated.group].append(simulated)
    for number in range(options.rounds):
        for group, pairs in groups.items():
            pair = pairs[number % len(pairs)]
            if pair is simulated and number % SIMULATED_EVERY:
                continue
            for place, (words, most_mm, most_deg) in enumerate(RANGES):
                rng = np.random.default_rng([number, place])
                outcome = journal.once((pair.name, number, place), trial, pair, journal, most_mm, most_deg, rng)
                errors[(group, words)].append(outcome)
        print(as_markdown(errors) + f"\n({number + 1} rounds)\n", flush=True)
    if options.table:
        options.table.write_text(as_markdown(errors) + "\n", encoding="utf-8")


def trial(pair, journal, most_mm: float, most_deg: float, rng) -> tuple[float, float, float]:
    """Mean target error in mm against the given position and against the pair's own, and seconds."""
    points = head(pair.reference)
    own = journal.once((pair.name, "own"), optimum, pair)
    centre = points.mean(axis=0)
    turn = rotation(rng.uniform(0, most_deg) * random_direction(rng), centre)
    matrix = shift(rng.uniform(0, most_mm) * random_direction(rng)) @ turn
    started = time.perf_counter()
    found = ras_matrix(register(pair.reference, moved(pair.moving, matrix)).transform)
    seconds = time.perf_counter() - started
    # both in the moving image's own space
    there = mapped(np.linalg.inv(matrix) @ found, points)
    return mean_distance(there, points), mean_distance(there, mapped(np.array(own), points)), seconds


def optimum(pair) -> list[list[float]]:
    """Where a registration of the pair as it came ends: (4, 4) reference RAS to moving RAS."""
    return ras_matrix(register(pair.reference, pair.moving).transform).tolist()


def large_affine() -> str:
    """Seconds and error of an affine registration of 128 x 128 x 128 voxels to 256 x 256 x 128."""
    pair = next(pair for pair in brain_pairs(data_folder()) if pair.name == "T1-T2")
    reference = resample_to(pair.reference, around(pair.reference.geometry, (128, 256, 256)))
    moving = resample_to(pair.moving, around(pair.moving.geometry, (128, 128, 128)))
    points = head(reference)
    wanted = affine_matrix((9.0, -6.0, 7.0, 6.0, -5.0, 8.0, 5.0, -4.0, 3.0, 2.0, -1.0, 1.0), points.mean(axis=0))
    started, worked = time.perf_counter(), time.process_time()
    found = ras_matrix(register(reference, moved(moving, wanted), "affine").transform)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    error = mean_distance(mapped(np.linalg.inv(wanted) @ found, points), points)
    return (
        f"affine, 256 x 256 x 128 to 128 x 128 x 128 voxels: {seconds:.1f} s ({worked:.1f} s on a core), "
        f"{error:.2f} mm from the given position"
    )


def around(geometry, shape) -> Geometry:
    """A grid of that shape (K, J, I) over the same field of view."""
    matrix = geometry.ijk_to_ras @ np.diag([*np.array(geometry.shape[::-1]) / shape[::-1], 1.0])
    matrix[:3, 3] += matrix[:3, :3] @ np.full(3, 0.5) - geometry.ijk_to_ras[:3, :3] @ np.full(3, 0.5)
    return Geometry(shape, matrix)


def mapped(matrix, points) -> np.ndarray:
    """Points (N, 3) carried by a 4x4."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def head(volume) -> np.ndarray:
    """(N, 3) RAS points of the head."""
    inside = np.argwhere(volume.array > 0.3 * np.percentile(volume.array, 99.5))
    return volume.geometry.to_ras(inside[:: max(1, len(inside) // 2000), ::-1])


def mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance of two sets of points in mm."""
    return float(np.linalg.norm(first - second, axis=1).mean())


def as_markdown(errors: dict) -> str:
    """One row per group and range."""
    rows = ["| pair | movement | n | error to the given position: median, 95th percentile, within the limit | "
            "to the pair's own optimum: median, 95th percentile, within the limit | 95 % interval | s |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    for (group, words), found in errors.items():
        *both, seconds = np.array(found).T
        limit = LIMIT_MM[group.split()[-1]]
        cells = [
            f"{np.median(e):.2f}, {np.percentile(e, 95):.2f} mm, {(e < limit).sum()} of {len(e)} below {limit:g} mm"
            for e in both
        ]
        low, high = wilson(int((both[1] < limit).sum()), len(seconds))
        interval = f"{low:.0%} to {high:.0%}"
        row = (group, words, len(seconds), *cells, interval, f"{np.median(seconds):.0f}")
        rows.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
