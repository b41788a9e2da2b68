"""The View section changes real views, as the person asks, and remembers what they like."""

import types

import numpy as np
import pytest
import slicer
from PySide6 import QtCore, QtTest, QtWidgets

from MedFusionLib import units
from MedFusionLib.volume import Volume
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.display import composite_nodes
from MedFusionScene.layouts import PROTOCOLS, SliceCell, current_protocol, layout_node, protocol_of, show_layout
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.probe import crosshair_node
from phantoms import head_pair


@pytest.fixture
def nodes(widget, application):
    return [node_from_volume(volume, application.scene) for volume in head_pair()]


@pytest.fixture
def views(application, stage):
    """Slice views appear with a layout, as in the application; without drawing."""
    application.boot_layouts()
    scene, logics, opened = application.scene, application.application_logic.GetSliceLogics(), []
    for composite in composite_nodes(scene):
        scene.RemoveNode(composite)
    layout_node(scene).SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def appear(caller=None, event=None):
        protocol = current_protocol(scene)
        for cell in protocol.cells if protocol is not None else ():
            if isinstance(cell, SliceCell) and cell.view_name not in {
                one.GetSliceNode().GetLayoutName() for one in opened
            }:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(application.application_logic)
                logic.SetMRMLScene(scene)
                logic.SetSliceNode(scene.GetSingletonNode(cell.view_name, "vtkMRMLSliceNode"))
                logics.AddItem(logic)
                opened.append(logic)

    node = layout_node(scene)
    tag = node.AddObserver("ModifiedEvent", appear)
    yield opened
    node.RemoveObserver(tag)
    for logic in opened:
        logics.RemoveItem(logic)
        logic.SetMRMLScene(None)


def choose(widget, nodes):
    for selector, node in zip(("referenceVolume", "secondVolume"), nodes):
        getattr(widget.ui, selector).setCurrentNode(node)


def pick(box, value):
    box.currentIndex = box.findData(value)
    assert box.currentData == value


def fuse(widget, nodes):
    choose(widget, nodes)
    pick(widget.ui.methodComboBox, "average")
    widget.ui.applyButton.click()
    return widget.panel.resultNodes


def shown(scene, role, plane="Axial"):
    name = SliceCell(role, plane).view_name
    composite = next(one for one in composite_nodes(scene) if one.GetLayoutName() == name)
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()


def test_a_layout_is_shown_filled_and_fitted_before_and_after_a_fusion(widget, nodes, views, application):
    scene = application.scene
    choose(widget, nodes)
    pick(widget.ui.protocolComboBox, "three-planes")
    assert current_protocol(scene).name == "three-planes"
    assert len(views) == len(protocol_of("three-planes").cells)
    mr, pet = (node.GetID() for node in nodes)
    assert shown(scene, "anatomy", "Coronal") == (mr, None)
    assert shown(scene, "fused") == (mr, pet)  # nothing is fused yet
    result = fuse(widget, nodes)
    assert shown(scene, "fused", "Sagittal") == (result.colour.GetID(), None)
    assert widget.logic.getParameterNode().protocol == "three-planes"
    pick(widget.ui.protocolComboBox, "")
    assert current_protocol(scene) is None
    assert layout_node(scene).GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_the_fused_views_change_between_fused_volume_and_two_layers(widget, nodes, views, application):
    result = fuse(widget, nodes)
    pick(widget.ui.protocolComboBox, "comparison")
    assert shown(application.scene, "fused") == (result.colour.GetID(), None)
    pick(widget.ui.shownComboBox, "layers")
    assert shown(application.scene, "fused") == tuple(node.GetID() for node in nodes)
    widget.ui.opacitySlider.value = 1.0
    layered = [one for one in composite_nodes(application.scene) if one.GetForegroundVolumeID() == nodes[1].GetID()]
    assert layered and all(one.GetForegroundOpacity() == 1.0 for one in layered)


def test_maps_of_trust_are_offered_where_the_result_has_them(widget, nodes, views, application):
    box = widget.ui.mapComboBox
    choose(widget, nodes)
    assert not box.enabled
    result = fuse(widget, nodes)
    offered = {box.itemData(number) for number in range(box.count)}
    assert {"", "contribution:0", "contribution:1", "invention:0"} <= offered
    assert "stability:0" not in offered
    pick(widget.ui.protocolComboBox, "three-planes")
    pick(box, "contribution:1")
    assert shown(application.scene, "fused") == (result.fused.GetID(), result.contribution[1].GetID())
    pick(box, "")
    assert shown(application.scene, "fused") == (result.colour.GetID(), None)


def test_window_and_colours_change_the_display_node_and_are_remembered_for_the_modality(widget, nodes):
    choose(widget, nodes)
    ui = widget.ui
    ui.lookSourceComboBox.currentIndex = 1
    pick(ui.windowComboBox, "suv-5")
    pick(ui.coloursComboBox, "PET-Heat")
    display = nodes[1].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    assert display.GetColorNode().GetName() == "PET-Heat"
    fuse(widget, nodes)  # the fusion sets windows of its own
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    assert display.GetColorNode().GetName() == "PET-Heat"
    assert ui.windowComboBox.currentData == "suv-5"


def test_the_persons_choices_come_back_in_a_new_scene(module, widget, nodes, application):
    choose(widget, nodes)
    pick(widget.ui.protocolComboBox, "comparison")
    pick(widget.ui.shownComboBox, "layers")
    widget.ui.opacitySlider.value = 0.8
    widget.ui.legendCheckBox.click()
    application.scene.Clear(0)
    again = module.MedFusionWidget()
    again.setup()
    assert again.ui.protocolComboBox.currentData == "comparison"
    assert again.ui.shownComboBox.currentData == "layers"
    assert again.ui.opacitySlider.value == pytest.approx(0.8)
    assert not again.ui.legendCheckBox.checked and again.ui.annotationCheckBox.checked
    assert again.logic.getParameterNode().protocol == ""  # chosen is only what was chosen in this scene
    again.cleanup()


def test_values_under_the_mouse_are_told_with_their_units(widget, nodes):
    choose(widget, nodes)
    place = head_pair()[0].geometry.to_ras(np.array((10, 12, 9)))
    crosshair_node(slicer.mrmlScene).SetCursorPositionRAS(list(place))
    lines = widget.ui.probeLabel.text.splitlines()
    value = head_pair()[1].array[9, 12, 10]
    assert lines[2] == f"PT: {value:.4g} SUVbw g/ml"
    assert lines[1].startswith("MR: ") and lines[1].endswith(" a.u.")
    crosshair_node(slicer.mrmlScene).SetCursorPositionInvalid()
    assert widget.ui.probeLabel.text == ""


def test_legends_are_drawn_and_taken_away(widget, nodes, views):
    fuse(widget, nodes)
    pick(widget.ui.protocolComboBox, "three-planes")
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes[1])
    assert legend.GetVisibility() and "SUVbw" in legend.GetTitleText()
    widget.ui.legendCheckBox.click()
    assert not legend.GetVisibility()


def test_the_crosshair_is_drawn_when_it_is_asked_for(widget):
    assert not widget.ui.crosshairCheckBox.checked
    widget.ui.crosshairCheckBox.click()
    assert crosshair_node(slicer.mrmlScene).GetCrosshairMode() != slicer.vtkMRMLCrosshairNode.NoCrosshair
    assert widget.logic.getParameterNode().crosshair


def test_the_projection_shows_the_function_and_turns(widget, nodes, views, application):
    scene = application.scene
    fuse(widget, nodes)
    assert not widget.ui.projectionSlider.enabled
    pick(widget.ui.protocolComboBox, "fused-projection")
    view = scene.GetSingletonNode("MedFusion-projection", "vtkMRMLViewNode")
    assert view.GetRaycastTechnique() == slicer.vtkMRMLViewNode.MaximumIntensityProjection
    displays = [scene.GetNthNodeByClass(n, "vtkMRMLVolumeRenderingDisplayNode") for n in range(1)]
    assert displays[0].GetVolumeNode() is nodes[1] and displays[0].GetVisibility()
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode")
    camera.SetLayoutName(view.GetLayoutName())
    widget.ui.projectionSlider.value = 90
    bounds = [0.0] * 6
    nodes[1].GetRASBounds(bounds)
    assert camera.GetPosition()[0] < bounds[0]  # from the patient's left
    pick(widget.ui.projectionComboBox, "fused")
    assert not displays[0].GetVisibility()
    assert widget.logic.getParameterNode().projection == "fused"
    widget.ui.spinCheckBox.click()
    assert view.GetAnimationMode() == slicer.vtkMRMLViewNode.Spin


def test_keys_move_the_opacity(widget, nodes, views):
    choose(widget, nodes)
    pick(widget.ui.shownComboBox, "layers")
    window = QtWidgets.QWidget.window(widget.container)
    QtWidgets.QWidget.show(window)
    QtWidgets.QWidget.activateWindow(window)
    QtTest.QTest.qWaitForWindowActive(window)
    keys = QtCore.Qt.KeyboardModifier.ControlModifier | QtCore.Qt.KeyboardModifier.AltModifier
    before = widget.ui.opacitySlider.value
    QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_Up, keys)
    assert widget.ui.opacitySlider.value == pytest.approx(before + 0.1)
    QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_0, keys)
    assert widget.ui.opacitySlider.value == 0
    QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_1, keys)
    assert widget.ui.opacitySlider.value == 1
    QtWidgets.QWidget.hide(window)


def test_a_source_that_is_deleted_leaves_the_section_alive(widget, nodes, views, application):
    fuse(widget, nodes)
    pick(widget.ui.protocolComboBox, "three-planes")
    application.scene.RemoveNode(nodes[1])
    pick(widget.ui.shownComboBox, "layers")
    widget.ui.opacitySlider.value = 0.7
    crosshair_node(slicer.mrmlScene).SetCursorPositionRAS([0.0, 0.0, 0.0])
    assert len(widget.ui.probeLabel.text.splitlines()) == 2


def test_an_unknown_unit_gets_no_fixed_window(widget, application):
    mr, pet = head_pair()
    raw = Volume(pet.array, pet.geometry, "PT", units.UNKNOWN, "raw PET")
    choose(widget, [node_from_volume(volume, application.scene) for volume in (mr, raw)])
    widget.ui.lookSourceComboBox.currentIndex = 1
    box = widget.ui.windowComboBox
    assert {box.itemData(number) for number in range(box.count)} == {"", "automatic", "full"}


def test_a_scene_that_was_saved_in_a_layout_opens_in_it_without_the_panel(module, stage, application, tmp_path):
    application.boot_layouts()
    scene = application.scene
    assert {protocol.layout for protocol in PROTOCOLS.values()} <= set(module.OWN_LAYOUTS)
    show_layout(scene, "comparison")
    path = save_bundle(scene, tmp_path / "scene.mrb")
    scene.Clear(0)
    node = layout_node(scene)
    node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    node.SetLayoutDescription(protocol_of("comparison").layout, "")  # an application that has not met it yet
    module.MedFusion(types.SimpleNamespace())
    for start in stage.at_startup:
        if start.__name__ == "watchLoadedScenes":
            start()
    open_bundle(scene, path)
    assert node.GetViewArrangement() == protocol_of("comparison").layout
    assert "MedFusion-invention-Axial" in node.GetLayoutDescription(protocol_of("comparison").layout)
