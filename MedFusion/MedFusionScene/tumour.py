"""What a person marks and edits of a tumour, and its measures as tables."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import slicer.util
import vtk

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.region import BoxRegion
from MedFusionLib.segment import Comparison
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.units import KNOWN_UNITS

MEASURES_NAME = "Tumour measures"
THRESHOLDS_NAME = "PET thresholds"

_COLUMNS = (
    ("volume_ml", "Volume (ml)"),
    ("longest_3d_mm", "Longest (mm)"),
    ("axial_long_mm", "Axial long (mm)"),
    ("axial_short_mm", "Axial short (mm)"),
    ("suv_max", "SUVmax"),
    ("suv_mean", "SUVmean"),
    ("suv_peak", "SUVpeak"),
    ("mtv_ml", "MTV (ml)"),
    ("tlg_g", "TLG (g)"),
)


@dataclass(frozen=True)
class Rows:
    """A table as text.

    Parameters
    ----------
    columns : tuple of str
        Headings, with units.
    rows : tuple of tuple of str
        Cells.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_text(self) -> str:
        """Tabs between cells and a line per row, as spreadsheets take it."""
        return "\n".join("\t".join(row) for row in (self.columns, *self.rows))


def seed_from_node(node) -> tuple[float, float, float]:
    """The first point of a point list, RAS in mm in the world.

    Raises
    ------
    UsageError
        When it holds no point.
    """
    points = slicer.util.arrayFromMarkupsControlPoints(node, world=True)
    if not len(points):
        raise UsageError(f"{node.GetName()} holds no point", "a point in the lesion", "Place one in a slice view")
    return tuple(float(value) for value in points[0])


def region_from_node(node) -> BoxRegion:
    """The box of a markups ROI, in the world.

    Raises
    ------
    UsageError
        When nothing was drawn.
    NotSupported
        Under a transform that scales, shears or bends.
    """
    if node.GetNumberOfControlPoints() == 0 or min(node.GetSize()) <= 0:
        raise UsageError(f"{node.GetName()} is empty", "a box around the lesion", "Draw it in a slice view")
    parent = node.GetParentTransformNode()
    matrix = slicer.util.arrayFromVTKMatrix(node.GetObjectToWorldMatrix())
    axes, size = matrix[:3, :3], np.array(node.GetSize())
    if (parent is not None and not parent.IsTransformToWorldLinear()) or not np.allclose(
        axes.T @ axes, np.eye(3), atol=1e-3
    ):
        raise NotSupported(f"{node.GetName()} is under a transform that is not rigid", "a box", "Draw it without one")
    return BoxRegion(matrix[:3, 3], size, axes)


def measures_rows(segmentation: Segmentation) -> Rows:
    """One row per segment, measured on native grids; means of every source in its unit."""
    measures = segmentation.measures
    known = [(key, title) for key, title in _COLUMNS if any(one.get(key) is not None for one in measures)]
    sources = measures[0]["sources"] if measures else []
    titles = [f"{source['modality']} mean ({_meaning(source['unit'])})" for source in sources]
    rows = tuple(
        (one["name"], *(_number(one.get(key)) for key, _ in known),
         *(_number(source.get("mean")) for source in one["sources"]))
        for one in measures
    )  # fmt: skip
    return Rows(("Segment", *(title for _, title in known), *titles), rows)


def threshold_rows(comparison: Comparison) -> Rows:
    """One row per PET rule; a rule that refuses says why."""
    rows = tuple(
        (one.rule, _number(one.threshold_suv), _number(one.volume_ml), _number(one.suv_mean), _number(one.tlg_g),
         one.refused)
        for one in comparison.outcomes
    )  # fmt: skip
    return Rows(("Rule", "Threshold (SUV)", "Volume (ml)", "SUVmean", "TLG (g)", "Refused because"), rows)


def table_node(rows: Rows, scene, name: str, *, reference=None):
    """A table node with the rows; an older one that belongs to the same node is filled anew.

    Parameters
    ----------
    rows : Rows
        The table.
    scene : vtkMRMLScene
        Where it goes.
    name : str
        Of the table.
    reference : vtkMRMLNode or None
        What the table is of: it remembers its table under that name.
    """
    role = "medfusion" + name.title().replace(" ", "")
    node = reference.GetNodeReference(role) if reference is not None else None
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
        if reference is not None:
            reference.SetNodeReferenceID(role, node.GetID())
    node.RemoveAllColumns()
    for number, title in enumerate(rows.columns):
        column = vtk.vtkStringArray()
        column.SetName(title)
        for row in rows.rows:
            column.InsertNextValue(row[number])
        node.AddColumn(column)
    return node


def record_edit(record, segmentation_node, before: Sequence[dict], after: Sequence[dict]) -> None:
    """Write into a result's record that a person changed the tumour, with the volumes before and after.

    Parameters
    ----------
    record : vtkMRMLTextNode
        The record of the result, JSON.
    segmentation_node : vtkMRMLSegmentationNode
        What was edited.
    before, after : sequence of dict
        Measures.
    """
    document = json.loads(record.GetText() or "{}")
    entry = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "what": "segmentation edited by hand",
        "segmentation": segmentation_node.GetID(),
        "before": _volumes(before),
        "after": _volumes(after),
    }
    document.setdefault("edits", []).append(entry)
    record.SetText(json.dumps(document, indent=1))


def set_style(segmentation_node, *, outline: bool, fill: bool, surface: bool) -> None:
    """Draw the segments as outline or area in slices, and as surfaces in 3-D."""
    display = segmentation_node.GetDisplayNode()
    if display is None:
        segmentation_node.CreateDefaultDisplayNodes()
        display = segmentation_node.GetDisplayNode()
    display.SetVisibility2DOutline(outline)
    display.SetVisibility2DFill(fill)
    display.SetVisibility3D(surface)
    if surface:
        segmentation_node.CreateClosedSurfaceRepresentation()


def _volumes(measures: Sequence[dict]) -> list[dict]:
    return [{"name": one["name"], "volume_ml": one["volume_ml"]} for one in measures]


def _number(value) -> str:
    return "" if value is None else f"{value:.4g}"


def _meaning(code: str) -> str:
    return next((unit.meaning for unit in KNOWN_UNITS if unit.code == code), code or "unit unknown")
