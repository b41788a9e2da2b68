"""How often the verdict notices that images do not line up: ``python Testing/Benchmarks/verdict.py [--rounds N]``.

Takes real pairs that line up, cuts a little off, adds noise, moves one of them by a known amount in a
random direction, and counts verdicts other than "pass". Prints Markdown tables; ``--keep FILE`` goes on
where a run was stopped, ``--table FILE`` writes the tables, which
``tools/marked.py Docs/alignment.md verdict FILE`` puts into their place.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from aligned_pairs import (
    brain_pairs,
    data_folder,
    moved,
    picture_pairs,
    random_direction,
    rotation,
    shift,
    varied,
    wilson,
)
from journal import Journal

from MedFusionLib.align import check_alignment
from MedFusionLib.volume import Case

SHIFTS_MM = (2.0, 4.0, 5.0, 6.0, 8.0, 15.0, 30.0)
ROTATIONS_DEG = (2.0, 4.0, 5.0, 6.0, 8.0, 15.0)
ALIGNED_PER_ROUND = 3
Counts = dict[tuple[str, str, float], list[bool]]


def main(arguments: list[str] | None = None) -> None:
    """Run the trials and print the tables."""
    parser = argparse.ArgumentParser(description="Detection rate of the registration verdict")
    parser.add_argument("--rounds", type=int, default=8, help="per group and amount")
    parser.add_argument("--table", type=Path, help="file that the table is written to")
    parser.add_argument("--keep", type=Path, help="file of trials done")
    options = parser.parse_args(arguments)
    journal = Journal(options.keep)
    folder = data_folder()
    groups = defaultdict(list)
    for pair in (*brain_pairs(folder), *picture_pairs(folder)):
        groups[pair.group].append(pair)
    counts: Counts = defaultdict(list)
    for number in range(options.rounds):
        for pairs in groups.values():
            one_round(pairs, number, counts, journal)
        print(as_markdown(counts) + f"\n({number + 1} rounds)\n", flush=True)
    if options.table:
        options.table.write_text(as_markdown(counts) + "\n", encoding="utf-8")


def one_round(pairs: list, number: int, counts: Counts, journal: Journal) -> None:
    """Every amount once, each with the next pair of the group."""
    amounts = [("aligned", 0.0)] * ALIGNED_PER_ROUND
    amounts += [("shift", s) for s in SHIFTS_MM] + [("rotation", r) for r in ROTATIONS_DEG]
    for place, (kind, amount) in enumerate(amounts):
        pair = pairs[(number * len(amounts) + place + number) % len(pairs)]
        key = (pair.group, pair.name, number, place)
        seed = [number, place, *pair.name.encode()]
        noticed = journal.once(key, trial, pair, kind, amount, seed)
        counts[(pair.group, kind, amount)].append(noticed)


def trial(pair, kind: str, amount: float, seed: list[int]) -> bool:
    """Whether a movement of that kind and size is noticed."""
    rng = np.random.default_rng(seed)
    centre = pair.moving.geometry.to_ras(np.array(pair.moving.geometry.shape[::-1]) / 2)
    direction = random_direction(rng, in_plane=pair.in_plane and kind != "rotation")
    axis = np.array([0, 0, rng.choice((-1, 1))]) if pair.in_plane else direction
    matrix = rotation(amount * axis, centre) if kind == "rotation" else shift(amount * direction)
    case = Case([varied(pair.reference, rng), moved(varied(pair.moving, rng), matrix)])
    return check_alignment(case).status != "pass"


def as_markdown(counts: Counts) -> str:
    """One row per amount, one column per group: noticed / tried."""
    groups = list(dict.fromkeys(group for group, _, _ in counts))
    rows = ["| moved by | " + " | ".join(groups) + " |", "|---" * (len(groups) + 1) + "|"]
    for kind, amount in dict.fromkeys((kind, amount) for _, kind, amount in counts):
        words = {"aligned": "not at all", "shift": f"{amount:g} mm", "rotation": f"{amount:g} degrees"}[kind]
        rows.append(f"| {words} | " + " | ".join(_cell(counts[(group, kind, amount)]) for group in groups) + " |")
    rows += ["", "| what | noticed | share | 95 % interval |", "|---|---|---|---|"]
    for title, hits in _summary(counts):
        low, high = wilson(sum(hits), len(hits))
        share = sum(hits) / max(1, len(hits))
        rows.append(f"| {title} | {sum(hits)} of {len(hits)} | {share:.1%} | {low:.1%} to {high:.1%} |")
    return "\n".join(rows)


def _summary(counts: Counts):
    """Title and outcomes, per group and for all of them together."""
    for title in ("aligned", "shift", "rotation"):
        yield f"all: {title}", [h for (g, k, a), found in counts.items() if _counts(g, k, a, title) for h in found]
    for group in dict.fromkeys(group for group, _, _ in counts):
        least_mm = 6.0 if group.startswith("atlas") else 5.0
        for kind, least in (("aligned", 0.0), ("shift", least_mm), ("rotation", 5.0)):
            hits = [h for (g, k, a), found in counts.items() if g == group and k == kind and a >= least for h in found]
            words = {"aligned": "aligned (false alarms)", "shift": f"shifts from {least:g} mm",
                     "rotation": "rotations from 5 degrees"}[kind]  # fmt: skip
            yield f"{group}: {words}", hits


def _counts(group: str, kind: str, amount: float, title: str) -> bool:
    least = {"aligned": 0.0, "shift": 6.0 if group.startswith("atlas") else 5.0, "rotation": 5.0}[title]
    return kind == title and amount >= least


def _cell(hits: list[bool]) -> str:
    return f"{sum(hits)}/{len(hits)}"


if __name__ == "__main__":
    main()
