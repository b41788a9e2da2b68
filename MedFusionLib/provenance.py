"""Provenance: what made a result, without any identity of the patient."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

from MedFusionLib import __version__
from MedFusionLib.volume import Volume

RECORDED_PACKAGES = ("numpy", "scipy", "torch", "SimpleITK", "pydicom", "highdicom", "nibabel", "PyWavelets")
STATEMENT = "Research use only. Not for primary diagnosis."


def provenance_record(sources: tuple[Volume, ...], parameters: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """The record of one fusion.

    Parameters
    ----------
    sources : tuple of Volume
        As read, before resampling.
    parameters : dict
        What was asked for, in plain JSON types.
    run : dict
        What the engine reports.

    Returns
    -------
    dict
        Plain JSON types. File names and UIDs are left out or hashed; file contents are identified by
        SHA-256.
    """
    return {
        "software": {"MedFusion": __version__, "Python": platform.python_version(), **recorded_versions()},
        "system": {"os": platform.system(), "machine": platform.machine()},
        "parameters": parameters,
        "run": run,
        "inputs": [describe_source(source) for source in sources],
        "statement": STATEMENT,
    }


def describe_source(source: Volume) -> dict[str, Any]:
    """One source for a record: what it is and where it came from, hashed."""
    geometry = source.geometry
    return {
        "modality": source.modality,
        "unit": source.unit.code,
        "shape_kji": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "ijk_to_ras": geometry.ijk_to_ras.tolist(),
        "sha256": source.source.sha256,
        "series": source.source.series,
        "frame_of_reference": source.source.frame_of_reference,
        "notes": list(source.source.notes),
    }


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far in MB; None where the system does not tell.

    Linux hands the peak of a parent on to ``getrusage`` of a new process, so its own high-water mark is taken there.
    """
    own = _high_water_mb()
    if own is not None:
        return own
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def _high_water_mb() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def recorded_versions() -> dict[str, str]:
    """Versions of the libraries that results depend on."""
    found = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
