"""What is fuzzed: every reader of files, on bytes that nobody vouches for.

A target takes bytes and returns; any exception that is not MedFusion's own is a finding.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import MedFusionLib.io
from MedFusionLib.errors import MedFusionError
from MedFusionLib.io import inspect_path, read_contours, read_dicom_segmentation, read_registration, read_volume
from MedFusionLib.io.markups import read_roi
from MedFusionLib.io.segmentation_file import read_segmentation
from MedFusionLib.volume import Geometry, Volume

logging.disable(logging.CRITICAL)
_REFERENCE = Volume(np.zeros((3, 4, 5), np.float32), Geometry((3, 4, 5), np.eye(4)))
_TARGETS: dict[str, tuple[Callable[[Path], object], ...]] = {
    ".dcm": (
        read_volume,
        inspect_path,
        read_dicom_segmentation,
        read_registration,
        lambda path: read_contours(path, _REFERENCE),
    ),
    ".nii": (read_volume,),
    ".nii.gz": (read_volume,),
    ".nrrd": (read_volume,),
    ".mha": (read_volume,),
    ".zip": (read_volume,),
    ".seg.nrrd": (read_segmentation,),
    ".mrk.json": (read_roi,),
}
SUFFIXES = tuple(_TARGETS)


def import_everything() -> None:
    """What readers import when they are first called: a fuzzer instruments modules as they are imported."""
    for name in ("highdicom", "nibabel", "pydicom", "MedFusionLib.io.dicom", "MedFusionLib.io.nifti"):
        importlib.import_module(name)
    for module in pkgutil.iter_modules(MedFusionLib.io.__path__, "MedFusionLib.io."):
        if not module.ispkg:
            importlib.import_module(module.name)


def run(data: bytes) -> int:
    """Write bytes under the suffix that the first of them chooses, and read them back in every way.

    Returns
    -------
    int
        How many of the readers accepted the file.

    Raises
    ------
    Exception
        Whatever a reader lets through that is not a `MedFusionError`: a finding.
    """
    if not data:
        return 0
    suffix = SUFFIXES[data[0] % len(SUFFIXES)]
    accepted = 0
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data[1:])
        for reader in _TARGETS[suffix]:
            try:
                reader(path)
                accepted += 1
            except MedFusionError:
                continue
    return accepted


def seeds() -> list[bytes]:
    """Small sound files of every kind, each with the byte that chooses its suffix."""
    from seed_files import write_seeds

    with tempfile.TemporaryDirectory() as folder:
        found = write_seeds(Path(folder))
        return [bytes([SUFFIXES.index(suffix)]) + path.read_bytes() for suffix, path in found]


def _fast_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
