"""slicer.parameterNodeWrapper by its documented behaviour: typed attributes kept in a real parameter node."""

from __future__ import annotations

import typing
from dataclasses import dataclass

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from slicer_qt.ui_file import children_by_name


@dataclass(frozen=True)
class WithinRange:
    """Annotation: bounds of a number."""

    minimum: float
    maximum: float


def parameterNodeWrapper(cls):
    """Class decorator: every annotated attribute lives in the parameter node that the instance wraps."""
    hints = typing.get_type_hints(cls, include_extras=True)
    members = {"__init__": _init, "connectGui": _connect_gui, "disconnectGui": _disconnect_gui, "_hints": hints}
    for name, hint in hints.items():
        members[name] = _member(name, hint, getattr(cls, name, None))
    return type(cls.__name__, (), {**members, "__doc__": cls.__doc__})


def _init(self, parameterNode):
    self.parameterNode = parameterNode
    self._connections = {}


def _kind(hint):
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint


def _member(name, hint, default):
    kind = _kind(hint)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):

        def set_node(self, node):
            if node is not None and not isinstance(node, kind):
                raise TypeError(f"{name} takes a {kind.__name__}, not {type(node).__name__}")
            self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None)

        return property(lambda self: self.parameterNode.GetNodeReference(name), set_node)

    def get(self):
        text = self.parameterNode.GetParameter(name)
        if not self.parameterNode.GetParameterNames() or name not in self.parameterNode.GetParameterNames():
            return default if default is not None else kind()
        return text == "True" if kind is bool else kind(text)

    def put(self, value):
        if not isinstance(value, (int, float) if kind is float else kind):
            raise TypeError(f"{name} takes {kind.__name__}, not {type(value).__name__}")
        for bound in typing.get_args(hint)[1:]:
            if not bound.minimum <= value <= bound.maximum:
                raise ValueError(f"{name} takes {bound.minimum} to {bound.maximum}, not {value}")
        self.parameterNode.SetParameter(name, str(value))

    return property(get, put)


def _connect_gui(self, ui):
    """Follow in both directions; widgets are found by their SlicerParameterName."""
    pairs = []
    for widget in vars(ui).values() if not isinstance(ui, QtWidgets.QWidget) else vars(children_by_name(ui)).values():
        name = QtCore.QObject.property(widget, "SlicerParameterName")
        if name:
            pairs.append((name, widget, *_accessors(widget, self._hints[name])))

    def to_gui(*event):
        for name, _, _, write in pairs:
            write(getattr(self, name))

    disconnects = []
    for name, widget, signal, write in pairs:
        write(getattr(self, name))
        slot = lambda value, name=name: setattr(self, name, value)  # noqa: E731
        widget.connect(signal, slot)
        disconnects.append((widget, signal, slot))
    tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, to_gui)
    self._connections[tag] = disconnects
    return tag


def _disconnect_gui(self, tag):
    self.parameterNode.RemoveObserver(tag)
    for widget, signal, slot in self._connections.pop(tag):
        widget.disconnect(signal, slot)


def _accessors(widget, hint):
    """Signal and writer of a widget kind; others are not bound, as in Slicer."""
    imitates = type(widget).imitates
    if imitates == "qMRMLNodeComboBox":
        return "currentNodeChanged(vtkMRMLNode*)", widget.setCurrentNode
    if imitates == "ctkSliderWidget":
        bounds = typing.get_args(hint)[1]
        widget.minimum, widget.maximum = bounds.minimum, bounds.maximum
        return "valueChanged(double)", lambda value: setattr(widget, "value", value)
    if isinstance(widget, QtWidgets.QCheckBox):
        return "toggled(bool)", lambda value: setattr(widget, "checked", value)
    raise TypeError(f"{type(widget).__name__} cannot be bound to a parameter")
