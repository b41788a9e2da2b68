"""Marks, tables and the record of edits."""

import json

import numpy as np
import pytest
import vtk

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.segment import compare_rules
from MedFusionLib.tumour import segment_tumour
from MedFusionLib.volume import Case
from MedFusionScene.segmentations import node_from_segmentation
from MedFusionScene.tumour import (
    measures_rows,
    record_edit,
    region_from_node,
    seed_from_node,
    set_style,
    table_node,
    threshold_rows,
)
from phantoms import head_pair

LESION = (11.0, -6.0, 4.0)


def shifted_parent(scene, shift=(5.0, 0, 0), scale=1.0):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "parent")
    matrix = vtk.vtkMatrix4x4()
    for axis, value in enumerate(shift):
        matrix.SetElement(axis, 3, value)
        matrix.SetElement(axis, axis, scale)
    node.SetMatrixTransformToParent(matrix)
    return node


def test_the_seed_is_the_first_point_in_the_world(scene):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Seed")
    with pytest.raises(UsageError, match="no point"):
        seed_from_node(node)
    node.AddControlPoint(vtk.vtkVector3d(1, 2, 3))
    node.SetAndObserveTransformNodeID(shifted_parent(scene).GetID())
    assert seed_from_node(node) == pytest.approx((6, 2, 3))


def test_the_region_is_the_box_in_the_world(scene):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    with pytest.raises(UsageError, match="empty"):
        region_from_node(node)
    node.SetSize(10, 20, 30)
    node.SetCenter(1, 2, 3)
    node.SetAndObserveTransformNodeID(shifted_parent(scene).GetID())
    box = region_from_node(node)
    np.testing.assert_allclose(box.centre_ras, (6, 2, 3))
    np.testing.assert_allclose(box.size_mm, (10, 20, 30))
    node.SetAndObserveTransformNodeID(shifted_parent(scene, scale=2.0).GetID())
    with pytest.raises(NotSupported, match="not rigid"):
        region_from_node(node)


def test_the_table_of_measures_is_a_node_that_is_filled_anew(scene):
    case = Case(head_pair())
    found = segment_tumour(case, "suvmax41", seed=LESION)
    rows = measures_rows(found)
    node = node_from_segmentation(found, scene)
    table = table_node(rows, scene, "Tumour measures", reference=node)
    assert table.GetNumberOfRows() == len(found.segments)
    column = table.GetColumnIndex("SUVmax")
    assert float(table.GetCellText(0, column)) == pytest.approx(found.measures[0]["suv_max"], rel=1e-3)
    assert "PT mean (SUVbw g/ml)" in rows.columns and "MR mean (a.u.)" in rows.columns
    assert table_node(rows, scene, "Tumour measures", reference=node) is table
    assert table.GetNumberOfColumns() == len(rows.columns)
    assert rows.as_text().splitlines()[0].split("\t") == list(rows.columns)


def test_thresholds_stand_side_by_side(scene):
    compared = compare_rules(head_pair()[1], seed=LESION)
    rows = threshold_rows(compared)
    volumes = {row[0]: row[2] for row in rows.rows}
    assert 0 < float(volumes["suvmax50"]) <= float(volumes["suvmax41"]) < float(volumes["suv2.5"])
    assert all(row[2] or row[5] for row in rows.rows)  # a rule has a volume, or a reason why not


def test_an_edit_is_recorded_with_the_volumes_before_and_after(scene):
    found = segment_tumour(Case(head_pair()), "suvmax41", seed=LESION)
    node = node_from_segmentation(found, scene)
    record = scene.AddNewNodeByClass("vtkMRMLTextNode", "Fusion record")
    record.SetText(json.dumps({"sources": []}))
    for _ in range(2):
        record_edit(record, node, found.measures, ({**found.measures[0], "volume_ml": 1.5},))
    document = json.loads(record.GetText())
    assert document["sources"] == [] and len(document["edits"]) == 2
    assert document["edits"][0]["before"][0]["volume_ml"] == pytest.approx(found.measures[0]["volume_ml"])
    assert document["edits"][0]["after"][0]["volume_ml"] == 1.5


def test_the_style_is_written_to_the_display_node(scene):
    found = segment_tumour(Case(head_pair()), "suvmax41", seed=LESION)
    node = node_from_segmentation(found, scene)
    set_style(node, outline=False, fill=True, surface=False)
    display = node.GetDisplayNode()
    assert (display.GetVisibility2DOutline(), display.GetVisibility2DFill(), display.GetVisibility3D()) == (0, 1, 0)
    node.RemoveNthDisplayNodeID(0)
    set_style(node, outline=True, fill=False, surface=True)
    assert node.GetDisplayNode().GetVisibility2DOutline()
    assert node.GetSegmentation().GetNthSegment(0).GetRepresentation("Closed surface") is not None
