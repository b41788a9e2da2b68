"""Let long computations be stopped between two steps.

The engine installs a stop flag in each of its worker threads; whatever computes calls `checkpoint`
between its steps and is stopped there. Outside the engine a checkpoint does nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from MedFusionLib.errors import Cancelled

_local = threading.local()
_ASK_SECONDS = 0.05


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
def stoppable(stop: threading.Event | _Asker) -> Iterator[None]:
    """Make `checkpoint` obey `stop` in this thread, for the duration of the block."""
    previous = getattr(_local, "stop", None)
    _local.stop = stop
    try:
        yield
    finally:
        _local.stop = previous


@contextmanager
def asking(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Make `checkpoint` ask in this thread, at most twenty times a second, for the duration of the block."""
    with stoppable(_Asker(cancelled)):
        yield


class _Asker:
    """A stop flag that asks a person."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self.cancelled, self.asked = cancelled, 0.0

    def is_set(self) -> bool:
        """Whether the person wants to stop; asked again only after a while."""
        now = time.monotonic()
        if now - self.asked < _ASK_SECONDS:
            return False
        self.asked = now
        return bool(self.cancelled())
