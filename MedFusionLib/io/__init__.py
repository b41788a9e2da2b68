"""Read and write files: NIfTI, NRRD, MHA, pictures, DICOM series, and result folders."""

from __future__ import annotations

import importlib

_PUBLIC = {
    "inspect_path": "inspect",
    "load_result": "results",
    "read_contours": "dicom_contours",
    "read_dicom_files": "dicom",
    "read_dicom_segmentation": "dicom_seg",
    "read_labels": "read",
    "read_registration": "dicom_registration",
    "read_volume": "read",
    "save_result": "results",
    "write_volume": "write",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
