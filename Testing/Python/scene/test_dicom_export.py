"""Exported DICOM lies at the same place for Slicer's own reader, in every plane."""

import numpy as np
import pytest
import slicer.util
import vtk

from export_cases import ExportCase
from MedFusionLib.io.dicom_export import export_result


@pytest.fixture(params=["axial", "sagittal", "oblique"])
def exported(request, tmp_path):
    case = ExportCase(tmp_path, request.param)
    result = case.result()
    export = export_result(result, case.references, ("sc", "sc-grey"), tmp_path / "out")
    return result, export.instances


def read(scene, entries, kind: str, node_class: str):
    """A volume node of one exported series; the files are in the order of their positions."""
    files = [entry["path"] for entry in entries if entry["kind"] == kind]
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(files[0])
    for file in files:
        storage.AddFileName(file)
    storage.SetSingleFile(False)
    node = scene.AddNewNodeByClass(node_class)
    assert storage.ReadData(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVolume(node), slicer.util.arrayFromVTKMatrix(matrix)


def test_slicer_reads_the_colour_series_voxel_by_voxel(scene, exported):
    result, entries = exported
    array, ijk_to_ras = read(scene, entries, "sc", "vtkMRMLVectorVolumeNode")
    geometry = result.fused.geometry
    for ijk in [(0, 0, 0), (7, 2, 4), (9, 7, 5)]:
        ras = geometry.to_ras(ijk)
        i, j, k = np.rint(np.linalg.inv(ijk_to_ras)[:3] @ [*ras, 1]).astype(int)
        np.testing.assert_allclose((ijk_to_ras @ [i, j, k, 1])[:3], ras, atol=1e-4)
        np.testing.assert_array_equal(array[k, j, i], result.colour[ijk[2], ijk[1], ijk[0]])


def test_slicer_reads_the_grey_series_with_its_numbers(scene, exported):
    result, entries = exported
    array, ijk_to_ras = read(scene, entries, "sc-grey", "vtkMRMLScalarVolumeNode")
    geometry = result.fused.geometry
    k, j, i = np.indices(geometry.shape)
    ras = geometry.to_ras(np.stack([i, j, k], axis=-1).reshape(-1, 3))
    inverse = np.linalg.inv(ijk_to_ras)
    found = ras @ inverse[:3, :3].T + inverse[:3, 3]
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    i, j, k = np.rint(found).astype(int).T
    np.testing.assert_allclose(array[k, j, i].reshape(geometry.shape), result.fused.array, atol=0.5 / 65535 + 1e-6)
