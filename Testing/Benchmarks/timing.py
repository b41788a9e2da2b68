"""Time two ways of doing one thing in one process, alternating, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Comparison:
    """Speed of ours against a baseline, and how far the results lie apart.

    Parameters
    ----------
    name, baseline : str
        What was timed, and against what.
    seconds, baseline_seconds : float
        Medians.
    ratio : float
        Median over the rounds of baseline time by our time; above 1 ours is faster.
    gate : float
        Least ratio that is accepted.
    difference : float
        Distance of both results, as the contest defines it.
    tolerance : float
        Largest distance that counts as the same result.
    """

    name: str
    baseline: str
    seconds: float
    baseline_seconds: float
    ratio: float
    gate: float
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Fast enough, with the same result."""
        return self.ratio >= self.gate and self.difference <= self.tolerance

    def as_json(self) -> dict:
        """Plain JSON types."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Contest:
    """Ours and a baseline that should give the same: two functions without arguments.

    Parameters
    ----------
    name, baseline : str
        What is timed, and against what.
    ours, theirs : callable
        Return the result.
    difference : callable
        Distance of both results as a number.
    gate, tolerance : float
        See `Comparison`.
    """

    name: str
    baseline: str
    ours: Callable
    theirs: Callable
    difference: Callable
    gate: float
    tolerance: float

    def run(self, repeats: int) -> Comparison:
        """Median of `repeats` rounds after one round that warms up and compares the results."""
        difference = float(self.difference(self.ours(), self.theirs()))
        rounds = [(_seconds(self.ours), _seconds(self.theirs)) for _ in range(repeats)]
        mine, others = zip(*rounds)
        ratio = statistics.median(other / own for own, other in rounds)
        medians = statistics.median(mine), statistics.median(others)
        return Comparison(self.name, self.baseline, *medians, ratio, self.gate, difference, self.tolerance)


def _seconds(work: Callable) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
