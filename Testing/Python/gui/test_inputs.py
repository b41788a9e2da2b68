"""What the volumes are, and how they come into the scene."""

import types
from dataclasses import replace

import numpy as np
import pytest
import slicer
from pydicom import dcmread

import MedFusionLib
from dicom_writer import Recipe, pet_tags, write_series
from MedFusionLib import units
from MedFusionLib.io import write_volume
from MedFusionLib.volume import Origin
from MedFusionScene.nodes import modality_of, node_from_volume, unit_of
from MedFusionScene.snapshot import take_snapshot
from phantoms import head_pair


@pytest.fixture
def nodes(widget, application):
    made = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(made[0])
    widget.ui.secondVolume.setCurrentNode(made[1])
    return made


def two_series(folder):
    """A folder with a CT and a PET in Bq/ml."""
    write_series(folder / "ct", Recipe())
    write_series(folder / "pt", Recipe(modality="PT", tags=pet_tags()))
    return folder


def pick(box, value):
    box.currentIndex = box.findData(value)


def test_every_row_shows_what_the_volume_says_of_itself(widget, nodes):
    ui = widget.ui
    assert (ui.referenceModality.currentText, ui.referenceUnit.currentText) == ("MR", "a.u.")
    assert (ui.secondModality.currentText, ui.secondUnit.currentText) == ("PET", "SUVbw g/ml")
    assert not ui.thirdModality.enabled and ui.thirdModality.currentText == ""


def test_a_choice_is_written_to_the_node_and_outranks_what_dicom_said(widget, nodes, application):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(application.scene)
    item = hierarchy.GetItemByDataNode(nodes[1]) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), nodes[1])
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "PT")
    pick(widget.ui.secondModality, "NM")
    pick(widget.ui.secondUnit, units.COUNTS.code)
    assert (modality_of(nodes[1]), unit_of(nodes[1])) == ("NM", units.COUNTS)
    assert "NM, counts" in widget.ui.sourcesLabel.text
    assert "MR-NM" in widget.ui.methodComboBox.currentText
    pick(widget.ui.secondUnit, "")
    assert unit_of(nodes[1]) == units.UNKNOWN
    assert nodes[1].GetVoxelValueQuantity() is None


def test_two_volumes_of_the_same_name_stay_two(widget, nodes, application):
    for node in nodes:
        node.SetName("brain")
    widget.panel.refresh()
    assert widget.ui.applyButton.enabled
    assert widget.panel.alignment.movingNode() is nodes[1]


def test_files_are_loaded_and_chosen(widget, stage, tmp_path, application):
    stage.files = tuple(str(tmp_path / name) for name in ("MR.nii.gz", "PET.nii.gz"))
    for file, volume in zip(stage.files, head_pair()):
        write_volume(volume, file)
    widget.ui.loadFilesButton.click()
    chosen = widget.panel.inputs.nodes()
    assert [modality_of(node) for node in chosen] == ["MR", "PT"]
    np.testing.assert_allclose(take_snapshot(chosen[1]).volume().array, head_pair()[1].array, atol=1e-5)
    assert widget.ui.inputsStatusLabel.text.startswith("2 volumes loaded")


def test_nothing_chosen_in_the_dialog_changes_nothing(widget, stage, application):
    count = application.scene.GetNumberOfNodes()
    widget.ui.loadFilesButton.click()
    widget.ui.loadFolderButton.click()
    assert application.scene.GetNumberOfNodes() == count


def test_a_file_that_is_no_image_becomes_a_sentence(widget, stage, tmp_path):
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(b"no image")
    stage.files = (str(path),)
    widget.ui.loadFilesButton.click()
    assert "broken.nii.gz" in stage.dialogs[0]
    assert widget.panel.inputs.nodes() == []


def test_every_series_of_a_folder_is_loaded_and_pet_becomes_suv(widget, stage, tmp_path):
    stage.folder = str(two_series(tmp_path))
    widget.ui.loadFolderButton.click()
    found = {modality_of(node): unit_of(node) for node in widget.panel.inputs.nodes()}
    assert found == {"CT": units.HOUNSFIELD, "PT": units.SUV_BODY_WEIGHT}


def test_a_pet_in_becquerel_is_offered_to_become_suv(widget, stage, tmp_path, application):
    stage.folder = str(two_series(tmp_path) / "pt")
    activity = MedFusionLib.read_volume(stage.folder, unit="Bq/ml", name="PET")
    node = node_from_volume(activity, application.scene)
    assert widget.ui.suvButton.isHidden()
    widget.ui.secondVolume.setCurrentNode(node)
    assert not widget.ui.suvButton.isHidden()
    widget.ui.suvButton.click()
    made = widget.ui.secondVolume.currentNode()
    assert made is not node and unit_of(made) == units.SUV_BODY_WEIGHT
    expected = MedFusionLib.read_volume(stage.folder)
    np.testing.assert_allclose(take_snapshot(made).volume().array, expected.array, rtol=1e-6)
    assert node.GetScene() is not None  # the volume in Bq/ml stays


def database_of(folder, monkeypatch):
    """What Slicer's DICOM database says of the files of a folder."""
    files = {dcmread(file).SOPInstanceUID: str(file) for file in folder.rglob("*.dcm")}
    known = types.SimpleNamespace(
        isOpen=True,
        fileForInstance=lambda instance: files.get(instance, ""),
        fileValue=lambda file, tag: str(dcmread(file)[tag.replace(",", "")].value),
    )
    monkeypatch.setattr(slicer, "dicomDatabase", known, raising=False)
    return " ".join(files)


def as_slicer_loads(scene, volume, instances):
    """A node as Slicer's DICOM module makes it: without a unit, with the instances it was read from."""
    node = node_from_volume(replace(volume, unit=units.UNKNOWN, source=Origin()), scene)
    node.SetAttribute("DICOM.instanceUIDs", instances)
    return node


def test_a_pet_that_slicer_loaded_becomes_suv_from_the_files_that_the_database_knows(
    widget, tmp_path, application, monkeypatch
):
    folder = two_series(tmp_path / "a")
    for number, file in enumerate(folder.rglob("*.dcm")):  # one folder for all, as a database may keep them
        file.rename(tmp_path / f"{number}.dcm")
    activity = MedFusionLib.read_volume(tmp_path, "PT", "Bq/ml")
    instances = database_of(tmp_path, monkeypatch)
    of_pet = [uid for uid in instances.split() if dcmread(slicer.dicomDatabase.fileForInstance(uid)).Modality == "PT"]
    node = as_slicer_loads(application.scene, activity, " ".join(of_pet))
    widget.ui.secondVolume.setCurrentNode(node)
    widget.ui.suvButton.click()
    made = widget.ui.secondVolume.currentNode()
    assert made is not node and unit_of(made) == units.SUV_BODY_WEIGHT
    expected = MedFusionLib.read_volume(tmp_path, "PT")
    np.testing.assert_allclose(take_snapshot(made).volume().array, expected.array, rtol=1e-6)
    assert take_snapshot(node).source.frame_of_reference == expected.source.frame_of_reference != ""


def test_without_every_file_the_folder_is_asked_for(widget, stage, tmp_path, application, monkeypatch):
    folder = two_series(tmp_path) / "pt"
    node = as_slicer_loads(
        application.scene, MedFusionLib.read_volume(folder, unit="Bq/ml"), database_of(folder, monkeypatch) + " 1.2.3"
    )
    widget.ui.secondVolume.setCurrentNode(node)
    assert not widget.ui.suvButton.isHidden()
    widget.ui.suvButton.click()
    assert widget.ui.secondVolume.currentNode() is node
    stage.folder = str(folder)
    widget.ui.suvButton.click()
    assert unit_of(widget.ui.secondVolume.currentNode()) == units.SUV_BODY_WEIGHT


def test_the_headers_of_another_series_are_refused(widget, stage, tmp_path, application):
    stage.folder = str(two_series(tmp_path) / "pt")
    activity = MedFusionLib.read_volume(stage.folder, unit="Bq/ml", name="PET")
    matrix = activity.geometry.ijk_to_ras.copy()
    matrix[0, 3] += 30
    moved = MedFusionLib.Volume(activity.array, MedFusionLib.Geometry(activity.array.shape, matrix), "PT",
                                activity.unit, "PET")  # fmt: skip
    widget.ui.secondVolume.setCurrentNode(node_from_volume(moved, application.scene))
    widget.ui.suvButton.click()
    assert "another series" in stage.dialogs[0]


def test_the_sample_data_show_size_and_licence_first(widget, stage, monkeypatch):
    from MedFusionWidgets import sampleData

    monkeypatch.setattr(sampleData, "isInstalled", lambda: False)
    stage.answer = False
    widget.ui.sampleDataButton.click()
    assert "GPL-2.0" in stage.questions[0] and "82 MB" in stage.questions[0]
    assert widget.panel.inputs.nodes() == []


def test_the_sample_data_are_registered_when_slicer_has_started(module, stage):
    module.MedFusion(type("Parent", (), {})())
    assert stage.samples == {}
    for slot in stage.at_startup:
        slot()
    assert set(stage.samples) == {"MedFusionBrain"}
    assert stage.samples["MedFusionBrain"]["customDownloader"] is module.downloadSampleData


def test_the_sample_data_become_nodes_with_the_lesion(widget, stage, application, module):
    from MedFusionWidgets import sampleData

    if not sampleData.isInstalled():
        pytest.skip("the package with the templates is not installed")
    nodes = module.downloadSampleData(None)
    assert [modality_of(node) for node in nodes[:3]] == ["MR", "PT", "NM"]
    assert nodes[3].GetSegmentation().GetNumberOfSegments() == 1
