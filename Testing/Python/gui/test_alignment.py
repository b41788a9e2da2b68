"""Verdict, registration, nudge, undo and comparison on real transform nodes."""

import numpy as np
import pytest
import slicer.util
import vtk

import MedFusionLib
from MedFusionLib.result import Verdict
from MedFusionScene.display import composite_nodes
from MedFusionScene.nodes import node_from_volume, world_matrix
from phantoms import head_pair


@pytest.fixture
def nodes(widget, application):
    made = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(made[0])
    widget.ui.secondVolume.setCurrentNode(made[1])
    return made


def move(node, shift):
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    for axis, value in enumerate(shift):
        matrix.SetElement(axis, 3, matrix.GetElement(axis, 3) + value)
    node.SetIJKToRASMatrix(matrix)


def settled(widget):
    text = widget.ui.alignmentLabel.text
    return "line up" in text and "Looking" not in text and not text.startswith("Choose")


def test_the_verdict_comes_by_itself_in_plain_words(widget, nodes, stage):
    assert not stage.waits  # nobody waited for it
    stage.settle(lambda: settled(widget))
    assert widget.ui.alignmentLabel.text.startswith("The volumes line up.")


def test_the_verdict_follows_the_transform_of_a_volume(widget, nodes, stage, application):
    stage.settle(lambda: settled(widget))
    parent = application.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "far")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 2000)
    parent.SetMatrixTransformToParent(matrix)
    nodes[1].SetAndObserveTransformNodeID(parent.GetID())
    stage.settle(lambda: "do not line up" in widget.ui.alignmentLabel.text)
    assert "different places" in widget.ui.alignmentLabel.text


def test_a_volume_that_cannot_be_a_source_is_named_instead_of_judged(widget, nodes, stage, application):
    nodes[1].GetImageData().GetPointData().GetScalars().SetValue(3, float("nan"))
    nodes[1].Modified()
    stage.settle(lambda: "not finite" in widget.ui.alignmentLabel.text)


def test_a_registration_becomes_a_transform_that_can_be_undone(widget, nodes, stage):
    move(nodes[1], (6, 0, 0))
    moved = world_matrix(nodes[1])
    widget.ui.registerButton.click()
    parent = nodes[1].GetParentTransformNode()
    assert parent.GetName() == "phantom PET onto phantom MR"
    shift = slicer.util.arrayFromTransformMatrix(parent)[:3, 3]
    assert shift == pytest.approx([-6, 0, 0], abs=1.5)
    stage.settle(lambda: settled(widget))
    said = widget.ui.alignmentLabel.text.splitlines()
    assert said[0].startswith("Registered (rigid): similarity") and said[1] == "The volumes line up."
    widget.ui.applyButton.click()
    assert "Fused in" in widget.ui.statusLabel.text
    widget.ui.undoTransformButton.click()
    assert nodes[1].GetParentTransformNode() is None
    np.testing.assert_array_equal(world_matrix(nodes[1]), moved)
    assert not widget.ui.undoTransformButton.enabled


def test_a_worse_registration_is_said_and_not_applied(widget, nodes, stage, monkeypatch):
    from MedFusionLib.align import Registration, check_alignment
    from MedFusionLib.align.transform import to_transform

    def nothing_better(reference, moving, model, *, initial, progress):
        verdict = check_alignment(MedFusionLib.Case([reference, moving]))
        said = Verdict(verdict.status, ("The registration found nothing better: not applied.", *verdict.reasons), {})
        return Registration(to_transform(np.eye(4)), model, False, 1.3, 1.2, said)

    monkeypatch.setattr("MedFusionLib.align.register", nothing_better)
    widget.ui.registerButton.click()
    assert nodes[1].GetParentTransformNode() is None
    stage.settle(lambda: settled(widget))
    assert widget.ui.alignmentLabel.text.startswith("The registration found nothing better: not applied.")
    assert not widget.ui.undoTransformButton.enabled


def test_the_sliders_move_the_volume_in_the_scene(widget, nodes, stage):
    before = world_matrix(nodes[1])
    widget.ui.nudgeRight.value = 4.0
    widget.ui.nudgeSuperior.value = -2.5
    shift = (world_matrix(nodes[1]) @ np.linalg.inv(before))[:3, 3]
    assert shift == pytest.approx([4, 0, -2.5])
    widget.ui.nudgeAboutSuperior.value = 10.0
    turn = world_matrix(nodes[1]) @ np.linalg.inv(before)
    assert np.degrees(np.arctan2(turn[1, 0], turn[0, 0])) == pytest.approx(10.0)
    widget.ui.nudgeResetButton.click()
    np.testing.assert_allclose(world_matrix(nodes[1]), before, atol=1e-9)
    widget.ui.undoTransformButton.click()
    assert nodes[1].GetParentTransformNode() is None
    assert widget.ui.nudgeRight.value == 0


def test_a_nudge_after_another_begins_where_the_volume_is(widget, nodes, application):
    widget.ui.nudgeRight.value = 4.0
    first = nodes[1].GetParentTransformNode()
    nodes[1].SetAndObserveTransformNodeID(None)  # somebody else took the transform away
    widget.ui.nudgeRight.value = 5.0
    assert nodes[1].GetParentTransformNode() is not first
    assert nodes[1].GetParentTransformNode() is not None


@pytest.mark.parametrize("kind", ["checkerboard", "curtain-vertical", "edges", "difference"])
def test_a_comparison_comes_into_the_views_and_goes_again(widget, nodes, application, kind):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    composite.SetBackgroundVolumeID(nodes[1].GetID())
    count = application.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    box = widget.ui.compareComboBox
    box.currentIndex = box.findData(kind)
    widget.ui.compareButton.click()
    overlay = application.scene.GetNodeByID(composite.GetForegroundVolumeID())
    assert composite.GetBackgroundVolumeID() == nodes[0].GetID()
    assert overlay.GetName().startswith(kind) and overlay.GetHideFromEditors()
    assert widget.ui.compareButton.text == "Back"
    widget.ui.compareButton.click()
    assert composite.GetBackgroundVolumeID() == nodes[1].GetID()
    assert composite.GetForegroundVolumeID() is None
    assert application.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count
    assert widget.ui.compareButton.text == "Show"


def test_flicker_shows_both_in_turn(widget, nodes, application, stage):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    box = widget.ui.compareComboBox
    box.currentIndex = box.findData("flicker")
    widget.ui.compareButton.click()
    assert composite.GetForegroundOpacity() == 0
    stage.settle(lambda: composite.GetForegroundOpacity() == 1)
    stage.settle(lambda: composite.GetForegroundOpacity() == 0)
    widget.ui.compareButton.click()
    assert not widget.panel.alignment.comparison.isShown()
    assert composite_nodes(application.scene)
