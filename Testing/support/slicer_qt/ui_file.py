"""Load a .ui file as slicer.util.loadUI does, with its connections."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from slicer_qt.widgets import CLASSES


class _Loader(QtUiTools.QUiLoader):
    def createWidget(self, name, parent=None, object_name=""):
        kind = CLASSES.get(name)
        widget = kind(parent) if kind else super().createWidget(name, parent, object_name)
        QtCore.QObject.setObjectName(widget, object_name)
        return widget


def load_ui(path: str):
    """The top widget of a .ui file."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    connections = root.find("connections")
    wanted = [] if connections is None else [_texts(c) for c in connections.findall("connection")]
    if connections is not None:
        root.remove(connections)
    data = QtCore.QBuffer()
    data.setData(ElementTree.tostring(root))
    data.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    widget = _Loader().load(data)
    for connection in wanted:
        sender, receiver = (_named(widget, connection[end]) for end in ("sender", "receiver"))
        slot = getattr(receiver, connection["slot"].partition("(")[0])
        sender.connect(connection["signal"], slot)
    return widget


def children_by_name(widget):
    """An object with one attribute per named child, as slicer.util.childWidgetVariables gives."""
    found = type("UI", (), {})()
    for child in [widget, *QtCore.QObject.findChildren(widget, QtWidgets.QWidget)]:
        name = QtCore.QObject.objectName(child)
        if name and not name.startswith("qt_"):
            setattr(found, name, child)
    return found


def _texts(element) -> dict[str, str]:
    return {part.tag: part.text for part in element if part.text}


def _named(widget, name: str):
    return getattr(children_by_name(widget), name)
