"""Send to an archive and query it: DIMSE (C-STORE, C-FIND) and DICOMweb (STOW, QIDO, WADO).

Needs the extra ``pacs``. Nothing here runs unless it is called: MedFusion opens no connection by itself.
"""

from __future__ import annotations

import importlib

_PUBLIC = {
    "FoundSeries": "peer",
    "Outcome": "peer",
    "PacsError": "peer",
    "Peer": "peer",
    "WebPeer": "peer",
    "echo": "dimse",
    "find_series": "dimse",
    "find_studies": "dimse",
    "retrieve_series": "web",
    "search_series": "web",
    "search_studies": "web",
    "send": "dimse",
    "stow": "web",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
