"""A scene bundle brings everything back, voxel by voxel."""

import os

import numpy as np
import pytest
import slicer
import slicer.util

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.segmentation import MASS
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.nodes import volume_from_node
from MedFusionScene.segmentations import segmentation_from_node
from MedFusionScene.show import SCALAR_REFERENCE, SOURCE_REFERENCE, show_result


@pytest.fixture
def reopened(application, scene, result, tmp_path):
    """The scene of a result, written, emptied and read back."""
    show_result(result, scene)
    save_bundle(scene, tmp_path / "case.mrb")
    scene.Clear(0)
    open_bundle(scene, tmp_path / "case.mrb")
    return scene


def test_scalar_and_colour_voxels_survive_exactly(reopened, result):
    colour = reopened.GetFirstNodeByClass("vtkMRMLVectorVolumeNode")
    fused = volume_from_node(colour.GetNodeReference(SCALAR_REFERENCE))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(colour), result.colour)
    np.testing.assert_array_equal(fused.array, result.fused.array)
    assert fused.geometry.same_grid(result.fused.geometry, 1e-6)


def test_a_colour_volume_is_still_in_colour(reopened):
    colour = reopened.GetFirstNodeByClass("vtkMRMLVectorVolumeNode")
    assert colour.GetVoxelVectorType() == slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB


def test_sources_keep_modality_and_unit(reopened, result):
    colour = reopened.GetFirstNodeByClass("vtkMRMLVectorVolumeNode")
    sources = [volume_from_node(colour.GetNthNodeReference(SOURCE_REFERENCE, n)) for n in range(2)]
    assert [(s.modality, s.unit) for s in sources] == [(s.modality, s.unit) for s in result.sources]


def test_the_tumour_keeps_its_name_terminology_and_size(reopened, lesion):
    found = segmentation_from_node(reopened.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
    assert (found.segments[0].name, found.segments[0].type_code) == ("Lesion", MASS)
    assert np.count_nonzero(found.labels) == np.count_nonzero(lesion.labels)


def test_writing_leaves_nothing_but_the_bundle(scene, result, tmp_path):
    show_result(result, scene)
    save_bundle(scene, tmp_path / "case.mrb")
    assert [path.name for path in tmp_path.iterdir()] == ["case.mrb"]


def test_a_missing_folder_is_an_error_of_ours(scene, tmp_path):
    with pytest.raises(MedFusionError):
        save_bundle(scene, tmp_path / "nowhere" / "case.mrb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"not a zip archive"], ids=["missing", "broken"])
def test_what_is_no_bundle_is_refused_by_name(scene, tmp_path, content):
    path = tmp_path / "case.mrb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"case\.mrb"):
        open_bundle(scene, path)


def test_a_broken_bundle_does_not_take_the_working_folder_away(scene, tmp_path):
    before = os.getcwd()
    (tmp_path / "broken.mrb").write_bytes(b"no archive")
    with pytest.raises(UnreadableFile):
        open_bundle(scene, tmp_path / "broken.mrb")
    assert os.getcwd() == before
