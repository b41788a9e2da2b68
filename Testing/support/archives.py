"""Unpack archives of real data for a test."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(data_folder: Path, destination: Path, name: str) -> Path:
    """Unpack one archive of the data folder; the destination is handed back."""
    with tarfile.open(data_folder / name) as archive:
        archive.extractall(destination, filter="data")
    return destination
