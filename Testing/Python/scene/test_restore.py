"""A scene that was saved and loaded knows its results, how they looked, and can export them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util

from MedFusionLib.errors import UsageError
from MedFusionLib.io import load_result, save_result
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Volume
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.display import composite_nodes, show_colours
from MedFusionScene.hanging import Hanging, hang, hang_legends
from MedFusionScene.layouts import current_protocol, register_layouts, show_layout
from MedFusionScene.restore import result_from_nodes, result_nodes
from MedFusionScene.segmentations import node_from_segmentation
from MedFusionScene.show import show_result
from MedFusionScene.windows import apply_preset


def same_volume(one, other):
    np.testing.assert_allclose(one.array, other.array, atol=1e-4)
    np.testing.assert_allclose(one.geometry.ijk_to_ras, other.geometry.ijk_to_ras, atol=1e-6)
    assert (one.modality, one.unit) == (other.modality, other.unit)


def test_a_scene_without_a_result_has_none(scene, mr):
    from MedFusionScene.nodes import node_from_volume

    node = node_from_volume(mr, scene)
    assert result_nodes(scene) is None
    assert result_nodes(scene, node) is None


def test_the_newest_result_is_found_and_each_by_its_own_nodes(scene, result):
    first, second = show_result(result, scene), show_result(result, scene)
    assert result_nodes(scene).fused is second.fused
    for node in (first.fused, first.colour):
        found = result_nodes(scene, node)
        assert (found.fused, found.colour, found.sources) == (first.fused, first.colour, first.sources)
        assert (found.contribution, found.invention) == (first.contribution, first.invention)
        assert (found.segmentation, found.record, found.functional) == (first.segmentation, first.record, 1)


def test_a_result_whose_source_was_deleted_is_no_result(scene, result):
    nodes = show_result(result, scene)
    scene.RemoveNode(nodes.sources[0])
    assert result_nodes(scene) is None


def test_the_result_comes_back_from_its_nodes(scene, result, tmp_path):
    loss = np.stack([np.full(result.fused.array.shape, 0.1, np.float32)] * 2)
    back = result_from_nodes(show_result(replace(result, loss=loss, stability=loss[0]), scene))
    same_volume(back.fused, result.fused)
    for one, other in zip(back.sources, result.sources):
        same_volume(one, other)
    np.testing.assert_array_equal(back.colour, result.colour)
    np.testing.assert_allclose(back.contribution, result.contribution)
    np.testing.assert_allclose(back.loss, loss)
    assert back.windows == result.windows
    assert back.alignment == result.alignment
    assert back.provenance["method"] == "average"
    np.testing.assert_array_equal(back.tumour.labels, result.tumour.labels)  # on the whole grid, not its box
    assert back.tumour.geometry.same_grid(result.tumour.geometry)
    same_volume(load_result(save_result(back, tmp_path / "out")).fused, result.fused)


@pytest.mark.parametrize("kind", ["linear", "bent"])
def test_registered_sources_are_brought_onto_the_grid_once_more(scene, result, mr, pet, kind):
    from MedFusionLib.align import resample_to
    from MedFusionScene.nodes import node_from_volume

    if kind == "linear":
        transform = sitk.AffineTransform(3)
        transform.SetTranslation((4.0, -6.0, 3.0))
    else:
        transform = sitk.BSplineTransformInitializer(sitk.Image(32, 36, 20, sitk.sitkUInt8), [4, 4, 4])
        transform.SetParameters([2.0] * len(transform.GetParameters()))
    placed = resample_to(pet, mr.geometry, transform=transform)
    fused = replace(result, sources=(mr, placed), transforms=(transform,))
    nodes = show_result(fused, scene, source_nodes=[node_from_volume(volume, scene) for volume in (mr, pet)])
    back = result_from_nodes(result_nodes(scene, nodes.fused))
    same_volume(back.sources[1], placed)
    assert len(back.transforms) == 1


def test_a_broken_record_is_refused_with_a_sentence(scene, result):
    nodes = show_result(result, scene)
    nodes.record.SetText("{}")
    with pytest.raises(UsageError, match="Fuse again"):
        result_from_nodes(nodes)


def test_save_clear_and_load_restores_everything(application, scene, result, tmp_path):
    application.boot_layouts()
    show_layout(scene, "comparison")
    composite = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "mine")
    nodes = show_result(result, scene)
    parameters = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
    parameters.SetNodeReferenceID("fusedVolume", nodes.colour.GetID())
    apply_preset(nodes.sources[1], "suv-5")
    show_colours(nodes.sources[1], "pet-heat")
    hanging = Hanging(nodes.sources, nodes, shown="layers", opacity=0.35)
    hang(scene, hanging)
    hang_legends(scene, hanging, shown=True)
    from MedFusionScene.legends import show_legend

    show_legend(nodes.sources[1])
    style = nodes.segmentation.GetDisplayNode()
    style.SetVisibility2DFill(True)
    style.SetOpacity2DFill(0.4)
    path = save_bundle(scene, tmp_path / "scene.mrb")
    scene.Clear(0)
    show_layout(scene, "three-planes")
    assert result_nodes(scene) is None

    open_bundle(scene, path)
    register_layouts(scene)
    assert current_protocol(scene).name == "comparison"
    found = result_nodes(scene)
    composite = next(one for one in composite_nodes(scene) if one.GetName() == "mine")
    assert composite.GetBackgroundVolumeID() == found.sources[0].GetID()
    assert composite.GetForegroundVolumeID() == found.sources[1].GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.35)
    display = found.sources[1].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    assert display.GetColorNode().GetName() == "PET-Heat"
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(found.sources[1])
    assert legend.GetTitleText() == "PT, SUVbw g/ml"
    style = found.segmentation.GetDisplayNode()
    assert style.GetVisibility2DFill() and style.GetOpacity2DFill() == pytest.approx(0.4)
    kept = scene.GetFirstNodeByName("parameters")
    assert kept.GetNodeReference("fusedVolume").GetName() == "Fused, colour"
    back = result_from_nodes(found)
    same_volume(back.fused, result.fused)
    np.testing.assert_array_equal(back.colour, result.colour)
    assert back.windows == result.windows
    assert isinstance(back.sources[0], Volume)


def test_a_tumour_that_was_edited_is_measured_anew_and_the_edit_recorded(scene, result):
    nodes = show_result(result, scene)
    measured = result_from_nodes(nodes).tumour  # the result was put together without measures
    assert measured.measures[0]["volume_ml"] == pytest.approx(4 * 5 * 6 * 12 / 1000)
    assert measured.measures[0]["suv_max"] > 0
    record = json.loads(nodes.record.GetText())
    record["tumour"] = {"segments": list(measured.measures)}
    record["edits"] = [{"what": "segmentation edited by hand"}]
    nodes.record.SetText(json.dumps(record))
    same = result_from_nodes(nodes)
    assert same.tumour.measures == measured.measures
    assert same.provenance["edits"] == record["edits"]
    smaller = np.zeros(result.fused.array.shape, np.uint8)
    smaller[9:11, 15:18, 5:8] = 1
    name = nodes.segmentation.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(smaller, nodes.segmentation, name, nodes.fused)
    edited = result_from_nodes(nodes, known=result)
    assert edited.tumour.measures[0]["volume_ml"] == pytest.approx(smaller.sum() * 12 / 1000)
    assert edited.fused is result.fused


def test_a_tumour_of_another_grid_keeps_its_own(scene, result):
    nodes = show_result(result, scene)
    finer = result.fused.geometry.ijk_to_ras @ np.diag([0.5, 0.5, 1.0, 1.0])
    labels = np.zeros((20, 72, 64), np.uint8)
    labels[5:8, 20:25, 30:33] = 1
    drawn = Segmentation(labels, Geometry(labels.shape, finer), (Segment(1, "Lesion"),))
    own = node_from_segmentation(drawn, scene)
    nodes.fused.SetNodeReferenceID("medfusionTumour", own.GetID())
    back = result_from_nodes(result_nodes(scene, nodes.fused)).tumour
    assert back.labels.shape == (3, 5, 3)
    np.testing.assert_allclose(back.geometry.spacing_mm, (1, 1, 3))
