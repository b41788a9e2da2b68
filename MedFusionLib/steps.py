"""Progress, cancel and time between the steps of a fusion."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from MedFusionLib.errors import Cancelled

PROGRESS_TOTAL = 100
PLACED, FUSED, MAPPED = 15, 75, 90


@dataclass(frozen=True)
class Steps:
    """Progress in percent and cancel, between the steps of the pipeline."""

    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]

    @classmethod
    def of(cls, progress: Callable[[int, int], None] | None, cancelled: Callable[[], bool] | None) -> Steps:
        """Steps that tell and ask whoever wants to know."""
        return cls(progress or (lambda done, total: None), cancelled or (lambda: False))

    def reached(self, percent: int) -> None:
        """Tell how far the work is.

        Raises
        ------
        Cancelled
            When the person wants to stop.
        """
        if self.cancelled():
            raise Cancelled()
        self.progress(percent, PROGRESS_TOTAL)


class Clock:
    """Seconds per step."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End the step `name`."""
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now

    def total(self) -> dict[str, float]:
        """Seconds of every step, and in all."""
        return {**self.laps, "total": time.perf_counter() - self.started}
