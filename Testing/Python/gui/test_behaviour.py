"""What happens around the panel: reload, deleted nodes, closed scenes, missing PyTorch."""

import importlib.machinery
import importlib.metadata
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import slicer.util

from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.nodes import node_from_volume, world_matrix
from phantoms import head_pair


@pytest.fixture
def nodes(widget, application):
    made = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(made[0])
    widget.ui.secondVolume.setCurrentNode(made[1])
    return made


def volumes_in(scene):
    kind = "vtkMRMLVolumeNode"
    return {scene.GetNthNodeByClass(n, kind).GetName() for n in range(scene.GetNumberOfNodesByClass(kind))}


def once(action):
    """Do something the first time that events are processed."""
    done = []

    def events():
        if not done:
            done.append(True)
            action()

    return events


def test_a_reload_during_a_run_cancels_it_and_says_to_press_again(widget, nodes, stage, application):
    before = volumes_in(application.scene)
    stage.on_events = once(widget.onReload)
    widget.ui.applyButton.click()
    assert "Press Reload again" in stage.dialogs[0]
    assert volumes_in(application.scene) == before
    assert widget.ui.applyButton.text == "Apply" and widget.ui.applyButton.enabled


def test_a_reload_forgets_the_code_of_all_our_packages(widget, nodes, monkeypatch):
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    widget.onReload()
    ours = ("MedFusionWidgets", "MedFusionScene", "MedFusionLib")
    assert not [name for name in sys.modules if name.partition(".")[0] in ours]


def test_a_panel_that_goes_during_a_run_touches_nothing_any_more(widget, nodes, stage, application):
    before = volumes_in(application.scene)
    stage.on_events = once(widget.cleanup)
    widget.ui.applyButton.click()
    assert volumes_in(application.scene) == before


def test_a_volume_that_is_deleted_during_a_run_drops_the_result(widget, nodes, stage, application):
    stage.on_events = once(lambda: application.scene.RemoveNode(nodes[1]))
    widget.ui.applyButton.click()
    assert "removed from the scene meanwhile" in stage.dialogs[0]
    assert volumes_in(application.scene) == {"phantom MR"}
    assert widget.ui.applyButton.text == "Apply"


def test_buttons_of_other_sections_do_nothing_during_a_run(widget, nodes, stage):
    widget.ui.methodComboBox.currentIndex = widget.ui.methodComboBox.findData("average")

    def press():
        assert not widget.ui.registerButton.enabled
        widget.panel.alignment.onRegister()
        widget.panel.tumour.onMeasure()

    stage.on_events = once(press)
    widget.ui.applyButton.click()
    assert "Fused in" in widget.ui.statusLabel.text


def test_a_saved_scene_brings_everything_back(widget, nodes, application, tmp_path):
    box = widget.ui.methodComboBox
    box.currentIndex = box.findData("maximum")
    widget.ui.precisionComboBox.currentIndex = widget.ui.precisionComboBox.findData("fast")
    widget.ui.nudgeRight.value = 3.0
    placed = world_matrix(nodes[1])
    widget.ui.applyButton.click()
    fused = widget.logic.getParameterNode().fusedVolume.GetName()
    path = save_bundle(application.scene, tmp_path / "scene.mrb")
    application.scene.Clear(0)
    assert widget.panel.inputs.nodes() == []
    open_bundle(application.scene, path)
    widget.enter()
    chosen = widget.panel.inputs.nodes()
    assert [node.GetName() for node in chosen] == ["phantom MR", "phantom PET"]
    np.testing.assert_allclose(world_matrix(chosen[1]), placed, atol=1e-6)
    assert widget.ui.methodComboBox.currentData == "maximum"
    assert widget.ui.precisionComboBox.currentData == "fast"
    assert widget.logic.getParameterNode().fusedVolume.GetName() == fused
    assert (widget.ui.secondModality.currentText, widget.ui.secondUnit.currentText) == ("PET", "SUVbw g/ml")


def test_a_bent_volume_is_fused_and_a_bent_reference_refused(widget, nodes, stage, application):
    from MedFusionScene.transforms import transform_node

    sitk = pytest.importorskip("SimpleITK")
    bend = sitk.BSplineTransform(3, 3)
    bend.SetTransformDomainOrigin([-80.0] * 3)
    bend.SetTransformDomainPhysicalDimensions([160.0] * 3)
    bend.SetTransformDomainMeshSize([3] * 3)
    bend.SetParameters((0.5 * np.ones(len(bend.GetParameters()))).tolist())
    parent = transform_node(bend, application.scene, "bend")
    nodes[1].SetAndObserveTransformNodeID(parent.GetID())
    widget.ui.nudgeRight.value = 2.0
    assert "Harden" in widget.ui.alignmentLabel.text and widget.ui.nudgeRight.value == 0
    widget.ui.methodComboBox.currentIndex = widget.ui.methodComboBox.findData("average")
    widget.ui.applyButton.click()
    assert "Fused in" in widget.ui.statusLabel.text
    nodes[0].SetAndObserveTransformNodeID(parent.GetID())
    widget.ui.applyButton.click()
    assert "Harden" in stage.dialogs[0]


def test_an_older_torch_is_noticed_without_importing_it(module, stage, monkeypatch):
    import MedFusionWidgets.dependencies as gate

    monkeypatch.setattr(gate, "torchVersion", lambda: "2.2.1+cpu")
    assert gate.isTorchTooOld()
    assert "2.2.1" in gate.ensureDependencies() and ">=2.6" in gate.ensureDependencies()
    monkeypatch.setattr(gate, "torchVersion", lambda: "2.10.0")
    assert not gate.isTorchTooOld()


def test_an_older_torch_is_replaced_through_the_extension_before_it_is_loaded(module, stage, monkeypatch):
    import MedFusionWidgets.dependencies as gate

    asked = []
    logic = types.SimpleNamespace(installTorch=lambda **options: asked.append(options) or "torch")
    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = lambda: logic
    extension.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.setattr(gate, "torchVersion", lambda: "2.5.0")
    monkeypatch.setattr(gate, "isTorchLoaded", lambda: False)
    assert gate.ensureDependencies() == ""
    assert asked == [{"askConfirmation": True, "torchVersionRequirement": ">=2.6"}]


def test_without_torch_everything_but_the_fusion_works(project_folder):
    """In a process of its own, where an import of PyTorch fails."""
    code = """
import sys
sys.modules["torch"] = None
import numpy as np
import MedFusionLib as mf
from MedFusionLib.align import check_alignment, register
from MedFusionLib.segment import compare_rules
from MedFusionLib.tumour import segment_tumour
from MedFusionScene.compare import overlay_of
from MedFusionScene.headless import HeadlessApplication
from phantoms import head_pair
mr, pet = head_pair()
seed = (11.0, -6.0, 4.0)
print(check_alignment(mf.Case([mr, pet])).status)
print(overlay_of("checkerboard", mr, pet).kind)
print(len(segment_tumour(mf.Case([mr, pet]), "suvmax41", seed=seed).segments))
print(len(compare_rules(pet, seed=seed).outcomes) > 5)
import MedFusionScene.snapshot, MedFusionScene.tumour, MedFusionScene.transforms, MedFusionLib.io.read_folder
print("torch" in sys.modules and sys.modules["torch"] is None)
"""
    paths = [str(project_folder / part) for part in (".", "MedFusion", "Testing/support")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["pass", "checkerboard", "1", "True", "True"], done.stderr


def test_what_does_not_line_up_is_fused_only_when_the_person_overrules_the_verdict(widget, nodes, stage, application):
    far = application.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "far")
    far.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1.0, 1, 1, 1]) + 5000 * np.eye(4, k=3)))
    nodes[1].SetAndObserveTransformNodeID(far.GetID())
    stage.settle(lambda: "do not line up" in widget.ui.alignmentLabel.text)
    assert not widget.ui.forceCheckBox.isHidden()
    widget.ui.methodComboBox.currentIndex = widget.ui.methodComboBox.findData("average")
    widget.ui.applyButton.click()
    assert "different places" in stage.dialogs[0]
    assert widget.logic.getParameterNode().fusedVolume is None
    widget.ui.forceCheckBox.checked = True
    widget.ui.applyButton.click()
    assert "Alignment fail" in widget.ui.statusLabel.text
    assert widget.panel.result.provenance["parameters"]["forced"] is True
    nodes[1].SetAndObserveTransformNodeID(None)
    assert widget.ui.forceCheckBox.isHidden() and not widget.ui.forceCheckBox.checked


def test_a_slicer_with_an_older_pydicom_says_what_it_cannot_do(module, stage, monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.4.4" if name == "pydicom" else version(name))
    widget = module.MedFusionWidget()
    widget.setup()
    assert not widget.ui.loadFolderButton.enabled and not widget.ui.suvButton.enabled
    assert "5.12" in widget.ui.loadFolderButton.toolTip
    assert widget.ui.loadFilesButton.enabled
    widget.cleanup()
