"""Many cases: find them, fuse them in processes of their own, resume, report.

`plan_batch` says what would be done, `run_batch` does it.
"""

from __future__ import annotations

import importlib

_PUBLIC = {"plan_batch": "discovery", "run_batch": "run", "Plan": "plan", "Wishes": "plan", "BatchReport": "run"}

__all__ = list(_PUBLIC)


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
