"""Let long computations be stopped between two steps.

The engine installs a stop flag in each of its worker threads; whatever computes calls `checkpoint`
between its steps and is stopped there. Outside the engine a checkpoint does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from MedFusionLib.errors import Cancelled

_local = threading.local()


def checkpoint() -> None:
    """Stop here when the person has cancelled.

    Raises
    ------
    Cancelled
        When the stop flag of this thread is set.
    """
    stop = getattr(_local, "stop", None)
    if stop is not None and stop.is_set():
        raise Cancelled()


@contextmanager
def stoppable(stop: threading.Event) -> Iterator[None]:
    """Make `checkpoint` obey `stop` in this thread, for the duration of the block."""
    previous = getattr(_local, "stop", None)
    _local.stop = stop
    try:
        yield
    finally:
        _local.stop = previous
