"""MedFusion: multimodal medical image fusion that stays quantitative and auditable.

Everything public is reachable from here and loaded when first used, so that importing the package
stays quick and needs no third-party library beyond NumPy.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "Geometry": "volume",
    "Volume": "volume",
    "Case": "volume",
    "Segment": "segmentation",
    "Segmentation": "segmentation",
    "Window": "intensity",
    "FusionResult": "result",
    "Verdict": "result",
    "MedFusionError": "errors",
    "read_volume": "io",
    "write_volume": "io",
    "save_result": "io",
    "load_result": "io",
    "check_alignment": "align",
    "register": "align",
    "fuse": "pipeline",
    "segment_tumour": "tumour",
    "evaluate": "metrics",
    "plan_batch": "batch",
    "run_batch": "batch",
}

__all__ = ["__version__", "methods", *_PUBLIC]


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name == "methods":
        return importlib.import_module(f"{__name__}.methods")  # a package that can be called
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
