"""The preview follows the views and never touches a result."""

import numpy as np
import pytest
import slicer
import slicer.util

import MedFusionLib
from MedFusionScene.nodes import node_from_volume
from phantoms import head_pair


@pytest.fixture
def view(application):
    made = []
    for kind in (slicer.vtkMRMLSliceNode, slicer.vtkMRMLSliceCompositeNode):
        one = kind()
        one.SetLayoutName("Red")
        made.append(application.scene.AddNode(one))
    made[0].SetOrientation("Axial")
    return made


@pytest.fixture
def nodes(widget, application, view):
    made = [node_from_volume(volume, application.scene) for volume in head_pair()]
    view[1].SetBackgroundVolumeID(made[0].GetID())
    widget.ui.referenceVolume.setCurrentNode(made[0])
    widget.ui.secondVolume.setCurrentNode(made[1])
    return made


def choose_method(widget, name):
    box = widget.ui.methodComboBox
    box.currentIndex = box.findData(name)


def shown_in(composite):
    return composite.GetScene().GetNodeByID(composite.GetBackgroundVolumeID() or "none")


def go_to(view, index):
    view[0].JumpSliceByCentering(*head_pair()[0].geometry.to_ras([14, 16, index]))


def test_the_slice_that_is_shown_is_fused_and_follows_the_view(widget, nodes, view, stage):
    choose_method(widget, "maximum")
    whole = MedFusionLib.fuse(MedFusionLib.Case(head_pair()), "maximum", "slice")
    widget.ui.previewCheckBox.checked = True
    for index in (9, 13):
        go_to(view, index)

        def is_there(index=index):
            node = shown_in(view[1])
            if node is None or not node.GetName().startswith("Preview"):
                return False
            colours = slicer.util.arrayFromVolume(node)[0].astype(int)
            return np.abs(colours - whole.colour[index]).max() <= 1

        stage.settle(is_there)
    assert "Preview" in widget.ui.previewLabel.text
    assert widget.logic.getParameterNode().fusedVolume is None
    widget.ui.previewCheckBox.checked = False
    assert shown_in(view[1]) is nodes[0]


def test_zooming_fuses_nothing(widget, nodes, view, stage):
    choose_method(widget, "average")
    go_to(view, 9)
    widget.ui.previewCheckBox.checked = True
    stage.settle(lambda: shown_in(view[1]) is not nodes[0])
    stage.settle(lambda: not widget.panel.preview._background.isRunning())
    before = slicer.util.arrayFromVolume(shown_in(view[1])).copy()
    view[0].SetFieldOfView(50, 50, 1)
    assert not widget.panel.preview._waiting
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown_in(view[1])), before)


def test_slow_methods_say_why_there_is_no_preview(widget, nodes, view, stage):
    choose_method(widget, "average")
    widget.ui.previewCheckBox.checked = True
    stage.settle(lambda: shown_in(view[1]) is not nodes[0])
    choose_method(widget, "csr")
    assert not widget.ui.previewCheckBox.enabled and not widget.ui.previewCheckBox.checked
    assert "takes too long for a preview" in widget.ui.previewLabel.text
    assert shown_in(view[1]) is nodes[0]


def test_apply_ends_the_preview_and_shows_the_result(widget, nodes, view, stage, application):
    choose_method(widget, "average")
    widget.ui.previewCheckBox.checked = True
    stage.settle(lambda: shown_in(view[1]) is not nodes[0])
    widget.ui.applyButton.click()
    assert not widget.ui.previewCheckBox.checked
    assert shown_in(view[1]) is widget.logic.getParameterNode().fusedVolume
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")]
    assert not any(name.startswith("Preview") for name in names)


def test_closing_the_scene_ends_the_preview(widget, nodes, view, stage, application):
    choose_method(widget, "average")
    widget.ui.previewCheckBox.checked = True
    stage.settle(lambda: shown_in(view[1]) is not nodes[0])
    application.scene.Clear(0)
    assert not widget.ui.previewCheckBox.checked
