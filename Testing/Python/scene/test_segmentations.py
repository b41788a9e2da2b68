"""Segmentations keep their voxels, their place and their meaning on the way into MRML and back."""

import numpy as np
import pytest
import slicer
import vtk

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.io.markups import read_roi
from MedFusionLib.io.segmentation_file import write_segmentation
from MedFusionLib.segmentation import MASS, PRIMARY_NEOPLASM, Segment, Segmentation, segment_types
from MedFusionScene.segmentations import node_from_segmentation, segmentation_from_node


def _two_segments(lesion) -> Segmentation:
    labels = lesion.labels.copy()
    labels[2:4, 3:6, 20:24] = 2
    second = Segment(2, "Other", (0.0, 0.5, 1.0), PRIMARY_NEOPLASM)
    return Segmentation(labels, lesion.geometry, (*lesion.segments, second))


def _on_grid(found: Segmentation, grid) -> np.ndarray:
    """The labels (possibly cropped) on the grid that they came from."""
    first = np.rint(grid.to_ijk(found.geometry.origin_ras)).astype(int)[::-1]
    labels = np.zeros(grid.shape, np.uint8)
    labels[tuple(slice(a, a + n) for a, n in zip(first, found.geometry.shape))] = found.labels
    return labels


def test_a_segmentation_comes_back_voxel_exact_with_its_meaning(scene, lesion):
    whole = _two_segments(lesion)
    found = segmentation_from_node(node_from_segmentation(whole, scene))
    np.testing.assert_array_equal(_on_grid(found, lesion.geometry), whole.labels)
    assert [segment.name for segment in found.segments] == ["Lesion", "Other"]
    assert [segment.type_code for segment in found.segments] == [MASS, PRIMARY_NEOPLASM]
    np.testing.assert_allclose(found.segments[1].colour, (0.0, 0.5, 1.0))


def test_the_terminology_is_written_as_slicer_writes_it(scene, lesion):
    segment = node_from_segmentation(lesion, scene).GetSegmentation().GetNthSegment(0)
    tag = vtk.mutable("")
    assert segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
    parts = str(tag).split("~")
    assert parts[0] == "Segmentation category and type - DICOM master list"
    assert parts[1:3] == ["SCT^49755003^Morphologically Altered Structure", "SCT^4147007^Mass"]


def test_a_tumour_is_shown_as_outline_and_as_surface(scene, lesion):
    node = node_from_segmentation(lesion, scene)
    assert node.GetDisplayNode().GetVisibility2DOutline()
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_slicer_reads_the_librarys_file_with_names_and_terminology(scene, tmp_path, lesion):
    path = tmp_path / "tumour.seg.nrrd"
    write_segmentation(_two_segments(lesion), path)
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    found = segmentation_from_node(node)
    np.testing.assert_array_equal(_on_grid(found, lesion.geometry), _two_segments(lesion).labels)
    assert [(one.name, one.type_code) for one in found.segments] == [("Lesion", MASS), ("Other", PRIMARY_NEOPLASM)]


def test_a_moved_segmentation_is_read_where_it_is_seen(scene, lesion):
    node = node_from_segmentation(lesion, scene)
    before = segmentation_from_node(node).geometry.origin_ras
    transform = vtk.vtkTransform()
    transform.Translate(7, -5, 3)
    parent = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    parent.SetMatrixTransformToParent(transform.GetMatrix())
    node.SetAndObserveTransformNodeID(parent.GetID())
    np.testing.assert_allclose(segmentation_from_node(node).geometry.origin_ras, np.add(before, (7, -5, 3)), atol=1e-6)


def test_overlapping_segments_are_refused(scene, lesion):
    node = node_from_segmentation(lesion, scene)
    grown = lesion.labels.copy()
    grown[7:13, 13:20, 3:11] = 1
    other = node_from_segmentation(Segmentation(grown, lesion.geometry, lesion.segments), scene)
    node.GetSegmentation().AddSegment(other.GetSegmentation().GetNthSegment(0), "second")
    with pytest.raises(NotSupported, match="overlap"):
        segmentation_from_node(node)


def test_a_segmentation_without_segments_is_refused(scene):
    with pytest.raises(UsageError, match="no segments"):
        segmentation_from_node(scene.AddNewNodeByClass("vtkMRMLSegmentationNode"))


def test_the_reference_geometry_is_that_of_the_image(scene, lesion, mr):
    from MedFusionScene.nodes import node_from_volume

    image = node_from_volume(mr, scene)
    node = node_from_segmentation(lesion, scene, reference=image)
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is image


def test_slicer_reads_every_type_of_segment_with_its_codes_and_colour(scene, tmp_path, lesion):
    labels = np.zeros(lesion.geometry.shape, np.uint8)
    types = segment_types()
    segments = []
    for number, (name, kind) in enumerate(types.items(), start=1):
        labels[2:5, 3:6, 2 * number : 2 * number + 2] = number
        segments.append(Segment(number, name, kind.colour, kind.type_code, kind.category_code))
    path = tmp_path / "types.seg.nrrd"
    write_segmentation(Segmentation(labels, lesion.geometry, tuple(segments)), path)
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    found = segmentation_from_node(node)
    np.testing.assert_array_equal(_on_grid(found, lesion.geometry), labels)
    for one, (name, kind) in zip(found.segments, types.items()):
        assert (one.name, one.type_code, one.category_code) == (name, kind.type_code, kind.category_code)
        np.testing.assert_allclose(one.colour, kind.colour, atol=1e-3)


def test_a_box_drawn_in_slicer_marks_the_same_voxels(scene, tmp_path, mr):
    transform = vtk.vtkTransform()
    transform.Translate(5, -7, 11)
    transform.RotateZ(30)
    transform.RotateX(20)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetRadiusXYZ(10, 15, 20)
    roi.SetAndObserveObjectToNodeMatrix(transform.GetMatrix())
    storage = slicer.vtkMRMLMarkupsROIJsonStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "roi.mrk.json"))
    assert storage.WriteData(roi)
    mask = read_roi(tmp_path / "roi.mrk.json").mask_on(mr.geometry)
    assert 0 < mask.sum() < mask.size
    sides = vtk.vtkPlanes()
    roi.GetTransformedPlanes(sides)
    for k, j, i in np.random.default_rng(0).integers(0, mr.geometry.shape, (200, 3)):
        assert (sides.EvaluateFunction(mr.geometry.to_ras((i, j, k))) <= 0) == mask[k, j, i]
