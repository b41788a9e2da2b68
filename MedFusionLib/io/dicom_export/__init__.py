"""Fused results as standard DICOM objects on the series that they come from."""

from __future__ import annotations

import importlib

_PUBLIC = {
    "KINDS": "stamp",
    "Export": "facade",
    "ExportOptions": "kinds",
    "Reference": "reference",
    "blending_state": "blending",
    "colour_multiframe": "secondary_capture",
    "colour_slices": "secondary_capture",
    "dicom_segmentation": "segmentation_object",
    "export_result": "facade",
    "grey_multiframe": "secondary_capture",
    "grey_slices": "secondary_capture",
    "measurement_report": "measurement_report",
    "parametric_map": "parametric_map",
    "place": "planes",
    "read_reference": "reference",
    "stamp_for": "stamp",
    "structure_set": "structure_set",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
