"""The slice that a view shows, fused by itself."""

import numpy as np
import pytest
import slicer
import slicer.util

import MedFusionLib
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.volume import Case, Geometry
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.preview import PreviewLayer, PreviewSources, is_quick, plane_of
from MedFusionScene.snapshot import take_snapshot
from phantoms import head_pair, oblique_geometry


@pytest.fixture
def view(scene):
    """A slice node and its composite node."""
    made = []
    for kind in (slicer.vtkMRMLSliceNode, slicer.vtkMRMLSliceCompositeNode):
        one = kind()
        one.SetLayoutName("Red")
        made.append(scene.AddNode(one))  # of a layout's name there is one only
    node, composite = made
    node.SetOrientation("Axial")
    node.SetDimensions(200, 200, 1)
    node.SetFieldOfView(200, 200, 1)
    return node, composite


@pytest.fixture
def pair():
    return head_pair()


def offset_of(geometry, axis, index):
    """RAS of a voxel in the middle of a slice of the grid."""
    ijk = [(n - 1) / 2 for n in geometry.shape[::-1]]
    ijk[2 - axis] = index
    return geometry.to_ras(ijk)


@pytest.mark.parametrize("method", ["laplacian", "maximum", "dwt"])
def test_the_preview_equals_the_slice_of_the_whole_fusion(view, pair, method):
    node, _ = view
    whole = MedFusionLib.fuse(Case(pair), method, "slice")
    node.JumpSliceByCentering(*offset_of(pair[0].geometry, 0, 11))
    preview = PreviewSources.of(Case(pair)).fuse(plane_of(node, pair[0].geometry), create_method(method))
    assert preview.plane.cut == (0, 11)
    np.testing.assert_allclose(preview.fused[0], whole.fused.array[11], atol=1e-5)
    assert np.abs(preview.colour[0].astype(int) - whole.colour[11]).max() <= 1


@pytest.mark.parametrize(("orientation", "axis"), [("Axial", 0), ("Coronal", 1), ("Sagittal", 2)])
def test_every_orientation_takes_the_reference_as_it_is(view, pair, orientation, axis):
    node, _ = view
    geometry = pair[0].geometry
    node.SetOrientation(orientation)
    node.JumpSliceByCentering(*offset_of(geometry, axis, 7))
    plane = plane_of(node, geometry)
    assert plane.cut == (axis, 7)
    corner = [0, 0, 0]
    corner[2 - axis] = 7
    np.testing.assert_allclose(plane.grid.to_ras([0, 0, 0]), geometry.to_ras(corner), atol=1e-9)
    last = [n - 1 for n in geometry.shape[::-1]]
    last[2 - axis] = 7
    _, rows, columns = plane.grid.shape
    np.testing.assert_allclose(plane.grid.to_ras([columns - 1, rows - 1, 0]), geometry.to_ras(last), atol=1e-9)


def test_the_preview_is_shown_where_the_view_cuts(view, pair):
    node, _ = view
    place = np.add(offset_of(pair[0].geometry, 0, 11), [0, 0, 0.9])  # between two slices of 2.5 mm
    node.JumpSliceByCentering(*place)
    plane = plane_of(node, pair[0].geometry)
    assert plane.cut == (0, 11)
    assert plane.shown.to_ras([3, 4, 0])[2] == pytest.approx(place[2])
    assert plane.grid.to_ras([3, 4, 0])[2] == pytest.approx(place[2] - 0.9)


def test_a_view_beside_the_reference_shows_nothing(view, pair):
    node, _ = view
    node.JumpSliceByCentering(0, 0, 500)
    assert plane_of(node, pair[0].geometry) is None
    matrix = node.GetSliceToRAS()
    turned = np.eye(4)
    turned[:3, 0], turned[:3, 1], turned[:3, 2] = (0.8, 0, 0.6), (0, 1, 0), (-0.6, 0, 0.8)
    turned[:3, 3] = (0, 0, 700)
    matrix.DeepCopy(turned.ravel().tolist())
    assert plane_of(node, pair[0].geometry) is None


def test_an_oblique_view_cuts_through_the_volume_as_slicer_does(view, pair):
    node, _ = view
    turned = np.eye(4)
    turned[:3, 0], turned[:3, 1], turned[:3, 2] = (0.8, 0, 0.6), (0, 1, 0), (-0.6, 0, 0.8)
    turned[:3, 3] = offset_of(pair[0].geometry, 0, 12)
    node.GetSliceToRAS().DeepCopy(turned.ravel().tolist())
    plane = plane_of(node, pair[0].geometry)
    assert plane.cut is None
    preview = PreviewSources.of(Case(pair)).fuse(plane, create_method("maximum"))
    # the mark and the lesion are brightest: where the fused slice is bright, one of the sources is at that place
    row, column = np.unravel_index(preview.fused[0].argmax(), preview.fused[0].shape)
    ijk = np.rint(pair[0].geometry.to_ijk(plane.grid.to_ras([column, row, 0]))).astype(int)
    near = [source.array[tuple(slice(max(n - 1, 0), n + 2) for n in ijk[::-1])].max() for source in pair]
    assert near[0] > 0.8 * pair[0].array.max() or near[1] > 0.8 * pair[1].array.max()


def test_a_moving_source_on_its_own_grid_is_sampled_around_the_slice_only(view, pair):
    node, _ = view
    mr, pet = pair
    other = Geometry(mr.geometry.shape, oblique_geometry(3).ijk_to_ras)
    turned = MedFusionLib.Volume(pet.array, other, "PT", pet.unit, "turned")
    node.JumpSliceByCentering(*offset_of(mr.geometry, 0, 11))
    sources = PreviewSources.of(Case([mr, turned]))
    preview = sources.fuse(plane_of(node, mr.geometry), create_method("average"))
    whole = MedFusionLib.fuse(Case([mr, turned]), "average", "slice", force=True)
    np.testing.assert_allclose(preview.fused[0], whole.fused.array[11], atol=1e-5)


def test_the_layer_comes_and_goes_without_touching_anything_else(view, pair, scene):
    node, composite = view
    nodes = [node_from_volume(volume, scene) for volume in pair]
    composite.SetBackgroundVolumeID(nodes[0].GetID())
    composite.SetForegroundVolumeID(nodes[1].GetID())
    composite.SetForegroundOpacity(0.3)
    before = scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    node.JumpSliceByCentering(*offset_of(pair[0].geometry, 0, 11))
    sources = PreviewSources.of(Case([take_snapshot(one).volume() for one in nodes]))
    layer = PreviewLayer(composite)
    for index in (11, 12):
        node.JumpSliceByCentering(*offset_of(pair[0].geometry, 0, index))
        layer.show(sources.fuse(plane_of(node, pair[0].geometry), create_method("average")))
    shown = scene.GetNodeByID(composite.GetBackgroundVolumeID())
    assert shown.IsA("vtkMRMLVectorVolumeNode") and shown.GetHideFromEditors() and not shown.GetSaveWithScene()
    assert slicer.util.arrayFromVolume(shown).shape == (1, 32, 28, 3)
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == before + 1
    layer.close()
    assert composite.GetBackgroundVolumeID() == nodes[0].GetID()
    assert composite.GetForegroundVolumeID() == nodes[1].GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.3)
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == before


def test_a_volume_that_somebody_chose_meanwhile_stays_in_the_view(view, pair, scene):
    node, composite = view
    nodes = [node_from_volume(volume, scene) for volume in pair]
    node.JumpSliceByCentering(*offset_of(pair[0].geometry, 0, 11))
    layer = PreviewLayer(composite)
    layer.show(PreviewSources.of(Case(pair)).fuse(plane_of(node, pair[0].geometry), create_method("average")))
    composite.SetBackgroundVolumeID(nodes[1].GetID())
    layer.close()
    assert composite.GetBackgroundVolumeID() == nodes[1].GetID()


def test_only_methods_that_were_measured_to_be_quick_are_previewed():
    quick = {info.name for info in MedFusionLib.methods() if is_quick(info)}
    assert {"average", "laplacian", "dwt"} <= quick
    assert not quick & {"curvelet", "mmi-fuse", "u2fusion", "csr"}  # too slow, by the table or by the catalogue
