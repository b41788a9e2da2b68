"""What a plan will cost: time and disk."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.batch.group import records_of
from MedFusionLib.batch.plan import Plan, PlannedCase
from MedFusionLib.methods.catalogue import methods

BYTES_PER_VOXEL = 12
"""Fused, invention and colour of one voxel, before compression; each source adds 5 (itself and its share)."""
BYTES_PER_SOURCE = 5
SECONDS_PER_MEGAVOXEL = {"fast": 1.5, "slow": 60.0}
"""Of the whole way for one method on one core: reading, verdict, fusion, maps, metrics, pictures."""


def estimate(plan: Plan, workers: int) -> dict:
    """Minutes, disk in GB, and what the minutes rest on, for the cases that can be run."""
    cases = [case for case in plan.cases if case.problem is None]
    voxels = sum(_voxels(case) for case in cases)
    slow = {info.name for info in methods() if not info.is_fast}
    names = plan.wishes.methods or ("",)
    measured = _seconds_per_voxel(plan)
    if measured is not None:
        seconds, basis = voxels * measured, "by the cases done before"
    else:
        each = [SECONDS_PER_MEGAVOXEL["slow" if name in slow else "fast"] for name in names]
        seconds, basis = voxels / 1e6 * sum(each), "a rough guess from the number of voxels"
    size = sum(_voxels(case) * (BYTES_PER_VOXEL + BYTES_PER_SOURCE * len(case.sources)) for case in cases) * len(names)
    return {"minutes": seconds / 60 / max(workers, 1), "disk_gb": size / 1e9, "basis": basis}


def _voxels(case: PlannedCase) -> int:
    """Of the reference, which gives the grid."""
    return case.sources[0].voxels


def _seconds_per_voxel(plan: Plan) -> float | None:
    """Of cases of this plan that were run before by as many methods."""
    voxels = {case.id: _voxels(case) for case in plan.cases if case.problem is None}
    done = [(record["seconds"], voxels[record["id"]]) for record in records_of(Path(plan.out))
            if voxels.get(record["id"]) and not record["resumed"]
            and set(record["methods"]) == set(plan.wishes.methods)]  # fmt: skip
    return sum(s for s, _ in done) / sum(v for _, v in done) if done else None
