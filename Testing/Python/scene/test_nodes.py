"""Between volume nodes and volumes nothing is lost, guessed in silence, or changed."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
import slicer.util
import vtk

from MedFusionLib import units
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.volume import Origin
from MedFusionScene.nodes import colour_node_from_array, node_from_volume, set_unit, volume_from_node


def _scalar_node(scene, name="volume", array=None):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ones((3, 4, 5), np.float32) if array is None else array)
    return node


def _linear(scene, *, angle=0.0, shift=(0.0, 0.0, 0.0)):
    transform = vtk.vtkTransform()
    transform.Translate(*shift)
    transform.RotateZ(angle)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def test_a_volume_comes_back_from_its_node_as_it_was(scene, pet):
    found = volume_from_node(node_from_volume(pet, scene))
    assert found.geometry.same_grid(pet.geometry, 1e-9)
    np.testing.assert_array_equal(found.array, pet.array)
    assert (found.modality, found.unit, found.name) == ("PT", units.SUV_BODY_WEIGHT, "pet")


def test_float_voxels_are_shared_with_the_node(scene):
    node = _scalar_node(scene)
    assert np.shares_memory(volume_from_node(node).array, slicer.util.arrayFromVolume(node))


def test_suv_is_written_as_a_coded_quantity(scene, pet):
    node = node_from_volume(pet, scene)
    assert node.GetVoxelValueUnits().GetCodeValue() == "{SUVbw}g/ml"
    assert node.GetVoxelValueUnits().GetCodingSchemeDesignator() == "UCUM"
    assert node.GetVoxelValueQuantity().GetCodeValue() == "126400"


def test_an_unknown_unit_is_never_taken_for_suv(scene):
    found = volume_from_node(_scalar_node(scene, "pet"), modality="PT")
    assert found.unit == units.UNKNOWN


def test_the_modality_of_the_dicom_series_is_taken(scene):
    node = _scalar_node(scene, "pet")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "CT")
    found = volume_from_node(node)
    assert (found.modality, found.unit, found.source.notes) == ("CT", units.HOUNSFIELD, ())


def test_an_argument_overrides_what_the_node_says(scene, pet):
    found = volume_from_node(node_from_volume(pet, scene), modality="NM", unit="counts")
    assert (found.modality, found.unit) == ("NM", units.COUNTS)


def test_the_number_one_that_slicer_writes_onto_an_mr_is_no_fusion_index(scene, mr):
    node = node_from_volume(mr, scene)
    set_unit(node, units.FUSION_INDEX)
    assert volume_from_node(node).unit == units.ARBITRARY
    assert volume_from_node(node, modality="OT").unit == units.FUSION_INDEX


def test_a_transform_ends_the_claim_to_a_frame_of_reference(scene, mr):
    node = node_from_volume(replace(mr, source=Origin(frame_of_reference="ab12")), scene)
    assert volume_from_node(node).source.frame_of_reference == "ab12"
    node.SetAndObserveTransformNodeID(_linear(scene, shift=(9, 0, 0)).GetID())
    assert volume_from_node(node).source.frame_of_reference == ""


def test_a_modality_guessed_from_the_name_is_noted(scene):
    found = volume_from_node(_scalar_node(scene, "FDG_PET"))
    assert found.modality == "PT"
    assert found.source.notes == ("modality PT guessed from the name",)


def test_a_linear_parent_transform_moves_the_volume_and_not_the_node(scene, mr):
    node = node_from_volume(mr, scene)
    node.SetAndObserveTransformNodeID(_linear(scene, angle=90, shift=(10, 0, 0)).GetID())
    found = volume_from_node(node)
    corner = mr.geometry.origin_ras
    np.testing.assert_allclose(found.geometry.origin_ras, (10 - corner[1], corner[0], corner[2]), atol=1e-9)
    assert node.GetParentTransformNode() is not None
    assert node.GetOrigin() == tuple(corner)


def test_a_chain_of_parent_transforms_adds_up(scene, mr):
    node, inner, outer = (
        node_from_volume(mr, scene),
        _linear(scene, shift=(1, 2, 3)),
        _linear(scene, shift=(10, 20, 30)),
    )
    node.SetAndObserveTransformNodeID(inner.GetID())
    inner.SetAndObserveTransformNodeID(outer.GetID())
    np.testing.assert_allclose(
        volume_from_node(node).geometry.origin_ras, np.add(mr.geometry.origin_ras, (11, 22, 33)), atol=1e-9
    )


def test_a_non_linear_parent_transform_is_refused(scene, mr):
    node = node_from_volume(mr, scene)
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for point in ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9)):
        points.InsertNextPoint(point)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(points)
    warp.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(NotSupported, match="non-linear transform"):
        volume_from_node(node)


def test_a_colour_node_is_a_true_rgb_volume(scene, grid):
    colours = np.arange(np.prod(grid.shape) * 3, dtype=np.uint64).astype(np.uint8).reshape(*grid.shape, 3)
    node = colour_node_from_array(colours, grid, scene, "colour")
    assert node.GetVoxelVectorType() == slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), colours)


def test_nothing_chosen_is_refused():
    with pytest.raises(UsageError, match="No volume was chosen"):
        volume_from_node(None)


def test_an_empty_node_is_refused_by_name(scene):
    with pytest.raises(UsageError, match="hollow is empty"):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow"))


def test_a_label_map_is_refused_as_a_source(scene):
    with pytest.raises(UsageError, match="mask is a label map"):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "mask"))


def test_a_colour_volume_is_refused_as_a_source(scene, grid):
    with pytest.raises(UsageError, match="rendering is in colour"):
        volume_from_node(colour_node_from_array(np.zeros((*grid.shape, 3), np.uint8), grid, scene, "rendering"))


def test_a_node_that_is_no_volume_is_refused(scene):
    with pytest.raises(UsageError, match="surface is not a volume"):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLModelNode", "surface"))


def test_values_that_are_not_finite_are_refused(scene):
    array = np.ones((3, 4, 5), np.float32)
    array[1, 1, 1] = np.nan
    with pytest.raises(UsageError, match="not finite"):
        volume_from_node(_scalar_node(scene, array=array))


def test_a_window_given_with_the_voxels_is_the_one_that_is_shown(scene, mr):
    display = node_from_volume(mr, scene, window=Window(100, 300)).GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (100, 300)
    assert not display.GetAutoWindowLevel() and not display.GetApplyThreshold()
