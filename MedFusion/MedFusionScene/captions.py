"""What stands in the corners of a view: series, date, slice and window, and never a patient's name."""

from __future__ import annotations

import re

import numpy as np
import slicer
import slicer.util

from MedFusionLib.units import FUSION_INDEX, UNKNOWN
from MedFusionScene.nodes import modality_of, unit_of
from MedFusionScene.result_nodes import SCALAR_REFERENCE

RESEARCH = "Research use only"
LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))
_FUSED = "Fused: hue = function, brightness = fused"
_PATIENT_NAME, _STUDY_DATE = "DICOM.PatientName", "DICOM.StudyDate"


def describe_layers(composite) -> list[str]:
    """One line for every visible layer of a slice view: series, date, window with unit, opacity of the upper one."""
    scene, opacity = composite.GetScene(), composite.GetForegroundOpacity()
    below = scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
    above = scene.GetNodeByID(composite.GetForegroundVolumeID() or "")
    lines = [describe_volume(below)] if below is not None and (above is None or opacity < 1) else []
    if above is not None and opacity > 0:
        mixed = opacity < 1 and not _is_map(above)
        lines.append(describe_volume(above) + (f", opacity {100 * opacity:.0f} %" if mixed else ""))
    return lines


def describe_volume(node) -> str:
    """Series, date and window of a volume node in one line."""
    if node.IsA("vtkMRMLVectorVolumeNode"):
        return _FUSED if node.GetNodeReference(SCALAR_REFERENCE) is not None else series_name(node)
    if _is_map(node):
        return series_name(node)  # its legend says what its colours mean
    display, unit = node.GetDisplayNode(), unit_of(node)
    window = ""
    if display is not None:
        low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
        window = f"{low:.4g} to {high:.4g} {unit if unit.is_known else UNKNOWN.meaning}"
    return ", ".join(part for part in (series_name(node), study_date(node), window) if part)


def series_name(node) -> str:
    """The node's name, or its modality where the name holds a part of the patient's name."""
    name = node.GetName() or ""
    said = re.split(r"[\W_\d]+", _attribute_above(node, _PATIENT_NAME).lower())
    words = set(re.split(r"[\W_\d]+", name.lower()))
    # DICOM writes components of a name with carets: a caret is a name that nobody announced
    if "^" in name or any(part in words for part in said if len(part) > 1):
        return modality_of(node)
    return name


def study_date(node) -> str:
    """The study's date as YYYY-MM-DD; empty where the scene does not know it."""
    digits = _attribute_above(node, _STUDY_DATE).replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if re.fullmatch(r"\d{8}", digits) else ""


def describe_slice(slice_node) -> str:
    """Plane and position of a slice, such as ``Axial, S 12.5 mm``."""
    to_ras = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())
    axis = int(np.abs(to_ras[:3, 2]).argmax())
    offset = to_ras[axis, 3]
    plane = slice_node.GetOrientation()
    return f"{plane}, {LETTERS[axis][int(offset >= 0)]} {abs(offset):.1f} mm"


def edge_letters(slice_node) -> tuple[str, str, str, str]:
    """Patient directions at the left, right, top and bottom of a slice view."""
    to_ras = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())[:3, :2]
    right, top = (LETTERS[axis][int(to_ras[axis, n] > 0)] for n, axis in enumerate(np.abs(to_ras).argmax(axis=0)))
    opposite = {letter: pair[1 - pair.index(letter)] for pair in LETTERS for letter in pair}
    return opposite[right], right, top, opposite[top]


def _is_map(node) -> bool:
    """Whether a volume is a map of trust."""
    return unit_of(node) == FUSION_INDEX and node.GetNodeReference(SCALAR_REFERENCE) is None


def _attribute_above(node, name: str) -> str:
    """An attribute of the node's item in the subject hierarchy, or of the next item above that has it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    while item and item != hierarchy.GetSceneItemID():
        if hierarchy.HasItemAttribute(item, name):
            return hierarchy.GetItemAttribute(item, name)
        item = hierarchy.GetItemParent(item)
    return ""
