"""Hanging protocols: real layouts, real view nodes, the right volume in every view."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.volume import Geometry
from MedFusionScene import logic
from MedFusionScene.display import composite_nodes, show_window
from MedFusionScene.hanging import LAYERS, Hanging, fit_views, follow_new_views, hang, hang_legends
from MedFusionScene.layout_view import LayoutView
from MedFusionScene.layouts import (
    PROTOCOLS,
    VIEW_GROUP,
    SliceCell,
    current_protocol,
    layout_node,
    protocol_of,
    restore_layout,
    role_of,
    show_layout,
)
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.projection import projection_view, show_projection, turn_projection
from MedFusionScene.show import show_result


@pytest.fixture
def no_views(scene):
    """Views are singletons, which outlive the scene that a test closes."""
    for composite in composite_nodes(scene):
        scene.RemoveNode(composite)


@pytest.fixture
def layouts(application, scene, no_views):
    logic = application.boot_layouts()
    logic.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return logic


@pytest.fixture
def open_slices(application, scene, layouts):
    """Show a layout and open its slice views without drawing them."""
    logics = application.application_logic.GetSliceLogics()
    opened = []

    def opener(name):
        show_layout(scene, name)
        for cell in (cell for cell in protocol_of(name).cells if isinstance(cell, SliceCell)):
            slice_logic = slicer.vtkMRMLSliceLogic()
            slice_logic.SetMRMLApplicationLogic(application.application_logic)
            slice_logic.SetMRMLScene(scene)
            slice_logic.SetSliceNode(scene.GetSingletonNode(cell.view_name, "vtkMRMLSliceNode"))
            logics.AddItem(slice_logic)
            opened.append(slice_logic)

    yield opener
    for slice_logic in opened:
        logics.RemoveItem(slice_logic)
        slice_logic.SetMRMLScene(None)


@pytest.fixture
def open_view(application, scene, no_views, needs_gl):
    """Open a protocol offscreen; closed after the test."""
    opened = []

    def opener(name):
        opened.append(LayoutView(application, protocol_of(name), 120))
        return opened[-1]

    yield opener
    for view in opened:
        view.close()


def composite_of(scene, role, plane="Axial"):
    name = SliceCell(role, plane).view_name
    return next(one for one in composite_nodes(scene) if one.GetLayoutName() == name)


def slice_node(scene, role, plane="Axial"):
    return scene.GetSingletonNode(SliceCell(role, plane).view_name, "vtkMRMLSliceNode")


def shown(scene, role, plane="Axial"):
    composite = composite_of(scene, role, plane)
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_slicers_layout_logic_makes_every_view_of_a_protocol(scene, layouts, name):
    show_layout(scene, name)
    assert current_protocol(scene).name == name
    for cell in protocol_of(name).cells:
        kind = "vtkMRMLSliceNode" if isinstance(cell, SliceCell) else "vtkMRMLViewNode"
        node = scene.GetSingletonNode(cell.view_name, kind)
        assert node.GetViewGroup() == VIEW_GROUP
        if isinstance(cell, SliceCell):
            assert node.GetOrientation() == cell.plane


def test_the_layouts_have_the_views_that_they_promise():
    planes = protocol_of("three-planes")
    assert [[cell.role for cell in row] for row in planes.rows] == [["anatomy", "function", "fused"]] * 3
    assert [row[0].plane for row in planes.rows] == ["Axial", "Coronal", "Sagittal"]
    assert [len(row) for row in protocol_of("comparison").rows] == [3, 3]


def test_an_unknown_layout_is_refused_with_the_known_ones(scene):
    with pytest.raises(UsageError, match="three-planes"):
        show_layout(scene, "four-up")


def test_a_scene_without_a_layout_stays_without():
    bare = slicer.vtkMRMLScene()
    assert layout_node(bare) is None and current_protocol(bare) is None
    assert show_layout(bare, "comparison") is None
    assert role_of("Red") is None and role_of(None) is None and role_of("MedFusion-fused-Axial") == "fused"


def test_the_layout_before_comes_back_unless_the_person_has_changed_it(scene, layouts):
    node = layout_node(scene)
    before = show_layout(scene, "comparison")
    restore_layout(scene, before)
    assert node.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    show_layout(scene, "comparison")
    node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    restore_layout(scene, before)
    assert node.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_every_view_gets_the_volume_of_its_role(scene, result, open_slices):
    open_slices("three-planes"), open_slices("comparison")
    nodes = show_result(result, scene)
    mr, pet = (node.GetID() for node in nodes.sources)
    hang(scene, Hanging(nodes.sources, nodes, opacity=0.3))
    for plane in ("Axial", "Coronal", "Sagittal"):
        assert shown(scene, "anatomy", plane) == (mr, None)
        assert shown(scene, "function", plane) == (pet, None)
        assert shown(scene, "fused", plane) == (nodes.colour.GetID(), None)
    assert shown(scene, "layers") == (mr, pet)
    assert composite_of(scene, "layers").GetForegroundOpacity() == pytest.approx(0.3)
    assert shown(scene, "contribution") == (nodes.fused.GetID(), nodes.contribution[1].GetID())
    assert shown(scene, "invention") == (nodes.fused.GetID(), nodes.invention.GetID())
    assert all(one.GetLinkedControl() for one in composite_nodes(scene))


def test_before_a_fusion_the_fused_views_show_two_layers(scene, result, open_slices):
    open_slices("three-planes"), open_slices("comparison")
    nodes = show_result(result, scene)
    hang(scene, Hanging(nodes.sources, None))
    assert shown(scene, "fused") == tuple(node.GetID() for node in nodes.sources)
    assert shown(scene, "invention") == (None, None)
    hang(scene, Hanging(nodes.sources, nodes, shown=LAYERS, opacity=1.0))
    assert shown(scene, "fused") == tuple(node.GetID() for node in nodes.sources)
    assert composite_of(scene, "fused").GetForegroundOpacity() == 1.0


def test_a_map_of_trust_goes_on_top_of_the_fused_volume(scene, result, open_slices):
    open_slices("three-planes")
    nodes = show_result(result, scene)
    hang(scene, Hanging(nodes.sources, nodes, map_name="contribution", map_source=0))
    assert shown(scene, "fused", "Coronal") == (nodes.fused.GetID(), nodes.contribution[0].GetID())
    assert nodes.contribution[0].GetDisplayNode().GetColorNode().GetName() == "Rainbow"
    # a map that the result does not have changes nothing
    hang(scene, Hanging(nodes.sources, nodes, map_name="stability"))
    assert shown(scene, "fused") == (nodes.colour.GetID(), None)


def test_views_that_are_made_after_the_result_show_it(scene, result, mr, pet, open_slices):
    nodes = logic.show(result, [node_from_volume(volume, scene) for volume in (mr, pet)], scene)
    open_slices("three-planes")
    assert shown(scene, "anatomy") == (nodes.sources[0].GetID(), None)
    assert shown(scene, "fused", "Sagittal") == (nodes.colour.GetID(), None)


def test_views_are_followed_once_and_stay_empty_without_a_result(scene, open_slices):
    follow_new_views(scene)
    follow_new_views(scene)
    open_slices("three-planes")
    assert shown(scene, "fused") == (None, None)


def test_all_views_have_one_zoom_and_cut_through_one_place(application, scene, result, open_slices):
    open_slices("three-planes")
    nodes = show_result(result, scene)
    fit_views(application.application_logic, nodes.sources[0], (7.0, -5.0, 4.5))
    for role in ("anatomy", "function", "fused"):
        cuts = {plane: slice_node(scene, role, plane).GetSliceToRAS() for plane in ("Axial", "Coronal")}
        assert cuts["Axial"].GetElement(2, 3) == pytest.approx(4.5)
        assert cuts["Coronal"].GetElement(1, 3) == pytest.approx(-5.0)
    zooms = {tuple(slice_node(scene, role).GetFieldOfView()[:2]) for role in ("anatomy", "function", "fused")}
    assert len(zooms) == 1


def test_without_a_place_all_views_cut_through_the_middle_of_the_reference(application, scene, mr, pet, open_slices):
    open_slices("three-planes")
    coarse = pet.geometry.ijk_to_ras @ np.diag([3.0, 3.0, 3.0, 1.0])
    moved = replace(pet, array=pet.array[::3, ::3, ::3], geometry=Geometry(pet.array[::3, ::3, ::3].shape, coarse))
    nodes = [node_from_volume(volume, scene) for volume in (mr, moved)]
    hang(scene, Hanging(nodes))
    fit_views(application.application_logic, nodes[0])
    for plane, axis in (("Axial", 2), ("Coronal", 1), ("Sagittal", 0)):
        cuts = [slice_node(scene, role, plane).GetSliceToRAS().GetElement(axis, 3) for role in ("anatomy", "function")]
        assert cuts == pytest.approx([0.0, 0.0], abs=1e-6)


def test_only_sources_in_real_units_get_a_legend_and_each_once(scene, result, open_slices):
    open_slices("three-planes")
    nodes = show_result(result, scene)
    hanging = Hanging(nodes.sources, nodes)
    hang(scene, hanging)
    hang_legends(scene, hanging, shown=True)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.sources[1])
    assert legend.GetVisibility() and legend.GetTitleText() == "PT, SUVbw g/ml"
    assert slice_node(scene, "function").GetID() in legend.GetViewNodeIDs()
    assert not any("fused" in view or "Coronal" in view for view in legend.GetViewNodeIDs())
    assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes.sources[0]) is None
    hang_legends(scene, hanging, shown=False)
    assert not legend.GetVisibility()


def pixels_of(picture):
    columns, rows, _ = picture.GetDimensions()
    return vtk_to_numpy(picture.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3].astype(int)


@pytest.fixture
def project(application, scene, mr, open_view):
    """A projection of one bright block on the patient's right, in front and low, seen from an angle: its columns."""
    array = np.zeros_like(mr.array)
    array[2:5, 2:8, 2:8] = 10.0  # L-P-S: low indices are right and anterior
    node = node_from_volume(mr.with_array(array), scene)
    show_window(node, Window(0, 10))
    view = open_view("fused-projection")
    view.picture()
    node_3d = projection_view(scene)
    body = next(one for cell, one in view.views.items() if not isinstance(cell, SliceCell))

    def projected(degrees, *, inverted):
        show_projection(node, application.logics["VolumeRendering"], node_3d, inverted=inverted)
        assert turn_projection(scene, node_3d, node, degrees)
        body.node.SetOrientationMarkerType(0)
        return pixels_of(body.picture()).mean(axis=2)

    return projected


def test_a_projection_from_the_front_has_the_patients_right_at_the_left(project):
    front = project(0, inverted=False)
    rows, columns = np.nonzero(front > 128)
    assert columns.mean() < 55 and rows.mean() > 65
    back = project(180, inverted=False)
    assert np.nonzero(back > 128)[1].mean() > 65


def test_a_projection_from_the_patients_left_has_anterior_at_the_left(project):
    assert np.nonzero(project(90, inverted=False) > 128)[1].mean() < 55


def test_an_inverted_projection_is_dark_on_white(project):
    picture = project(0, inverted=True)
    assert picture[5, 60] > 250
    assert picture.min() < 30


def test_colours_cannot_be_projected(application, scene, result, layouts):
    show_layout(scene, "fused-projection")
    nodes = show_result(result, scene)
    with pytest.raises(UsageError, match="fusion index"):
        show_projection(nodes.colour, application.logics["VolumeRendering"], projection_view(scene))
