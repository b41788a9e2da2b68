"""The reading contests: a DICOM series against SimpleITK's reader, headers against a bare loop over pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from timing import Contest

from dicom_writer import Recipe, write_series
from MedFusionLib.io import inspect_path, read_volume

SERIES, QUICK_SERIES = (300, 512, 512), (10, 64, 64)
FILES, QUICK_FILES = 3000, 60
FILES_PER_SERIES = 30


def contests(folder: Path, series: tuple[int, int, int], files: int) -> list[Contest]:
    """Both contests, on files written into a folder."""
    write_series(folder / "ct", Recipe(shape=series))
    for number in range(files // FILES_PER_SERIES):
        write_series(folder / "study" / str(number), Recipe(shape=(FILES_PER_SERIES, 16, 16)))
    return [
        Contest(
            f"DICOM series of {series[0]} x {series[1]} x {series[2]}", "SimpleITK",
            lambda: read_volume(folder / "ct").array, lambda: _by_simpleitk(folder / "ct"), _largest, gate=1 / 1.5,
            tolerance=0.0,
        ),
        Contest(
            f"Headers of {files} DICOM files", "pydicom.dcmread",
            lambda: sum(entry["files"] for entry in inspect_path(folder / "study")),
            lambda: _headers(folder / "study"), lambda one, other: abs(one - other), gate=1 / 6, tolerance=0.0,
        ),
    ]  # fmt: skip


def _by_simpleitk(folder: Path) -> np.ndarray:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def _headers(folder: Path) -> int:
    import pydicom

    return sum("Rows" in pydicom.dcmread(path, stop_before_pixels=True) for path in folder.rglob("*.dcm"))


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(max(np.abs(a - b).max() for a, b in zip(one, other)))
