"""A process that runs cases one after the other: ``python -m MedFusionLib.batch.worker``.

It speaks JSON lines. Standard input: first ``{"plan": ..., "memory_mb": ...}``, then ``{"case": ...}`` and, at any
time, ``{"cancel": true}``. Standard output: ``{"progress": [done, total]}``, then ``{"record": ...}`` or
``{"cancelled": true}``.
When its input ends, the process ends: none is left behind by a parent that was killed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

STEP_PERCENT = 1


def main() -> int:
    """Serve until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not end up between the answers
    work: queue.SimpleQueue = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(work, stop), daemon=True).start()
    start = work.get()
    _limit_memory(start.get("memory_mb"))

    from MedFusionLib.batch.plan import case_from_json, plan_from_json
    from MedFusionLib.batch.work import run_case
    from MedFusionLib.errors import Cancelled

    plan = plan_from_json(start["plan"])
    while True:
        case = case_from_json(work.get()["case"])
        told = [0]

        def progress(done: int, total: int, told=told) -> None:
            percent = 100 * done // max(total, 1)
            if percent >= told[0] + STEP_PERCENT:
                told[0] = percent
                _say(out, {"progress": [percent, 100]})

        try:
            _say(out, {"record": run_case(plan, case, progress, stop.is_set)})
        except Cancelled:
            _say(out, {"cancelled": True})


def _listen(work: queue.SimpleQueue, stop: threading.Event) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("cancel"):
            stop.set()
        else:
            work.put(message)
    os._exit(0)  # the parent is gone: no handler of a library may hold this process


def _say(out, message: dict) -> None:
    from MedFusionLib.io.plain import plain

    out.write(json.dumps(plain(message)) + "\n")
    out.flush()


def _limit_memory(megabytes: float | None) -> None:
    """Let allocations beyond the cap fail, where the system has such a limit (Linux: RLIMIT_DATA)."""
    if not megabytes or not sys.platform.startswith("linux"):
        return
    import resource

    cap = int(megabytes * (1 << 20))
    resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))


if __name__ == "__main__":
    sys.exit(main())
