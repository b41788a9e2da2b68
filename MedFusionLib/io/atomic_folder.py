"""Folders that appear whole, and take the place of an older one at once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_CURRENT_FOLDER, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of renameat2(2)."""


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside the target that takes its place when the block ends well.

    On Linux both names are exchanged in one step: whenever the process is killed, the target is the old or the new
    folder. Elsewhere a process killed within that moment leaves the old one as ``.partial-*/old``.

    Raises
    ------
    OSError
        As the system says; the target is then as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=folder.parent))
    try:
        temporary = holder / "new"
        temporary.mkdir(mode=0o755)
        yield temporary
        if not folder.exists():
            temporary.rename(folder)
        elif not _exchange(temporary, folder):
            _replace(temporary, folder, holder / "old")
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left beside this target; nobody else may be writing it."""
    for leftover in folder.parent.glob(f".partial-{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; whether the system could."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) == 0


def _replace(temporary: Path, folder: Path, aside: Path) -> None:
    folder.rename(aside)
    try:
        temporary.rename(folder)
    except BaseException:
        aside.rename(folder)
        raise
