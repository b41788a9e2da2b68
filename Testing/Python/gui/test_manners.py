"""The panel leaves alone what it did not make."""

import logging
import time

import numpy as np
import pytest

from MedFusionLib.segment import segmentation_from_labels
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.segmentations import node_from_segmentation
from phantoms import head_pair


def test_opening_the_module_shows_nothing_that_was_hidden(module, application):
    labels = np.zeros((24, 32, 28), np.uint8)
    labels[10:14, 12:16, 12:16] = 1
    segmentation = segmentation_from_labels(labels, head_pair()[0].geometry)
    node = node_from_segmentation(segmentation, application.scene)
    node.GetDisplayNode().SetVisibility(False)
    widget = module.MedFusionWidget()
    widget.setup()
    widget.enter()
    assert not node.GetDisplayNode().GetVisibility()
    widget.cleanup()


def test_opening_the_module_and_moving_the_slider_leave_other_views_alone(module, application):
    composite = application.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    composite.SetBackgroundVolumeID(nodes[0].GetID())
    composite.SetForegroundVolumeID(nodes[1].GetID())
    composite.SetForegroundOpacity(0.3)
    widget = module.MedFusionWidget()
    widget.setup()
    widget.enter()
    widget.ui.opacitySlider.value = 0.9
    assert composite.GetForegroundOpacity() == pytest.approx(0.3)
    widget.cleanup()


def test_the_log_of_a_failed_fusion_names_no_volume(widget, application, stage, caplog):
    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    nodes[1].SetName("DOE^JANE")
    nodes[1].GetImageData().GetPointData().GetScalars().SetValue(7, float("nan"))
    widget.ui.referenceVolume.setCurrentNode(nodes[0])
    widget.ui.secondVolume.setCurrentNode(nodes[1])
    with caplog.at_level(logging.DEBUG):
        widget.ui.applyButton.click()
    assert "DOE^JANE holds values that are not finite" in stage.dialogs[0]
    assert "UsageError" in caplog.text
    assert "DOE" not in caplog.text


def test_a_cancel_at_the_last_moment_still_drops_the_result(widget, application, stage, monkeypatch):
    import MedFusionLib

    fuse = MedFusionLib.fuse

    def deaf_fuse(case, progress, cancelled, **options):
        time.sleep(0.1)
        return fuse(case, **options)

    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(nodes[0])
    widget.ui.secondVolume.setCurrentNode(nodes[1])
    count = application.scene.GetNumberOfNodes()
    monkeypatch.setattr(MedFusionLib, "fuse", deaf_fuse)
    stage.on_events = lambda: stage.waits[1:] or widget.ui.applyButton.click()
    widget.ui.applyButton.click()
    assert widget.ui.statusLabel.text == "Cancelled."
    assert application.scene.GetNumberOfNodes() == count


def test_a_second_click_before_the_work_starts_starts_nothing_twice(widget, application, stage, monkeypatch):
    import MedFusionWidgets.panel as panel

    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(nodes[0])
    widget.ui.secondVolume.setCurrentNode(nodes[1])
    calls = []

    def slow_gate():
        calls.append("gate")
        if len(calls) < 3:
            widget.ui.applyButton.click()
        return "Not today."

    monkeypatch.setattr(panel, "ensureDependencies", slow_gate)
    widget.ui.applyButton.click()
    assert calls == ["gate"]
    assert widget.ui.statusLabel.text == "Not today."
