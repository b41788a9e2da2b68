"""The Export section writes the newest result, also of a scene that was loaded."""

import importlib.util
import json

import pytest
import slicer

from export_cases import ExportCase
from MedFusionLib.io import load_result
from MedFusionScene import deliver
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.gl import offscreen_problem
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.show import show_result
from phantoms import head_pair

KINDS = ("Result", "Volumes", "Report", "Screenshot", "Dicom")


@pytest.fixture
def fused(widget, application):
    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(nodes[0])
    widget.ui.secondVolume.setCurrentNode(nodes[1])
    widget.ui.methodComboBox.currentIndex = widget.ui.methodComboBox.findData("average")
    widget.ui.applyButton.click()
    return widget.panel.result


def wish(widget, folder, *kinds):
    for kind in KINDS:
        getattr(widget.ui, f"export{kind}CheckBox").checked = kind in kinds
    widget.ui.exportFolderButton.directory = str(folder)


def test_without_a_result_export_says_why_not(widget):
    assert not widget.ui.exportButton.enabled
    assert "Fuse first" in widget.ui.exportButton.toolTip


def test_the_result_folder_and_loose_volumes_are_written(widget, fused, tmp_path):
    assert widget.ui.exportButton.enabled
    wish(widget, tmp_path / "out", "Result", "Volumes")
    widget.ui.exportButton.click()
    assert "Written to" in widget.ui.exportLabel.text
    back = load_result(tmp_path / "out" / "result")
    assert back.fused.array == pytest.approx(fused.fused.array, abs=1e-6)
    assert {path.name for path in (tmp_path / "out" / "volumes").iterdir()} == {
        "fused.nii.gz", "colour.nii.gz", "contribution.nii.gz", "invention.nii.gz",
    }  # fmt: skip


def test_an_older_export_is_not_overwritten(widget, fused, stage, tmp_path):
    wish(widget, tmp_path, "Result")
    widget.ui.exportButton.click()
    before = (tmp_path / "result" / "result.json").stat().st_mtime_ns
    widget.ui.exportButton.click()
    assert "already" in stage.dialogs[-1]
    assert (tmp_path / "result" / "result.json").stat().st_mtime_ns == before


def test_nothing_chosen_is_a_sentence(widget, fused, stage, tmp_path):
    wish(widget, tmp_path)
    widget.ui.exportButton.click()
    assert "Nothing was chosen" in stage.dialogs[-1]


@pytest.mark.skipif(importlib.util.find_spec("jinja2") is None, reason="jinja2 is not installed")
def test_the_report_is_a_page_with_pictures_and_the_research_mark(widget, fused, tmp_path):
    pytest.importorskip("matplotlib")
    wish(widget, tmp_path, "Report")
    widget.ui.exportButton.click()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "esearch use only" in page and "average" in page


def test_a_picture_of_the_views_is_taken_where_there_are_views(widget, fused, stage, tmp_path):
    problem = offscreen_problem()
    if problem:
        pytest.skip(problem)
    assert not widget.ui.exportScreenshotCheckBox.enabled  # no main window
    stage.main_window = object()
    widget.panel.refresh()
    assert widget.ui.exportScreenshotCheckBox.enabled
    wish(widget, tmp_path, "Screenshot")
    widget.ui.exportButton.click()
    assert (tmp_path / "views.png").read_bytes()[:4] == b"\x89PNG"


def test_dicom_is_disabled_with_a_sentence_where_highdicom_is_missing(widget, fused, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(deliver.importlib.util, "find_spec", lambda name: None if name == "highdicom" else find(name))
    widget.panel.refresh()
    assert not widget.ui.exportDicomCheckBox.enabled
    assert "3D Slicer 5.12" in widget.ui.exportProblemLabel.text
    monkeypatch.undo()
    monkeypatch.setattr(deliver.importlib.metadata, "version", lambda name: "2.4.4")
    widget.panel.refresh()
    assert "pydicom 3" in widget.ui.exportDicomCheckBox.toolTip


def test_dicom_needs_the_series_of_the_reference(widget, fused, stage, tmp_path):
    pytest.importorskip("highdicom")
    assert not widget.ui.exportReferenceButton.enabled
    wish(widget, tmp_path / "out", "Dicom")
    assert widget.ui.exportReferenceButton.enabled
    (tmp_path / "empty").mkdir()
    widget.ui.exportReferenceButton.directory = str(tmp_path / "empty")
    widget.ui.exportButton.click()
    assert stage.dialogs
    assert not (tmp_path / "out" / "dicom").exists()


def test_dicom_objects_are_written_on_the_series_of_the_reference(widget, stage, application, tmp_path):
    pytest.importorskip("highdicom")
    case = ExportCase(tmp_path)
    result = case.result()
    nodes = show_result(result, application.scene)
    widget.panel.result, widget.panel.resultNodes = result, nodes
    widget.panel.parameters.fusedVolume = nodes.main
    widget.panel.refresh()
    wish(widget, tmp_path / "out", "Dicom")
    widget.ui.exportReferenceButton.directory = str(case.anatomy)
    widget.ui.exportButton.click()
    assert "Written to" in widget.ui.exportLabel.text, stage.dialogs
    assert sorted(path.name for path in (tmp_path / "out" / "dicom").iterdir()) == ["pm", "sc", "seg", "sr"]
    assert (tmp_path / "out" / "dicom" / "pm" / "pm.dcm").is_file()


def test_a_loaded_scene_can_be_exported_without_fusing_again(widget, fused, application, tmp_path):
    path = save_bundle(application.scene, tmp_path / "scene.mrb")
    application.scene.Clear(0)
    assert not widget.ui.exportButton.enabled
    widget.parent.isEntered = True
    open_bundle(application.scene, path)
    assert widget.ui.exportButton.enabled
    wish(widget, tmp_path / "out", "Result")
    widget.ui.exportButton.click()
    back = load_result(tmp_path / "out" / "result")
    assert back.fused.array == pytest.approx(fused.fused.array, abs=1e-6)
    assert back.colour.shape == fused.colour.shape
    record = json.loads((tmp_path / "out" / "result" / "result.json").read_text(encoding="utf-8"))
    assert record["provenance"]["parameters"]["method"] == "average"
    assert slicer.mrmlScene is application.scene
