"""Values under the crosshair: the right voxel on any grid, through any transform, with its unit."""

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st

from MedFusionLib import units
from MedFusionLib.volume import Geometry, Volume
from MedFusionScene.nodes import colour_node_from_array, node_from_volume
from MedFusionScene.probe import CursorFollower, crosshair_node, describe_position, show_crosshair, values_at

SHEARED = np.array([[1.5, 0.4, 0.0, -10.0], [0.0, -2.0, 0.3, 12.0], [0.2, 0.0, 2.5, -8.0], [0, 0, 0, 1.0]])


def numbered(matrix=SHEARED, shape=(5, 6, 7)) -> Volume:
    """Every voxel holds a number of its own."""
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(array, Geometry(shape, matrix), "PT", units.SUV_BODY_WEIGHT, "pet")


def under(node, scene, kind, move):
    transform = scene.AddNewNodeByClass(kind)
    move(transform)
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


@pytest.mark.parametrize("ijk", [(0, 0, 0), (6, 5, 4), (3, 2, 1)])
def test_a_voxel_centre_on_a_sheared_grid_gives_its_own_value(scene, ijk):
    volume = numbered()
    (reading,) = values_at([node_from_volume(volume, scene)], volume.geometry.to_ras(np.array(ijk)))
    assert reading.ijk == ijk
    assert reading.value == volume.array[ijk[::-1]]
    assert str(reading) == f"PT: {reading.value:.4g} SUVbw g/ml"


def test_half_a_voxel_decides_and_the_last_border_is_outside(scene):
    volume = numbered(np.eye(4))
    node = node_from_volume(volume, scene)
    assert values_at([node], (2.49, 0, 0))[0].ijk == (2, 0, 0)
    assert values_at([node], (2.51, 0, 0))[0].ijk == (3, 0, 0)
    assert values_at([node], (-0.49, 0, 0))[0].value is not None
    outside = values_at([node], (-0.51, 0, 0))[0]
    assert (outside.value, outside.ijk, str(outside)) == (None, None, "PT: outside")


def test_a_parent_transform_moves_what_is_read(scene):
    volume = numbered()
    node = node_from_volume(volume, scene)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([0, -1, 0, 5, 1, 0, 0, -3, 0, 0, 1, 7, 0, 0, 0, 1])
    under(node, scene, "vtkMRMLLinearTransformNode", lambda one: one.SetMatrixTransformToParent(matrix))
    x, y, z = volume.geometry.to_ras(np.array((4, 1, 2)))
    assert values_at([node], (5 - y, x - 3, z + 7))[0].ijk == (4, 1, 2)


def test_a_bent_transform_is_followed_as_well(scene):
    volume = numbered(np.diag([2.0, 2.0, 2.0, 1.0]))
    node = node_from_volume(volume, scene)
    spline = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        point = 10.0 * np.array(corner)
        source.InsertNextPoint(*point)
        target.InsertNextPoint(point[0] + 4.0, point[1], point[2])
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    spline.SetBasisToR()
    under(node, scene, "vtkMRMLTransformNode", lambda one: one.SetAndObserveTransformToParent(spline))
    assert values_at([node], (8.0, 4.0, 6.0))[0].ijk == (2, 2, 3)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*(st.floats(-40, 40) for _ in range(3))))
def test_any_place_reads_the_nearest_voxel_or_says_outside(application, ras):
    volume = numbered()
    node = node_from_volume(volume, application.scene)
    reading = values_at([node], ras)[0]
    inverse = np.linalg.inv(SHEARED) @ [*ras, 1.0]
    nearest = np.floor(inverse[:3] + 0.5).astype(int)
    inside = ((nearest >= 0) & (nearest < (7, 6, 5))).all()
    assert (reading.value is not None) == inside
    if inside:
        assert reading.value == volume.array[tuple(nearest[::-1])]
    application.scene.RemoveNode(node)


def test_a_colour_volume_gives_its_components_and_an_empty_one_nothing(scene, grid):
    colours = np.zeros((*grid.shape, 3), np.uint8)
    colours[...] = (1, 2, 3)
    colour = colour_node_from_array(colours, grid, scene, "fused")
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    found = values_at([colour, empty], grid.to_ras(np.array((1, 1, 1))))
    assert found[0].value == (1.0, 2.0, 3.0)
    assert found[1].value is None


def test_an_unknown_unit_is_said_to_be_unknown(scene):
    volume = Volume(numbered().array, numbered().geometry, "PT", units.UNKNOWN, "pet")
    (reading,) = values_at([node_from_volume(volume, scene)], volume.geometry.to_ras(np.zeros(3)))
    assert "unit unknown" in str(reading)


def test_a_position_is_told_in_words_of_the_patient():
    assert describe_position((12.04, -3.5, -40)) == "R 12.0  P 3.5  I 40.0 mm"


def test_the_mouse_is_followed_until_it_is_told_to_stop(scene):
    volume = numbered()
    nodes = [node_from_volume(volume, scene)]
    told = []
    follower = CursorFollower(scene, lambda: nodes, lambda readings, ras: told.append((readings, ras)))
    place = volume.geometry.to_ras(np.array((3, 2, 1)))
    crosshair_node(scene).SetCursorPositionRAS(list(place))
    assert told[-1][0][0].ijk == (3, 2, 1)
    assert told[-1][1] == pytest.approx(tuple(place))
    scene.RemoveNode(nodes[0])  # deleted while the mouse moves
    crosshair_node(scene).SetCursorPositionRAS([0.0, 0.0, 0.0])
    assert told[-1][0] == ()
    crosshair_node(scene).SetCursorPositionInvalid()
    assert told[-1] == ((), None)
    follower.stop()
    count = len(told)
    crosshair_node(scene).SetCursorPositionRAS([1.0, 1.0, 1.0])
    assert len(told) == count


def test_the_crosshair_is_drawn_and_moves_all_views(scene):
    crosshair = crosshair_node(scene)
    show_crosshair(scene, shown=True)
    assert crosshair.GetCrosshairMode() == slicer.vtkMRMLCrosshairNode.ShowSmallBasic
    assert crosshair.GetCrosshairBehavior() == slicer.vtkMRMLCrosshairNode.OffsetJumpSlice
    show_crosshair(scene, shown=False)
    assert crosshair.GetCrosshairMode() == slicer.vtkMRMLCrosshairNode.NoCrosshair
