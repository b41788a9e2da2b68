"""Slicer's and Qt's widgets as PythonQt shows them, as far as the module uses them."""

from __future__ import annotations

import weakref

import shiboken6
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from slicer_qt.pythonqt import PythonQt


class PushButton(PythonQt, QtWidgets.QPushButton):
    pass


class CheckBox(PythonQt, QtWidgets.QCheckBox):
    pass


class ComboBox(PythonQt, QtWidgets.QComboBox):
    pass


class Label(PythonQt, QtWidgets.QLabel):
    pass


class ProgressBar(PythonQt, QtWidgets.QProgressBar):
    pass


class MRMLWidget(PythonQt, QtWidgets.QWidget):
    imitates = "qMRMLWidget"
    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


class CollapsibleButton(PythonQt, QtWidgets.QGroupBox):
    imitates = "ctkCollapsibleButton"

    def event(self, event):
        # the button's text stands where a group box has its title
        if event.type() == QtCore.QEvent.Type.DynamicPropertyChange:
            QtWidgets.QGroupBox.setTitle(self, QtCore.QObject.property(self, "text"))
        return QtWidgets.QGroupBox.event(self, event)


class CollapsibleGroupBox(PythonQt, QtWidgets.QGroupBox):
    imitates = "ctkCollapsibleGroupBox"

    def event(self, event):
        # children come one by one while the form is read, so every layout request looks at them anew
        if event.type() in (QtCore.QEvent.Type.DynamicPropertyChange, QtCore.QEvent.Type.LayoutRequest):
            is_open = not QtCore.QObject.property(self, "collapsed")
            for child in QtCore.QObject.children(self):
                if child.isWidgetType():
                    QtWidgets.QWidget.setVisible(child, is_open)
        return QtWidgets.QGroupBox.event(self, event)


class TableWidget(PythonQt, QtWidgets.QTableWidget):
    pass


class Timer(PythonQt, QtCore.QTimer):
    pass


class Shortcut(PythonQt, QtGui.QShortcut):
    pass


class DirectoryButton(PythonQt, QtWidgets.QPushButton):
    imitates = "ctkDirectoryButton"
    directoryChanged = QtCore.Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        QtCore.QObject.setProperty(self, "directory", QtCore.QDir.currentPath())

    def setProperty(self, name, value):
        changed = name == "directory" and self.directory != value
        QtCore.QObject.setProperty(self, name, value)
        if name == "directory":
            QtWidgets.QPushButton.setText(self, value)
        if changed:
            self.directoryChanged.emit(value)
        return True


_STEPS = 1000


class SliderWidget(PythonQt, QtWidgets.QWidget):
    imitates = "ctkSliderWidget"
    valueChanged = QtCore.Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._bar = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._bar.setMaximum(_STEPS)
        self._bar.sliderMoved.connect(self._moved)
        self._box = QtWidgets.QDoubleSpinBox()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._bar)
        row.addWidget(self._box)
        for name, number in (("minimum", 0.0), ("maximum", 99.0), ("value", 0.0), ("singleStep", 1.0)):
            QtWidgets.QWidget.setProperty(self, name, number)
        self._box.valueChanged.connect(self.setValue)

    def _moved(self, step):
        self.setValue(self.minimum + (self.maximum - self.minimum) * step / _STEPS)

    def setValue(self, value):
        self.setProperty("value", value)

    def setProperty(self, name, value):
        if name == "value":
            value = min(max(value, self.minimum), self.maximum)
        changed = self.property(name) != value
        QtWidgets.QWidget.setProperty(self, name, value)
        self._show()
        if name == "value" and changed:
            self.valueChanged.emit(value)
        return True

    def _show(self):
        blocked = QtCore.QSignalBlocker(self._box)
        self._box.setRange(self.minimum, self.maximum)
        self._box.setDecimals(2 if self.decimals is None else self.decimals)
        self._box.setSuffix(self.suffix or "")
        self._box.setValue(self.value)
        blocked.unblock()
        self._bar.setValue(round(_STEPS * (self.value - self.minimum) / max(self.maximum - self.minimum, 1e-9)))


class SegmentEditorWidget(PythonQt, QtWidgets.QWidget):
    imitates = "qMRMLSegmentEditorWidget"

    def __init__(self, parent=None):
        super().__init__(parent)
        self._chosen = {}

    def setSegmentationNode(self, node):
        self._chosen["segmentation"] = node

    def setSourceVolumeNode(self, node):
        self._chosen["source"] = node


_selectors: weakref.WeakSet = weakref.WeakSet()


def detach_selectors() -> None:
    """Let all node selectors go of their scene, as their destructors do in Slicer."""
    for selector in list(_selectors):
        selector.setMRMLScene(None)


class NodeComboBox(PythonQt, QtWidgets.QComboBox):
    imitates = "qMRMLNodeComboBox"
    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._nodes, self._tags = None, [], []
        _selectors.add(self)
        QtWidgets.QComboBox.currentIndexChanged.__get__(self).connect(self._announce)

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent) if scene else ()
        self._tags = [scene.AddObserver(event, self._update) for event in events]
        if scene:
            self._update()

    def mrmlScene(self):
        return self._scene

    def nodeCount(self):
        return len(self._nodes)

    def currentNode(self):
        index = QtWidgets.QComboBox.currentIndex(self) - 1
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def setCurrentNode(self, node):
        index = self._nodes.index(node) + 1 if node in self._nodes else 0
        QtWidgets.QComboBox.setCurrentIndex(self, index)

    def _update(self, *event):
        if not shiboken6.isValid(self):
            return  # deleted with its parent; the observer stays until the scene goes
        current = self.currentNode()
        self._nodes = [node for kind in (self.nodeTypes or []) for node in self._nodes_of(kind)]
        before = QtCore.QObject.blockSignals(self, True)
        QtWidgets.QComboBox.clear(self)
        QtWidgets.QComboBox.addItems(self, ["None", *(node.GetName() or "" for node in self._nodes)])
        self.setCurrentNode(current)
        QtCore.QObject.blockSignals(self, before)
        if self.currentNode() is not current:
            self.currentNodeChanged.emit(self.currentNode())

    def _nodes_of(self, kind):
        count = self._scene.GetNumberOfNodesByClass(kind) if self._scene else 0
        nodes = [self._scene.GetNthNodeByClass(n, kind) for n in range(count)]
        shown = [node for node in nodes if not node.GetHideFromEditors()]
        return shown if self.showChildNodeTypes else [node for node in shown if node.GetClassName() == kind]

    def _announce(self, index):
        self.currentNodeChanged.emit(self.currentNode())


CLASSES = {
    "QPushButton": PushButton,
    "QCheckBox": CheckBox,
    "QComboBox": ComboBox,
    "QLabel": Label,
    "QProgressBar": ProgressBar,
    "QTableWidget": TableWidget,
    "qMRMLWidget": MRMLWidget,
    "qMRMLNodeComboBox": NodeComboBox,
    "ctkCollapsibleButton": CollapsibleButton,
    "ctkCollapsibleGroupBox": CollapsibleGroupBox,
    "ctkSliderWidget": SliderWidget,
    "ctkDirectoryButton": DirectoryButton,
}

assert issubclass(slicer.vtkMRMLNode, vtk.vtkObject)  # real MRML, not an imitation
