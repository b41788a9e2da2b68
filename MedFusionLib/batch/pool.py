"""Worker processes: one case each at a time, started again when they die."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from MedFusionLib.batch.plan import Plan, PlannedCase
from MedFusionLib.batch.work import failed, save_outcome
from MedFusionLib.errors import Cancelled

ATTEMPTS = 2
DIED = 7
"""Exit code for a case whose process died twice: nearly always the system took its memory."""
_PACKAGE_FOLDER = Path(__file__).resolve().parents[2]


class WorkerDied(Exception):
    """The process ended while it had a case."""


class Worker:
    """A process for cases of one plan; a context manager.

    Parameters
    ----------
    plan : Plan
        What is wished.
    memory_mb : float or None
        Most memory that it may allocate.
    """

    def __init__(self, plan: Plan, memory_mb: float | None = None) -> None:
        self._start = {"plan": {**plan.as_json(), "cases": []}, "memory_mb": memory_mb}
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error) -> None:
        self._end()

    def run(self, case: PlannedCase, progress: Callable[[int, int], None]) -> dict:
        """The record of a case.

        Raises
        ------
        WorkerDied
            When the process ended before it answered; the next call starts another one.
        Cancelled
            When `cancel` was called meanwhile.
        """
        if self._process is None:
            self._launch()
        try:
            self._tell({"case": asdict(case)})
            for line in self._process.stdout:
                answer = json.loads(line)
                if "record" in answer:
                    return answer["record"]
                if "cancelled" in answer:
                    raise Cancelled()
                progress(*answer["progress"])
        except (BrokenPipeError, ValueError) as error:  # a line that was cut off
            self._end()
            raise WorkerDied() from error
        self._end()
        raise WorkerDied()

    def cancel(self) -> None:
        """Ask the case that runs to stop."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._tell({"cancel": True})

    def _launch(self) -> None:
        paths = [str(_PACKAGE_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "OPENBLAS_NUM_THREADS": "1"}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **threads}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "MedFusionLib.batch.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=environment,
        )  # fmt: skip
        self._tell(self._start)

    def _tell(self, message: dict) -> None:
        with self._lock:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError, ValueError):
            process.stdin.close()  # it ends by itself when nobody can ask any more
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def run_guarded(worker: Worker, plan: Plan, case: PlannedCase, progress: Callable[[int, int], None]) -> dict:
    """The record of a case whose worker may die: it is run again once, then reported as failed.

    Raises
    ------
    Cancelled
        As `Worker.run`.
    """
    for _attempt in range(ATTEMPTS):
        with contextlib.suppress(WorkerDied):
            return worker.run(case, progress)
    record = failed(case, {
        "code": DIED, "message": f"Its process was killed or crashed {ATTEMPTS} times",
        "hint": "Probably memory: fewer workers, or smaller sources; the log ends where it happened",
    })  # fmt: skip
    save_outcome(plan, record)
    return record
