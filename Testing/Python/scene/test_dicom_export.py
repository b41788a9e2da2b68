"""Exported DICOM lies at the same place in a scene, in every plane: by Slicer's own reader, or by the library's."""

import numpy as np
import pytest
import slicer.util
import vtk

from export_cases import ExportCase
from MedFusionLib.io import read_dicom_segmentation, read_volume
from MedFusionLib.io.dicom_export import ExportOptions, export_result
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.segmentations import LABELMAP, node_from_segmentation


@pytest.fixture(scope="module", params=["axial", "sagittal", "oblique"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    case = ExportCase(folder, request.param)
    result = case.result()
    export = export_result(result, case.references, ("sc", "sc-grey", "pm", "seg"), folder / "out")
    several = export_result(
        result, case.references, ("sc", "sc-grey"), folder / "multi", ExportOptions(multiframe=True)
    )
    return result, export.instances, several.instances


def read(scene, entries, kind: str, node_class: str):
    """Voxels and matrix of a volume node, by Slicer's own reader; the files are in the order of their positions."""
    files = [entry["path"] for entry in entries if entry["kind"] == kind]
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(files[0])
    for file in files:
        storage.AddFileName(file)
    storage.SetSingleFile(len(files) == 1)
    node = scene.AddNewNodeByClass(node_class)
    assert storage.ReadData(node)
    return slicer.util.arrayFromVolume(node), matrix_of(node)


def matrix_of(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def indices(geometry, ijk_to_ras):
    """Where every voxel of a grid lies in an array of the scene, as (k, j, i) of whole numbers."""
    k, j, i = np.indices(geometry.shape)
    ras = geometry.to_ras(np.stack([i, j, k], axis=-1).reshape(-1, 3))
    inverse = np.linalg.inv(ijk_to_ras)
    found = ras @ inverse[:3, :3].T + inverse[:3, 3]
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    return tuple(np.rint(found).astype(int).T[::-1])


@pytest.mark.parametrize("which", [1, 2], ids=["series", "multi-frame"])
def test_slicer_reads_colours_voxel_by_voxel(scene, exported, which):
    result, entries = exported[0], exported[which]
    array, ijk_to_ras = read(scene, entries, "sc", "vtkMRMLVectorVolumeNode")
    found = array[indices(result.fused.geometry, ijk_to_ras)]
    np.testing.assert_array_equal(found.reshape(result.colour.shape), result.colour)


@pytest.mark.parametrize("which", [1, 2], ids=["series", "multi-frame"])
def test_slicer_reads_grey_values_with_their_numbers(scene, exported, which):
    result, entries = exported[0], exported[which]
    array, ijk_to_ras = read(scene, entries, "sc-grey", "vtkMRMLScalarVolumeNode")
    values = array[indices(result.fused.geometry, ijk_to_ras)].reshape(result.fused.geometry.shape)
    np.testing.assert_allclose(values, result.fused.array, atol=0.5 / 65535 + 1e-6)


def path_of(entries, kind):
    return next(entry["path"] for entry in entries if entry["kind"] == kind)


def test_a_parametric_map_lands_in_the_scene_bit_by_bit(scene, exported):
    result, entries, _ = exported
    node = node_from_volume(read_volume(path_of(entries, "pm")), scene)
    place = indices(result.fused.geometry, matrix_of(node))
    array = slicer.util.arrayFromVolume(node)
    np.testing.assert_array_equal(array[place].reshape(result.fused.array.shape), result.fused.array)
    assert node.GetVoxelValueUnits().GetCodeValue() == result.fused.unit.code


def test_a_segmentation_lands_in_the_scene_voxel_by_voxel_with_its_names(scene, exported):
    result, entries, _ = exported
    node = node_from_segmentation(read_dicom_segmentation(path_of(entries, "seg")), scene)
    assert node.GetSegmentation().GetNumberOfSegments() == len(result.tumour.segments) == 2
    for number, segment in enumerate(result.tumour.segments):
        stored = node.GetSegmentation().GetNthSegment(number)
        assert stored.GetName() == segment.name
        labelmap, matrix = stored.GetRepresentation(LABELMAP), vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(matrix)
        k, j, i = indices(result.tumour.geometry, slicer.util.arrayFromVTKMatrix(matrix))
        low, high = np.reshape(labelmap.GetExtent(), (3, 2)).T
        inside = np.all([(n >= a) & (n <= b) for n, a, b in zip((i, j, k), low, high)], axis=0)
        marked = np.zeros(inside.shape, bool)
        marked[inside] = [
            labelmap.GetScalarComponentAsDouble(*map(int, place), 0) == stored.GetLabelValue()
            for place in zip(i[inside], j[inside], k[inside])
        ]
        np.testing.assert_array_equal(marked.reshape(result.tumour.labels.shape), result.tumour.labels == segment.label)
