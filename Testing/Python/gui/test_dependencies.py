import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path
from subprocess import CalledProcessError

import pytest
import slicer.util

import MedFusionLib
from MedFusionScene.nodes import node_from_volume
from phantoms import head_pair


@pytest.fixture
def hide(monkeypatch):
    """Make packages look as if they were not installed; a name with a specification is found as that."""
    hidden = {}
    find = importlib.util.find_spec

    def find_unless_hidden(name, package=None):
        return hidden[name] if name in hidden else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_unless_hidden)
    return hidden


@pytest.fixture
def asked(monkeypatch, stage):
    """Questions and installations; the person agrees unless `asked.agrees` is false."""
    seen = types.SimpleNamespace(questions=[], installed=[], agrees=True)

    def confirm(text, **options):
        seen.questions.append(text)
        return seen.agrees

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    monkeypatch.setattr(slicer.util, "pip_install", seen.installed.extend)
    return seen


@pytest.fixture
def gate(module):
    import MedFusionWidgets.dependencies

    return MedFusionWidgets.dependencies


def packaging_with(pip_ensure):
    module = types.ModuleType("slicer.packaging")
    module.pip_ensure = pip_ensure
    return module


def test_nothing_is_asked_when_everything_is_there(gate, asked):
    assert gate.ensureDependencies() == ""
    assert not asked.questions and not asked.installed


def test_missing_libraries_are_named_and_installed_after_asking(gate, asked, hide):
    hide.update({"nibabel": None, "pywt": None, "slicer.packaging": None})
    assert gate.ensureDependencies() == ""
    assert "nibabel" in asked.questions[0] and "PyWavelets" in asked.questions[0]
    assert asked.installed == ["nibabel>=5.3", "PyWavelets>=1.6"]


def test_a_refusal_installs_nothing_and_says_what_is_missing(gate, asked, hide):
    hide.update({"nibabel": None, "slicer.packaging": None})
    asked.agrees = False
    assert "nibabel" in gate.ensureDependencies()
    assert not asked.installed


def test_a_failed_installation_becomes_a_sentence(gate, asked, hide, monkeypatch):
    hide.update({"skimage": None, "slicer.packaging": None})

    def fail(requirements):
        raise CalledProcessError(1, "pip")

    monkeypatch.setattr(slicer.util, "pip_install", fail)
    problem = gate.ensureDependencies()
    assert "scikit-image" in problem and "folder of wheels" in problem


def test_slicer_5_11_and_later_asks_by_itself(gate, asked, hide, monkeypatch):
    calls = []

    def pip_ensure(requirements, requester=None):
        calls.append((requirements, requester))
        hide.pop("safetensors")

    hide.update({"safetensors": None, "slicer.packaging": importlib.machinery.ModuleSpec("slicer.packaging", None)})
    module = packaging_with(pip_ensure)
    monkeypatch.setitem(sys.modules, "slicer.packaging", module)
    monkeypatch.setattr(slicer, "packaging", module, raising=False)
    assert gate.ensureDependencies() == ""
    assert calls == [(["safetensors>=0.5"], "MedFusion")]
    assert not asked.questions


def test_declining_in_slicer_5_11_is_no_failure(gate, asked, hide, monkeypatch):
    def pip_ensure(requirements, requester=None):
        raise RuntimeError("declined")

    hide.update({"safetensors": None, "slicer.packaging": importlib.machinery.ModuleSpec("slicer.packaging", None)})
    module = packaging_with(pip_ensure)
    monkeypatch.setitem(sys.modules, "slicer.packaging", module)
    monkeypatch.setattr(slicer, "packaging", module, raising=False)
    assert "safetensors" in gate.ensureDependencies()


def test_torch_comes_through_the_pytorch_extension(gate, asked, hide, monkeypatch):
    wanted = []
    logic = types.SimpleNamespace(installTorch=lambda **options: wanted.append(options) or "torch")
    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = lambda: logic
    hide.update({"torch": None, "PyTorchUtils": importlib.machinery.ModuleSpec("PyTorchUtils", None)})
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    assert gate.ensureDependencies() == ""
    assert wanted == [{"askConfirmation": True, "torchVersionRequirement": ">=2.6"}]


def test_a_half_installed_torch_names_the_folder_to_delete(gate, asked, hide):
    half = importlib.machinery.ModuleSpec("torch", None, is_package=True)
    half.submodule_search_locations = ["/slicer/lib/torch"]
    hide["torch"] = half
    assert "/slicer/lib/torch" in gate.ensureDependencies()


def test_without_torch_the_panel_opens_and_apply_says_what_to_install(hide, asked, module, stage, application):
    hide.update({"torch": None, "PyTorchUtils": None})
    widget = module.MedFusionWidget()
    widget.setup()
    assert widget.ui.methodComboBox.count == 1
    nodes = [node_from_volume(volume, application.scene) for volume in head_pair()]
    widget.ui.referenceVolume.setCurrentNode(nodes[0])
    widget.ui.secondVolume.setCurrentNode(nodes[1])
    assert widget.ui.applyButton.enabled
    widget.ui.applyButton.click()
    assert "PyTorch extension" in widget.ui.statusLabel.text
    assert widget.logic.getParameterNode().fusedVolume is None

    hide.clear()
    widget.ui.applyButton.click()
    box = widget.ui.methodComboBox
    assert sum(box.itemData(n) is not None for n in range(box.count)) == 1 + len(MedFusionLib.methods())
    assert widget.logic.getParameterNode().fusedVolume is not None
    widget.cleanup()


def test_a_chosen_method_survives_a_session_without_torch(hide, module, stage):
    parameters = module.MedFusionLogic().getParameterNode()
    parameters.method, parameters.mode = "laplacian", "slice"
    hide["torch"] = None
    widget = module.MedFusionWidget()
    widget.setup()
    assert parameters.method == "laplacian"
    assert widget.ui.modeComboBox.currentData == parameters.mode == "slice"
    widget.cleanup()


def test_the_requirements_file_names_what_the_gate_installs(gate, project_folder):
    lines = Path(project_folder / "Resources" / "requirements.txt").read_text(encoding="utf-8").split()
    assert sorted(lines) == sorted(gate.LIBRARIES.values())
