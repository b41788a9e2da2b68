"""Run a batch on the workers of one machine, or on a cluster."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from MedFusionLib.batch.derivatives import describe_data_set
from MedFusionLib.batch.group import write_group
from MedFusionLib.batch.plan import Plan, PlannedCase
from MedFusionLib.batch.pool import Worker, run_guarded
from MedFusionLib.batch.work import failed
from MedFusionLib.errors import Cancelled, UsageError

POLL_SECONDS = 0.05
STOPPED = {"code": Cancelled.exit_code, "message": "Not run: the batch was stopped", "hint": "Run it again to go on"}


@dataclass(frozen=True)
class Event:
    """What a batch says while it runs.

    Parameters
    ----------
    case : str
        Name of the case.
    percent : int
        How far the case is; 100 with its `record`.
    record : dict or None
        What became of it, when it is done.
    done, total : int
        Cases done, and all.
    seconds_left : float or None
        For the whole batch; None before the first case is done.
    """

    case: str
    percent: int
    record: dict | None
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True)
class BatchReport:
    """What became of all cases.

    Parameters
    ----------
    cases : tuple of dict
        Records in the order of the plan, see `work.run_case`.
    seconds : float
        Wall time.
    was_stopped : bool
        Whether it was cancelled, or ended by the first failure.
    """

    cases: tuple[dict, ...]
    seconds: float
    was_stopped: bool

    def counts(self) -> dict[str, int]:
        """Cases by status."""
        return {status: sum(case["status"] == status for case in self.cases) for status in ("ok", "warning", "failed")}

    def as_json(self) -> dict:
        """The JSON document of ``medfusion batch``."""
        keys = ("id", "status", "code", "reason", "hint", "seconds", "peak_mb", "resumed", "warnings", "folder")
        cases = [{key: case[key] for key in keys} for case in self.cases]
        return {"cases": cases, **self.counts(), "seconds": self.seconds, "stopped": self.was_stopped}


def run_batch(
    plan: Plan,
    progress: Callable[[Event], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    workers: int = 1,
    memory_mb: float | None = None,
    fail_fast: bool = False,
    scheduler: str | None = None,
) -> BatchReport:
    """Run every case of a plan, each in a process of its own kind; one never takes another down.

    Parameters
    ----------
    plan : Plan
        From `plan_batch`.
    progress : callable
        ``progress(event)`` with an `Event`, in the calling thread.
    cancelled : callable
        Asked about twenty times a second in the calling thread; a true answer stops the batch. What is done stays.
    workers : int
        Processes on this machine, or cases at once on a cluster.
    memory_mb : float or None
        Most memory each process may allocate (Linux).
    fail_fast : bool
        Stop at the first case that fails.
    scheduler : str or None
        Address of a Dask scheduler, or ``local`` for a Dask cluster on this machine; None for plain processes.

    Returns
    -------
    BatchReport
        The records; the tables and the page of the group are written as well.

    Raises
    ------
    UsageError
        For fewer than one worker.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers", "at least one")
    started = time.monotonic()
    describe_data_set(plan)
    crew = _Crew(plan, workers, memory_mb, scheduler, fail_fast=fail_fast)
    try:
        found = _collect(crew, plan, progress or (lambda event: None), cancelled or (lambda: False))
    finally:
        crew.close()
    records = tuple(found.get(case.id) or failed(case, STOPPED) for case in plan.cases)
    write_group(plan)
    return BatchReport(records, time.monotonic() - started, crew.was_stopped)


class _Crew:
    """Threads that each feed one worker from one list of cases."""

    def __init__(
        self, plan: Plan, count: int, memory_mb: float | None, scheduler: str | None, *, fail_fast: bool
    ) -> None:
        self.plan = plan
        self._fail_fast = fail_fast
        self.events: queue.SimpleQueue = queue.SimpleQueue()
        self._cases: queue.SimpleQueue = queue.SimpleQueue()
        for case in plan.cases:
            self._cases.put(case)
        self._stop = threading.Event()
        self._cluster = None
        if scheduler:
            from MedFusionLib.batch.cluster import ClusterWorkers

            self._cluster = ClusterWorkers(plan, scheduler, count, memory_mb)
            made: Sequence = self._cluster.workers
        else:
            made = [Worker(plan, memory_mb) for _ in range(min(count, len(plan.cases)))]
        self._workers = made
        self.threads = [threading.Thread(target=self._feed, args=(worker,), daemon=True) for worker in made]

    @property
    def was_stopped(self) -> bool:
        """Whether cases were left out."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Take no further case, and stop those that run."""
        self._stop.set()
        for worker in self._workers:
            worker.cancel()

    def close(self) -> None:
        """End what is left when nobody waits for it any more, and leave the cluster."""
        if any(thread.is_alive() for thread in self.threads):  # an error of the caller's own functions
            self.stop()
        if self._cluster is not None:
            self._cluster.close()

    def _feed(self, worker: Worker) -> None:
        with worker:
            while not self._stop.is_set():
                try:
                    case: PlannedCase = self._cases.get_nowait()
                except queue.Empty:
                    return
                try:
                    record = run_guarded(worker, self.plan, case, lambda done, total, name=case.id: self.events.put(
                        (name, 100 * done // max(total, 1), None)))  # fmt: skip
                except Cancelled:
                    return
                self.events.put((case.id, 100, record))
                if self._fail_fast and record["status"] == "failed":
                    self.stop()


def _collect(crew: _Crew, plan: Plan, progress, cancelled) -> dict[str, dict]:
    """Records by case; events are handed on in this thread."""
    found: dict[str, dict] = {}
    started = time.monotonic()
    for thread in crew.threads:
        thread.start()
    while any(thread.is_alive() for thread in crew.threads) or not crew.events.empty():
        try:
            name, percent, record = crew.events.get(timeout=POLL_SECONDS)
        except queue.Empty:
            name = None
        if name is not None:
            if record is not None:
                found[name] = record
            progress(Event(name, percent, record, len(found), len(plan.cases), _left(started, found, plan)))
        if not crew.was_stopped and cancelled():
            crew.stop()
    return found


def _left(started: float, found: dict, plan: Plan) -> float | None:
    fresh = sum(not record["resumed"] for record in found.values())
    if not fresh:
        return None
    return (time.monotonic() - started) / fresh * (len(plan.cases) - len(found))
