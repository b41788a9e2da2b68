"""Read files one after the other, as ``python measured_reads.py < paths``: how each ended, seconds, and memory of all.

It runs in a process of its own, since a process cannot forget how much memory it once held.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError
from MedFusionLib.io import inspect_path, read_contours, read_dicom_segmentation, read_registration, read_volume
from MedFusionLib.volume import Geometry, Volume

REFERENCE = Volume(np.zeros((3, 4, 5), np.float32), Geometry((3, 4, 5), np.eye(4)))
READERS = (read_volume, inspect_path, read_dicom_segmentation, read_registration,
           lambda path: read_contours(path, REFERENCE))  # fmt: skip


def main() -> None:
    """Print ``{"files": {path: [[how, seconds] per reader]}, "mb_before", "mb_peak"}``."""
    for name in ("highdicom", "nibabel", "pydicom"):
        importlib.import_module(name)
    before, files = memory_mb("VmRSS"), {}
    for line in sys.stdin:
        files[line.rstrip("\n")] = [measured(reader, Path(line.rstrip("\n"))) for reader in READERS]
    print(json.dumps({"files": files, "mb_before": before, "mb_peak": memory_mb("VmHWM")}))


def measured(reader, path: Path) -> tuple[str, float]:
    """``done``, ``refused`` or the name of an error that is not MedFusion's own; and how long it took."""
    started = time.perf_counter()
    try:
        reader(path)
        how = "done"
    except MedFusionError:
        how = "refused"
    except BaseException as error:
        how = type(error).__name__
    return how, time.perf_counter() - started


def memory_mb(field: str) -> float:
    """Resident memory now (VmRSS) or at its highest (VmHWM), in MB; Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024


if __name__ == "__main__":
    main()
