"""The whole way through the panel with real patients, as the tutorial walks it, looked at in the scene."""

import json

import numpy as np
import pytest
import slicer
import slicer.util

import MedFusionLib
from MedFusionLib.io import read_labels, write_volume
from MedFusionLib.segment import segmentation_from_labels
from MedFusionLib.volume import Geometry
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.nodes import modality_of, unit_of
from MedFusionScene.segmentations import node_from_segmentation


def thinned(geometry, steps):
    """The grid that every so-manieth voxel (K, J, I) makes."""
    matrix = geometry.ijk_to_ras @ np.diag([*steps[::-1], 1.0])
    shape = tuple(-(-n // step) for n, step in zip(geometry.shape, steps))
    return Geometry(shape, matrix)


def thin(volume, steps):
    """Every so-manieth voxel of a volume, so that the test is quick."""
    array = volume.array[tuple(slice(None, None, step) for step in steps)]
    return MedFusionLib.Volume(array, thinned(volume.geometry, steps), volume.modality, volume.unit, volume.name)


def pick(box, value):
    box.currentIndex = box.findData(value)


@pytest.fixture
def view(application):
    """A slice node and its composite node, as a layout makes them."""
    made = []
    for kind in (slicer.vtkMRMLSliceNode, slicer.vtkMRMLSliceCompositeNode):
        one = kind()
        one.SetLayoutName("Red")
        made.append(application.scene.AddNode(one))
    made[0].SetOrientation("Axial")
    return made


def judged(widget):
    text = widget.ui.alignmentLabel.text
    return "line up" in text and "Looking" not in text and not text.startswith("Choose")


def cells(widget):
    table = widget.ui.tumourTable
    heads = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
    return [dict(zip(heads, (table.item(row, n).text() for n in range(len(heads))))) for row in range(table.rowCount)]


def test_the_sarcoma_patient_from_files_to_the_saved_scene(widget, stage, view, application, data_folder, tmp_path):
    ui, folder = widget.ui, data_folder / "sts_001" / "nifti"
    given = {"CT": ("CT", "HU", (1, 2, 2)), "MR_T1": ("MR", None, (1, 2, 2)), "PET": ("PT", None, (1, 1, 1))}
    for name, (modality, unit, steps) in given.items():
        volume = MedFusionLib.read_volume(folder / f"{name}_image.nii.gz", modality, unit)
        write_volume(thin(volume, steps), tmp_path / f"{name}.nii.gz")
        (tmp_path / f"{name}.json").unlink(missing_ok=True)  # the person has to say what the numbers mean

    stage.files = tuple(str(tmp_path / f"{name}.nii.gz") for name in given)
    ui.loadFilesButton.click()
    nodes = widget.panel.inputs.nodes()
    assert [modality_of(node) for node in nodes] == ["CT", "MR", "PT"]
    pick(ui.thirdUnit, "{SUVbw}g/ml")
    assert str(unit_of(nodes[2])) == "SUVbw g/ml"

    stage.settle(lambda: judged(widget), 120)
    assert "Source 1 (MR)" in ui.alignmentLabel.text and "Source 2 (PT)" in ui.alignmentLabel.text

    pick(ui.methodComboBox, "maximum")
    labels, geometry = read_labels(folder / "CT_gtv.nii.gz")
    middle = geometry.to_ras(np.argwhere(labels).mean(axis=0)[::-1])
    view[0].JumpSliceByCentering(*middle)
    ui.previewCheckBox.checked = True
    shown = lambda: application.scene.GetNodeByID(view[1].GetBackgroundVolumeID() or "none")  # noqa: E731
    stage.settle(lambda: shown() is not None and shown().GetName().startswith("Preview"), 60)
    assert slicer.util.arrayFromVolume(shown()).max() > 100

    stage.on_events = lambda: ui.statusLabel.text.startswith("Cancel") or ui.applyButton.click()
    ui.applyButton.click()
    stage.on_events = None
    assert ui.statusLabel.text == "Cancelled." and widget.logic.getParameterNode().fusedVolume is None

    steps = (1, 2, 2)
    drawn = segmentation_from_labels(np.ascontiguousarray(labels[::1, ::2, ::2]), thinned(geometry, steps))
    tumour = node_from_segmentation(drawn, application.scene, name="GTV", reference=nodes[0])
    ui.tumourSegmentation.setCurrentNode(tumour)
    ui.applyButton.click()
    assert "Fused in" in ui.statusLabel.text
    fused = widget.logic.getParameterNode().fusedVolume
    assert shown() is fused and fused.IsA("vtkMRMLVectorVolumeNode")

    ui.measureButton.click()
    row = cells(widget)[0]
    assert float(row["Volume (ml)"]) == pytest.approx(365.3, rel=0.02)
    assert float(row["SUVmax"]) == pytest.approx(7.91, abs=0.1)  # of the published contour on the native PET grid

    # the tumour is where the uptake is: brighter and more colourful inside the contour than around it
    colours = slicer.util.arrayFromVolume(fused).astype(int)
    inside = labels[::1, ::2, ::2] > 0
    colourful = colours.max(axis=-1) - colours.min(axis=-1)
    assert colourful[inside].mean() > 3 * colourful[~inside].mean()

    path = save_bundle(application.scene, tmp_path / "scene.mrb")
    before = colours.copy()
    application.scene.Clear(0)
    open_bundle(application.scene, path)
    widget.enter()
    restored = widget.logic.getParameterNode()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(restored.fusedVolume), before)
    assert [modality_of(node) for node in widget.panel.inputs.nodes()] == ["CT", "MR", "PT"]
    assert restored.tumourSegmentation.GetName() == "GTV"
    widget.ui.measureButton.click()
    assert cells(widget)[0]["SUVmax"] == row["SUVmax"]
    record = restored.fusedVolume.GetNodeReference("medfusionRecord")
    assert json.loads(record.GetText())["provenance"]["parameters"]["method"] == "maximum"


def test_brain_templates_in_a_separate_process(widget, stage, view, application, data_folder, tmp_path):
    ui = widget.ui
    for name, modality in (("T1", "MR"), ("PET", "PT")):
        volume = MedFusionLib.read_volume(data_folder / "mni_multimodal" / f"spm_{name}.nii.gz", modality)
        write_volume(thin(volume, (2, 2, 2)), tmp_path / f"{name}.nii.gz")
    stage.files = tuple(str(tmp_path / f"{name}.nii.gz") for name in ("T1", "PET"))
    ui.loadFilesButton.click()
    stage.settle(lambda: judged(widget), 120)
    assert ui.alignmentLabel.text.startswith("The volumes line up.")
    assert "MR-PT" in ui.methodComboBox.currentText
    ui.processCheckBox.checked = True
    ui.applyButton.click()
    assert "Fused in" in ui.statusLabel.text
    fused = widget.logic.getParameterNode().fusedVolume
    nodes = widget.panel.inputs.nodes()
    case = MedFusionLib.Case([MedFusionLib.read_volume(file) for file in stage.files])
    here = MedFusionLib.fuse(case, modality_default(case))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(fused), here.colour)
    assert fused.GetNodeReference("medfusionSource") is nodes[0]


def modality_default(case):
    """The method that the list recommends."""
    from MedFusionLib.methods.catalogue import default_for

    return default_for([source.modality for source in case.sources])
