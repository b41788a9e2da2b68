"""A result in the scene: its nodes, what they remember, and what the views show."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import slicer

import MedFusionLib
from MedFusionLib.errors import NotAligned, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.units import FUSION_INDEX
from MedFusionScene import logic
from MedFusionScene.display import colour_node, set_layers, set_opacity, show_window
from MedFusionScene.nodes import node_from_volume, volume_from_node
from MedFusionScene.segmentations import node_from_segmentation
from MedFusionScene.show import RECORD_REFERENCE, SCALAR_REFERENCE, SOURCE_REFERENCE, show_result


def _names(scene) -> set:
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


def _composite(scene):
    return scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")


def _hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def test_all_parts_of_a_result_become_nodes(scene, result):
    nodes = show_result(result, scene)
    assert len(nodes.sources) == len(nodes.contribution) == 2
    assert nodes.functional == 1
    assert nodes.main is nodes.colour
    np.testing.assert_array_equal(volume_from_node(nodes.contribution[1]).array, 0.75)
    np.testing.assert_array_equal(volume_from_node(nodes.invention).array, 0)
    assert volume_from_node(nodes.fused).unit == FUSION_INDEX


def test_without_a_functional_source_the_fused_index_is_shown_in_grey(scene, result):
    anatomical = replace(result, sources=(result.sources[0], result.sources[0]), colour=None, tumour=None)
    nodes = show_result(replace(anatomical, contribution=None, invention=None), scene)
    assert nodes.main is nodes.fused
    assert (nodes.colour, nodes.segmentation, nodes.contribution, nodes.invention) == (None, None, (), None)
    assert nodes.fused.GetDisplayNode().GetColorNode().GetName() == "Grey"


def test_the_fused_node_remembers_sources_scalar_and_record(scene, result):
    nodes = show_result(result, scene)
    assert [nodes.colour.GetNthNodeReference(SOURCE_REFERENCE, n) for n in range(2)] == list(nodes.sources)
    assert nodes.colour.GetNodeReference(SCALAR_REFERENCE) is nodes.fused
    record = json.loads(nodes.colour.GetNodeReference(RECORD_REFERENCE).GetText())
    assert record["provenance"]["method"] == "average"


def test_sources_are_shown_in_their_own_windows_and_colours(scene, result):
    mr, pet = (node.GetDisplayNode() for node in show_result(result, scene).sources)
    assert (mr.GetWindowLevelMin(), mr.GetWindowLevelMax(), mr.GetColorNode().GetName()) == (0, 1000, "Grey")
    assert (pet.GetWindowLevelMin(), pet.GetWindowLevelMax(), pet.GetColorNode().GetName()) == (0, 10, "Inferno")


def test_every_slice_view_shows_the_result(scene, result):
    composites = [_composite(scene), _composite(scene)]
    nodes = show_result(result, scene)
    assert [c.GetBackgroundVolumeID() for c in composites] == [nodes.colour.GetID()] * 2


def test_results_lie_beside_their_sources_and_carry_no_dicom_identity(scene, result):
    hierarchy = _hierarchy(scene)
    own = [node_from_volume(volume, scene) for volume in result.sources]
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Phantom")
    for node in own:
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemParent(item, patient)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
    nodes = show_result(result, scene, source_nodes=own)
    for node in (nodes.colour, nodes.fused, nodes.segmentation, nodes.record):
        item = hierarchy.GetItemByDataNode(node)
        assert hierarchy.GetItemParent(hierarchy.GetItemParent(item)) == patient
        assert not [name for name in hierarchy.GetItemAttributeNames(item) if name.startswith("DICOM")]


def test_the_persons_own_nodes_are_shown_and_not_doubled(scene, result):
    own = [node_from_volume(volume, scene) for volume in result.sources]
    nodes = show_result(result, scene, source_nodes=own)
    assert list(nodes.sources) == own
    # two sources, fused, colour, two contributions, invention
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 7


def test_layers_are_not_cut_at_the_border_of_the_anatomy(scene, result):
    nodes, composite = show_result(result, scene), _composite(scene)
    set_layers(composite, *nodes.sources, 0.25)
    assert not composite.GetClipToBackgroundVolume()
    assert composite.GetForegroundOpacity() == 0.25
    assert composite.GetForegroundVolumeID() == nodes.sources[1].GetID()


def test_an_opacity_beyond_one_is_refused(scene):
    with pytest.raises(UsageError, match=r"Opacity 1\.5"):
        set_opacity(_composite(scene), 1.5)


def test_a_window_is_not_overruled_by_slicers_guess(scene, mr):
    node = node_from_volume(mr, scene)
    show_window(node, Window(100, 300))
    display = node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (200, 200, 0)


def test_a_colour_table_that_slicer_lacks_is_made_once(scene):
    first = colour_node(scene, "inferno")
    assert first is colour_node(scene, "inferno")
    colour = [0.0] * 4
    first.GetColor(255, colour)
    np.testing.assert_allclose(colour, (0.988, 0.998, 0.645, 1), atol=2e-3)


def test_nodes_are_fused_into_the_node_to_look_at(scene, mr, pet, lesion):
    sources = [node_from_volume(volume, scene) for volume in (mr, pet)]
    tumour = node_from_segmentation(lesion, scene)
    seen = []
    fused = logic.fuse_nodes(
        sources, method="average", tumour=tumour, name="T1 and PET", scene=scene, progress=lambda *n: seen.append(n)
    )
    assert (fused.GetName(), fused.GetClassName()) == ("T1 and PET", "vtkMRMLVectorVolumeNode")
    index = volume_from_node(fused.GetNodeReference(SCALAR_REFERENCE))
    expected = mr.array / mr.array.max() + pet.array / pet.array.max()
    assert np.corrcoef(index.array.ravel(), expected.ravel())[0, 1] > 0.99
    assert seen[-1][0] == seen[-1][1]


def test_the_fusion_itself_can_run_in_another_thread(scene, mr, pet):
    nodes = [node_from_volume(volume, scene) for volume in (mr, pet)]
    (case, _), results = logic.case_of(logic.take_snapshots(nodes)), []
    scene.RemoveNode(nodes[1])  # the person may change the scene meanwhile
    worker = threading.Thread(target=lambda: results.append(MedFusionLib.fuse(case, "average")))
    worker.start()
    worker.join(60)
    assert len(results) == 1
    np.testing.assert_array_equal(results[0].sources[1].array, pet.array)


def test_a_refused_fusion_leaves_the_scene_as_it_was(scene, mr, pet):
    far = pet.geometry.ijk_to_ras.copy()
    far[:3, 3] += 5000
    away = replace(pet, geometry=type(pet.geometry)(pet.geometry.shape, far))
    nodes = [node_from_volume(volume, scene) for volume in (mr, away)]
    _hierarchy(scene)  # the application has it from the start, here it is made on first use
    before = _names(scene)
    with pytest.raises(NotAligned):
        logic.fuse_nodes(nodes, method="average", scene=scene)
    assert _names(scene) == before


def test_one_volume_is_not_enough(scene, mr):
    with pytest.raises(UsageError, match="1 volumes were chosen"):
        logic.take_snapshots([node_from_volume(mr, scene)])


def test_the_same_volume_twice_is_refused(scene, mr):
    node = node_from_volume(mr, scene)
    with pytest.raises(UsageError, match="chosen twice"):
        logic.take_snapshots([node, node])
