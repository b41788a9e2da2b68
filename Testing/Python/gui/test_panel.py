import importlib.util
import time
import unittest

import numpy as np
import pytest
import slicer
import slicer.util

import MedFusionLib
from MedFusionLib.segment import segmentation_from_labels
from MedFusionScene.nodes import colour_node_from_array, node_from_volume
from MedFusionScene.segmentations import node_from_segmentation
from phantoms import head_pair


@pytest.fixture
def nodes(widget, application):
    return [node_from_volume(volume, application.scene) for volume in head_pair()]


def choose(widget, nodes):
    for selector, node in zip(("referenceVolume", "secondVolume"), nodes):
        getattr(widget.ui, selector).setCurrentNode(node)


def choose_method(widget, name):
    box = widget.ui.methodComboBox
    box.currentIndex = box.findData(name)


def volumes_in(scene):
    kind = "vtkMRMLVolumeNode"
    return {scene.GetNthNodeByClass(n, kind).GetName() for n in range(scene.GetNumberOfNodesByClass(kind))}


def test_the_panel_starts_with_apply_disabled_and_says_why(widget):
    assert not widget.ui.applyButton.enabled
    assert "reference" in widget.ui.applyButton.toolTip
    assert "Research use only" in widget.ui.researchLabel.text


def test_the_method_list_holds_what_the_catalogue_holds(widget):
    box = widget.ui.methodComboBox
    names = [box.itemData(n) for n in range(box.count)]
    assert {name for name in names if name is not None} == {"", *(info.name for info in MedFusionLib.methods())}
    choose_method(widget, "laplacian")
    assert "Burt" in box.toolTip
    assert "detail" in widget.ui.methodLabel.text


def test_choosing_two_volumes_enables_apply_and_says_what_they_are(widget, nodes):
    choose(widget, nodes[:1])
    assert not widget.ui.applyButton.enabled
    assert "second" in widget.ui.applyButton.toolTip
    choose(widget, nodes)
    assert widget.ui.applyButton.enabled
    assert "phantom MR: MR, a.u., 28 x 32 x 24 voxels" in widget.ui.sourcesLabel.text
    assert "phantom PET: PT, SUVbw g/ml" in widget.ui.sourcesLabel.text


def test_the_same_volume_twice_is_refused_in_the_tooltip(widget, nodes):
    choose(widget, [nodes[0], nodes[0]])
    assert not widget.ui.applyButton.enabled
    assert "twice" in widget.ui.applyButton.toolTip


def test_colour_and_label_volumes_cannot_be_chosen(widget, nodes, application):
    colours = np.zeros((24, 32, 28, 3), np.uint8)
    colour_node_from_array(colours, head_pair()[0].geometry, application.scene, "colours")
    application.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert widget.ui.referenceVolume.nodeCount() == 2


def test_apply_puts_the_fused_volume_into_the_scene_and_shows_it(widget, nodes, application):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    choose(widget, nodes)
    choose_method(widget, "average")
    widget.ui.applyButton.click()
    fused = widget.logic.getParameterNode().fusedVolume
    assert fused.IsA("vtkMRMLVectorVolumeNode")
    assert composite.GetBackgroundVolumeID() == fused.GetID()
    scalar = slicer.util.arrayFromVolume(fused.GetNodeReference("medfusionScalar"))
    expected = MedFusionLib.fuse(MedFusionLib.Case(head_pair()), "average").fused.array
    assert np.allclose(scalar, expected, atol=1e-6)
    assert "Fused in" in widget.ui.statusLabel.text
    assert widget.ui.applyButton.text == "Apply"
    assert not widget.ui.progressBar.visible
    assert widget.logic.getParameterNode().method == "average"


def test_the_interface_stays_alive_during_a_fusion(widget, nodes, stage):
    choose(widget, nodes)
    seen = []
    stage.on_events = lambda: seen.append((widget.ui.applyButton.text, widget.ui.referenceVolume.enabled))
    widget.ui.applyButton.click()
    assert ("Cancel", False) in seen
    assert widget.ui.referenceVolume.enabled


def test_cancel_in_the_middle_leaves_no_node(widget, nodes, stage, application):
    choose(widget, nodes)
    before = volumes_in(application.scene)
    pressed = []

    def press_once():
        if not pressed:
            pressed.append(time.monotonic())
            widget.ui.applyButton.click()

    stage.on_events = press_once
    widget.ui.applyButton.click()
    assert pressed
    assert volumes_in(application.scene) == before
    assert widget.ui.statusLabel.text == "Cancelled."
    assert widget.logic.getParameterNode().fusedVolume is None
    assert widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled
    assert not stage.dialogs


def test_an_error_becomes_a_sentence_and_the_scene_stays_as_it_was(widget, nodes, stage, application):
    nodes[1].SetOrigin(5000, 0, 0)
    choose(widget, nodes)
    before = volumes_in(application.scene)
    widget.ui.applyButton.click()
    assert "different places" in stage.dialogs[0]
    assert "different places" in widget.ui.statusLabel.text
    assert volumes_in(application.scene) == before


def test_closing_the_scene_during_a_fusion_cancels_it(widget, nodes, stage, application):
    choose(widget, nodes)
    closed = []

    def close_once():
        if not closed:
            closed.append(True)
            application.scene.Clear(0)

    stage.on_events = close_once
    widget.ui.applyButton.click()
    assert closed
    assert volumes_in(application.scene) == set()


def test_the_opacity_slider_moves_the_layers_of_the_real_views(widget, nodes, application):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    choose(widget, nodes)
    widget.ui.shownComboBox.currentIndex = widget.ui.shownComboBox.findData("layers")
    assert composite.GetBackgroundVolumeID() == nodes[0].GetID()
    assert composite.GetForegroundVolumeID() == nodes[1].GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.5)
    widget.ui.opacitySlider.value = 0.8
    assert composite.GetForegroundOpacity() == pytest.approx(0.8)
    assert widget.logic.getParameterNode().opacity == pytest.approx(0.8)


def test_the_overlay_box_shows_and_hides_the_tumour(widget, nodes, application):
    labels = np.zeros((24, 32, 28), np.uint8)
    labels[10:14, 12:16, 12:16] = 1
    geometry = head_pair()[0].geometry
    segmentation = node_from_segmentation(segmentation_from_labels(labels, geometry), application.scene)
    assert segmentation.GetDisplayNode().GetVisibility()
    widget.ui.overlayCheckBox.click()
    assert not segmentation.GetDisplayNode().GetVisibility()
    widget.ui.overlayCheckBox.click()
    assert segmentation.GetDisplayNode().GetVisibility()


def test_choices_are_kept_in_the_scene(widget, nodes):
    choose(widget, nodes)
    choose_method(widget, "dwt")
    widget.exit()
    widget.ui.methodComboBox.currentIndex = 0
    parameters = widget.logic.getParameterNode()
    assert parameters.referenceVolume is nodes[0]
    parameters.method = "dwt"
    widget.enter()
    assert widget.ui.methodComboBox.currentData == "dwt"


@pytest.mark.parametrize("name", [info.name for info in MedFusionLib.methods()])
def test_every_method_runs_node_in_node_out_through_the_logic(module, widget, nodes, name):
    fused = module.MedFusionLogic().fuse(nodes, method=name)
    assert slicer.util.arrayFromVolume(fused).shape == (24, 32, 28, 3)


def test_the_self_tests_for_slicers_runner_pass(module, stage, project_folder):
    module.MedFusionTest().runTest()
    path = project_folder / "Testing" / "Python" / "slicer" / "selftests" / "MedFusionPanelSelfTest.py"
    self_test = importlib.util.module_from_spec(importlib.util.spec_from_file_location(path.stem, path))
    self_test.__spec__.loader.exec_module(self_test)
    outcome = unittest.TestLoader().loadTestsFromModule(self_test).run(unittest.TestResult())
    assert outcome.testsRun == 1
    assert outcome.wasSuccessful() and not outcome.skipped, outcome.failures + outcome.errors


def test_the_panel_opens_before_the_catalogue_is_loaded(module, stage, monkeypatch):
    import MedFusionWidgets.methods

    monkeypatch.setattr(MedFusionWidgets.methods, "isTorchLoaded", lambda: False)
    widget = module.MedFusionWidget()
    module.MedFusionLogic().getParameterNode().method = "dwt"
    widget.setup()
    assert widget.ui.methodComboBox.count == 1
    stage.settle(lambda: widget.ui.methodComboBox.count > len(MedFusionLib.methods()))
    assert widget.ui.methodComboBox.currentData == "dwt"
    assert widget.logic.getParameterNode().method == "dwt"
    widget.cleanup()
