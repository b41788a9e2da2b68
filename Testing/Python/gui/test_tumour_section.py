"""The tumour: found, measured, styled, edited, recorded."""

import json

import numpy as np
import pytest
import slicer
import slicer.util
from PySide6 import QtWidgets

from MedFusionLib.segment import segmentation_from_labels
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.segmentations import node_from_segmentation
from phantoms import head_pair

LESION = (11.0, -6.0, 4.0)


@pytest.fixture
def nodes(widget, application):
    made = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(made[0])
    widget.ui.secondVolume.setCurrentNode(made[1])
    return made


@pytest.fixture
def seed(widget, application):
    node = application.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Seed")
    node.AddControlPoint(*LESION)
    widget.ui.tumourSeed.setCurrentNode(node)
    return node


@pytest.fixture
def drawn(widget, nodes, application):
    labels = np.zeros((24, 32, 28), np.uint8)
    labels[10:14, 12:16, 16:20] = 1
    segmentation = segmentation_from_labels(labels, head_pair()[0].geometry)
    node = node_from_segmentation(segmentation, application.scene, reference=nodes[0])
    widget.ui.tumourSegmentation.setCurrentNode(node)
    return node


def pick(box, value):
    box.currentIndex = box.findData(value)


def cells(widget):
    table = widget.ui.tumourTable
    heads = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
    return [dict(zip(heads, (table.item(row, n).text() for n in range(len(heads))))) for row in range(table.rowCount)]


def shrink(node, reference):
    """What an eraser in the Segment Editor does."""
    identity = node.GetSegmentation().GetNthSegmentID(0)
    labels = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, reference)
    labels[10] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(labels, node, identity, reference)


def test_without_a_mark_nothing_can_be_found(widget, nodes):
    assert not widget.ui.findTumourButton.enabled
    assert not widget.ui.measureButton.enabled


def test_a_seed_finds_the_lesion_and_its_measures(widget, nodes, seed, application):
    pick(widget.ui.tumourMethodComboBox, "suvmax41")
    widget.ui.findTumourButton.click()
    node = widget.ui.tumourSegmentation.currentNode()
    assert node.GetName() == "Tumour by suvmax41"
    row = cells(widget)[0]
    lesion = head_pair()[1].array.max()
    assert float(row["SUVmax"]) == pytest.approx(lesion, rel=1e-3)
    table = node.GetNodeReference("medfusionTumourMeasures")
    assert float(table.GetCellText(0, table.GetColumnIndex("SUVmax"))) == float(row["SUVmax"])
    assert widget.logic.getParameterNode().tumourSegmentation is node
    assert widget.logic.getParameterNode().tumourMethod == "suvmax41"


def test_a_region_finds_the_lesion_as_well(widget, nodes, application):
    roi = application.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetSize(24, 24, 24)
    roi.SetCenter(*LESION)
    widget.ui.tumourRoi.setCurrentNode(roi)
    pick(widget.ui.tumourMethodComboBox, "suvmax50")
    widget.ui.findTumourButton.click()
    assert float(cells(widget)[0]["SUVmax"]) > 8


def test_the_seed_can_be_put_at_the_crosshair(widget, nodes, application):
    crosshair = application.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairRAS(*LESION)
    widget.ui.crosshairSeedButton.click()
    points = slicer.util.arrayFromMarkupsControlPoints(widget.ui.tumourSeed.currentNode(), world=True)
    np.testing.assert_allclose(points, [LESION])
    assert widget.ui.findTumourButton.enabled


def test_thresholds_stand_side_by_side_in_a_table_node(widget, nodes, seed):
    widget.ui.compareThresholdsButton.click()
    rows = {row["Rule"]: row for row in cells(widget)}
    assert {"suv2.5", "suvmax41", "suvmax50", "gradient"} <= set(rows)
    assert nodes[0].GetNodeReference("medfusionPetThresholds").GetNumberOfRows() == len(rows)
    assert "median" in widget.ui.tumourLabel.text


def test_the_table_is_copied_for_a_spreadsheet(widget, drawn):
    widget.ui.measureButton.click()
    widget.ui.copyTableButton.click()
    lines = QtWidgets.QApplication.clipboard().text().splitlines()
    assert lines[0].startswith("Segment\tVolume (ml)")
    assert len(lines) == 2


def test_the_boxes_change_how_the_tumour_is_drawn(widget, drawn):
    display = drawn.GetDisplayNode()
    widget.ui.fillCheckBox.click()
    widget.ui.outlineCheckBox.click()
    assert display.GetVisibility2DFill() and not display.GetVisibility2DOutline()
    widget.ui.surfaceCheckBox.click()
    assert not display.GetVisibility3D()


def test_the_segment_editor_opens_with_reference_and_fused_volume(widget, nodes, drawn, stage, application):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    pick(widget.ui.methodComboBox, "average")
    widget.ui.applyButton.click()
    widget.ui.editTumourButton.click()
    assert stage.opened == ["SegmentEditor"]
    assert stage.editor._chosen == {"segmentation": drawn, "source": nodes[0]}
    assert composite.GetBackgroundVolumeID() == nodes[0].GetID()
    assert composite.GetForegroundVolumeID() == widget.panel.resultNodes.main.GetID()


def test_measures_follow_an_edit_on_demand_and_the_record_tells_of_it(widget, nodes, drawn):
    pick(widget.ui.methodComboBox, "average")
    widget.ui.applyButton.click()
    assert widget.panel.resultNodes.segmentation is drawn  # no second one was made
    assert len(widget.panel.result.tumour.measures) == 1
    widget.ui.measureButton.click()
    before = float(cells(widget)[0]["Volume (ml)"])
    shrink(drawn, nodes[0])
    assert "press Measure" in widget.ui.tumourLabel.text
    assert float(cells(widget)[0]["Volume (ml)"]) == before
    widget.ui.measureButton.click()
    after = float(cells(widget)[0]["Volume (ml)"])
    assert after == pytest.approx(before * 3 / 4)
    edits = json.loads(widget.panel.resultNodes.record.GetText())["edits"]
    assert len(edits) == 1
    assert edits[0]["before"][0]["volume_ml"] == pytest.approx(before)
    assert edits[0]["after"][0]["volume_ml"] == pytest.approx(after)
    widget.ui.measureButton.click()
    assert len(json.loads(widget.panel.resultNodes.record.GetText())["edits"]) == 1  # nothing was edited since


def test_overlapping_segments_are_refused_with_a_sentence(widget, drawn, stage):
    segmentation = drawn.GetSegmentation()
    copy = slicer.vtkSegment()
    copy.DeepCopy(segmentation.GetNthSegment(0))
    segmentation.AddSegment(copy, "second")
    segmentation.SeparateSegmentLabelmap("second")
    widget.ui.measureButton.click()
    assert "overlap" in stage.dialogs[0]
