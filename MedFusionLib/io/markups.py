"""Regions of interest drawn in 3D Slicer: ``.mrk.json`` files that hold a box."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.region import BoxRegion

MOST_BYTES = 1 << 20
_TO_RAS = {"RAS": np.eye(3), "LPS": np.diag([-1.0, -1.0, 1.0])}


def is_markups(path: str | Path) -> bool:
    """Whether a file is a markups file by its name."""
    return str(path).lower().endswith(".json")


def read_roi(path: str | Path) -> BoxRegion:
    """The first ROI of a markups file, as a box.

    Raises
    ------
    UnreadableFile
        When the file is missing, too large, not JSON, or its ROI is not complete.
    NotSupported
        When it holds no ROI, one that is not a box, or one turned inside out.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise UnreadableFile(f"No markups file {path.name} of at most {MOST_BYTES >> 20} MB", "a .mrk.json file")
    try:
        markups = json.loads(path.read_text(encoding="utf-8"))["markups"]
        roi = next((one for one in markups if one["type"] == "ROI"), None)
        if roi is None:
            raise NotSupported(f"{path.name} holds no ROI", "a Slicer markups ROI", "Draw one with the Markups module")
        return _box(path.name, roi)
    except MedFusionError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableFile(f"{path.name} is not a readable markups file", "a ROI saved by 3D Slicer") from error


def _box(name: str, roi: dict) -> BoxRegion:
    kind = roi.get("roiType", "Box")
    if kind not in ("Box", "BoundingBox") or roi.get("insideOut", False):
        raise NotSupported(f"The ROI of {name} is {kind}, inside out: {roi.get('insideOut', False)}", "a plain box")
    if roi.get("coordinateUnits", "mm") not in ("mm", ["mm", "UCUM", "millimeter"]):
        raise NotSupported(f"The ROI of {name} is in {roi['coordinateUnits']}", "mm")
    turn = _TO_RAS[roi.get("coordinateSystem", "LPS")]
    axes = np.array(roi.get("orientation", turn.ravel().tolist()), np.float64).reshape(3, 3)
    return BoxRegion(turn @ np.array(roi["center"], np.float64), roi["size"], turn @ axes)
