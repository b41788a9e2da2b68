"""Write instances into a folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from MedFusionLib.errors import Cancelled, UsageError
from MedFusionLib.io.write import disk_error

if TYPE_CHECKING:
    from pydicom import Dataset


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not be replaced, before any work.

    Raises
    ------
    UsageError
        When it is a file, holds an export and `overwrite` is not set, or holds anything else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a folder")
    inside = list(folder.iterdir())
    if any(item.suffix != ".dcm" or not item.is_file() for item in inside):
        raise UsageError(f"{folder} holds files that are not an export", "a new or empty folder", "Choose another one")
    if inside and not overwrite:
        raise UsageError(f"{folder} holds an export already", "a new folder", "Choose another one or allow overwriting")


def write_instances(
    instances: Iterable[tuple[str, Dataset]], folder: Path, cancelled: Callable[[], bool] = lambda: False
) -> list[tuple[Path, Dataset]]:
    """Write instances as files of a folder, one after the other, and put the folder in place at the end.

    Parameters
    ----------
    instances : iterable of (str, Dataset)
        File name and object; made one at a time. Pixels are dropped once written.
    folder : Path
        The folder to make; an older one gives way when the new one is complete.
    cancelled : callable
        Asked between instances.

    Returns
    -------
    list of (Path, Dataset)
        Where each instance is, and its header.

    Raises
    ------
    UsageError, ResourcesExhausted
        When it cannot be written, or the disk is full; nothing is left behind.
    Cancelled
        When asked to stop; nothing is left behind.
    """
    staging = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        fresh, written = staging / "new", []
        fresh.mkdir()
        for name, dataset in instances:
            if cancelled():
                raise Cancelled()
            dataset.save_as(fresh / name, enforce_file_format=True)
            for keyword in ("PixelData", "FloatPixelData"):
                if keyword in dataset:
                    del dataset[keyword]
            written.append((folder / name, dataset))
        if folder.exists():
            folder.rename(staging / "old")
        fresh.rename(folder)
        return written
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        if staging is not None:
            _restore(staging, folder)
            shutil.rmtree(staging, ignore_errors=True)


def _restore(staging: Path, folder: Path) -> None:
    """Bring an older export back where the new one did not take its place."""
    if (staging / "old").exists() and not folder.exists():
        os.rename(staging / "old", folder)
