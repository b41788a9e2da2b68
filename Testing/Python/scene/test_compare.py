"""Looking at two volumes, registrations as nodes, and maps of trust as overlays."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import slicer.util
import vtk

from MedFusionLib.align import check_alignment
from MedFusionLib.align.pose import rigid_matrix
from MedFusionLib.align.transform import map_points, to_transform
from MedFusionLib.errors import UsageError
from MedFusionLib.volume import Case, Geometry, Volume
from MedFusionScene.compare import KINDS, Flicker, compare, pattern_of
from MedFusionScene.display import composite_nodes
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.show import show_result
from MedFusionScene.transforms import transform_node
from MedFusionScene.trust_overlays import LOOKS, overlay_map


def composite(scene):
    return scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "view")


def moved(volume, matrix):
    geometry = Geometry(volume.geometry.shape, matrix @ volume.geometry.ijk_to_ras)
    return Volume(volume.array, geometry, volume.modality, volume.unit, volume.name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_comparison_goes_on_top_of_the_reference(scene, mr, pet, kind):
    reference = node_from_volume(mr, scene)
    made = compare(kind, reference, mr, pet, scene)
    view = composite(scene)
    made.show([view])
    assert view.GetBackgroundVolumeID() == reference.GetID()
    assert view.GetForegroundVolumeID() == made.overlay.GetID()
    assert view.GetForegroundOpacity() == 1.0
    matrix = vtk.vtkMatrix4x4()
    made.overlay.GetIJKToRASMatrix(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), mr.geometry.ijk_to_ras)


def test_a_checkerboard_shows_half_and_hides_half(scene, mr, pet):
    made = compare("checkerboard", node_from_volume(mr, scene), mr, pet, scene)
    values, display = slicer.util.arrayFromVolume(made.overlay), made.overlay.GetDisplayNode()
    shown = values >= display.GetLowerThreshold()
    assert display.GetApplyThreshold()
    assert 0.3 < shown.mean() < 0.7
    assert np.array_equal(values[shown], pet.array[shown])


def test_a_vertical_curtain_shows_the_moving_image_on_one_side_of_the_position(grid):
    pattern = pattern_of("curtain-vertical", grid, (10.0, 0, 0))
    right = grid.to_ras(np.argwhere(pattern)[:, ::-1])[:, 0]
    assert right.max() < 10.0
    assert pattern.mean() == pytest.approx(42 / 64, abs=0.02)
    cross = pattern_of("curtain-cross", grid)
    assert 0.4 < cross.mean() < 0.6
    assert pattern_of("curtain-horizontal", grid, (0, -1000, -1000)).sum() == 0


def test_equal_images_have_no_difference_and_edges_lie_on_edges(scene, mr):
    box = mr.with_array(np.zeros(mr.array.shape))
    array = box.array.copy()
    array[6:14, 10:26, 8:24] = 100
    box = box.with_array(array)
    reference = node_from_volume(box, scene)
    difference = compare("difference", reference, box, box, scene)
    assert not slicer.util.arrayFromVolume(difference.overlay).any()
    edges = slicer.util.arrayFromVolume(compare("edges", reference, box, box, scene).overlay) > 0
    assert edges.any() and not edges[10, 18, 16] and not edges[1, 2, 2]


def test_flicker_changes_from_one_to_the_other(scene, mr, pet):
    view = composite(scene)
    flicker = Flicker(node_from_volume(mr, scene), node_from_volume(pet, scene), [view])
    opacities = [view.GetForegroundOpacity()]
    for _ in range(3):
        flicker.step()
        opacities.append(view.GetForegroundOpacity())
    assert opacities == [0, 1, 0, 1]


def test_an_unknown_comparison_is_refused(scene, mr, pet):
    with pytest.raises(UsageError, match="checkerboard"):
        compare("magic", node_from_volume(mr, scene), mr, pet, scene)


def test_a_moving_node_under_its_transform_lies_on_the_reference(scene, mr):
    matrix = rigid_matrix((12, -5, 3, 0, 0, 20), np.zeros(3))
    far = node_from_volume(moved(mr, matrix), scene)
    far.SetAndObserveTransformNodeID(transform_node(to_transform(matrix), scene, "T").GetID())
    far.HardenTransform()
    world = vtk.vtkMatrix4x4()
    far.GetIJKToRASMatrix(world)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(world), mr.geometry.ijk_to_ras, atol=1e-6)


def test_a_b_spline_becomes_a_node_that_bends_points_the_same_way(scene, mr):
    image = sitk.Image([40, 40, 40], sitk.sitkFloat32)
    image.SetSpacing([2.0] * 3)
    image.SetOrigin([-40.0] * 3)
    spline = sitk.BSplineTransformInitializer(image, [3, 3, 3], order=3)
    spline.SetParameters(np.random.default_rng(0).uniform(-4, 4, len(spline.GetParameters())).tolist())
    bent = sitk.CompositeTransform([to_transform(rigid_matrix((3, 0, 0, 0, 0, 5), np.zeros(3))), spline])
    node = transform_node(bent, scene, "bent")
    back = node.GetTransformFromParent()
    point = (5.0, -8.0, 3.0)
    assert back.TransformPoint(point) == pytest.approx(map_points(bent, np.array([point]))[0], abs=0.01)


def test_maps_of_trust_lie_on_top_of_the_fused_volume_with_a_legend(scene, result):
    full = replace(result, loss=result.contribution * 0.1, stability=result.invention + 0.05)
    nodes = show_result(full, scene)
    view = composite(scene)
    for name, look in LOOKS.items():
        made = overlay_map(nodes, name, [view], source=1 if name in ("contribution", "loss") else 0)
        assert view.GetForegroundVolumeID() == made.GetID()
        assert made.GetDisplayNode().GetLowerThreshold() == pytest.approx(look.threshold)
        legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(made)
        assert legend.GetTitleText() == look.title
    with pytest.raises(UsageError, match="no loss map"):
        overlay_map(show_result(result, scene), "loss", [view])
    with pytest.raises(UsageError, match="Unknown map"):
        overlay_map(nodes, "magic", [view])


def test_the_contact_sheet_is_drawn_and_leaves_the_scene_as_it_was(application, scene, mr, pet, needs_gl, tmp_path):
    from PIL import Image

    from MedFusionScene.compare_sheet import draw_check

    before = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    verdict = check_alignment(Case([mr, pet]))
    path = draw_check(mr, pet, verdict, scene, application.application_logic, tmp_path / "check.png")
    pixels = np.asarray(Image.open(path))
    assert pixels.shape[1] == 6 * 300
    assert (pixels.reshape(-1, 3).max(axis=1) > 60).mean() > 0.1
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before
    assert composite_nodes(scene) == []
