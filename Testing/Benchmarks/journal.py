"""Outcomes of trials in a file, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


class Journal:
    """One line of JSON per trial, appended as soon as it is known.

    Parameters
    ----------
    path : Path or None
        Where the lines are kept; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._known = path, {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                key, outcome = json.loads(line)
                self._known[tuple(key)] = outcome

    def once(self, key: tuple, trial: Callable, *arguments):
        """What the trial of that name gave: as written down, or done now."""
        if key not in self._known:
            self._known[key] = outcome = trial(*arguments)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, outcome]) + "\n")
        return self._known[key]
