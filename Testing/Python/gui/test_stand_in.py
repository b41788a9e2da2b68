"""The stand-in must not forgive what Slicer would not."""

import ast

import pytest

from slicer_qt import pythonqt, widgets
from slicer_qt.api import documented

IMITATIONS = [kind for kind in widgets.CLASSES.values() if kind.imitates]


def public_names(kind):
    """What the stand-in itself defines, without what Qt calls."""
    qt_calls = {"imitates", "event", "setProperty", "staticMetaObject"}
    return {name for name in vars(kind) if not name.startswith("_")} - qt_calls


@pytest.mark.parametrize("kind", IMITATIONS, ids=lambda kind: kind.imitates)
def test_the_stand_in_carries_documented_names_only(kind):
    facts = documented()[kind.imitates]
    signals = {signal.partition("(")[0] for signal in facts["signals"]}
    assert public_names(kind) <= {*facts["properties"], *facts["methods"], *signals}


@pytest.mark.parametrize("base", ["slicer.util", "slicer.app"])
def test_the_module_uses_documented_functions_only(project_folder, base):
    of_qt = {"processEvents", "connect"}  # of QApplication itself; its signals are checked when they are connected
    of_scripts = {"layoutManager"}  # of Slicer's script repository; the list of methods lacks what returns Qt widgets
    facts = documented()[base]
    known = {*facts.get("functions", ()), *facts.get("methods", ()), *of_qt, *of_scripts}
    used = set()
    files = [
        project_folder / "MedFusion" / "MedFusion.py",
        *(project_folder / "MedFusion").glob("MedFusionWidgets/*.py"),
    ]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == base:
                used.add(node.attr)
    assert used
    assert used <= known


def test_a_property_is_an_attribute_and_not_a_method(widget):
    assert widget.ui.applyButton.text == "Apply"
    with pytest.raises(TypeError):
        widget.ui.applyButton.text()


def test_an_unknown_name_is_an_error(widget):
    with pytest.raises(AttributeError, match="documents no"):
        widget.ui.referenceVolume.currentVolume()
    with pytest.raises(AttributeError, match="documents no"):
        widget.ui.referenceVolume.nodes()  # C++ only, PythonQt cannot call it
    with pytest.raises(AttributeError, match="no property"):
        widget.ui.applyButton.caption = "Go"


def test_an_unknown_signal_is_an_error(widget):
    with pytest.raises(AttributeError, match="no signal"):
        widget.ui.applyButton.connect("pushed()", print)
    with pytest.raises(AttributeError, match="no signal"):
        widget.ui.referenceVolume.connect("currentNodeChanged(vtkMRMLVolumeNode*)", print)


def test_an_exception_in_a_slot_is_collected(widget):
    def fail():
        raise ValueError("in a slot")

    widget.ui.compareButton.enabled = True
    widget.ui.compareButton.connect("clicked()", fail)
    widget.ui.compareButton.click()
    assert "in a slot" in pythonqt.ERRORS.pop()


def test_a_slot_gets_as_many_values_as_its_signature_names(widget):
    seen = []
    widget.ui.overlayCheckBox.connect("clicked()", lambda: seen.append("none"))
    widget.ui.overlayCheckBox.connect("clicked(bool)", seen.append)
    widget.ui.overlayCheckBox.click()
    assert seen == ["none", False]


def test_a_disconnected_slot_is_not_called(widget):
    seen = []
    widget.ui.overlayCheckBox.connect("toggled(bool)", seen.append)
    widget.ui.overlayCheckBox.click()
    widget.ui.overlayCheckBox.disconnect("toggled(bool)", seen.append)
    widget.ui.overlayCheckBox.click()
    assert seen == [False]


def test_a_parameter_refuses_what_its_type_does_not_hold(widget):
    parameters = widget.logic.getParameterNode()
    with pytest.raises(TypeError):
        parameters.opacity = "half"
    with pytest.raises(ValueError):
        parameters.opacity = 2.0
    with pytest.raises(TypeError):
        parameters.referenceVolume = parameters.parameterNode
