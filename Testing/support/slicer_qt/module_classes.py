"""slicer.ScriptedLoadableModule by its documented behaviour."""

from __future__ import annotations

import unittest

import slicer
from PySide6 import QtWidgets

from slicer_qt.widgets import MRMLWidget


class _ModuleParent:
    """The C++ side of a module or of its widget."""

    isEntered = False


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or _ModuleParent()
        self.container = MRMLWidget()
        self.layout = QtWidgets.QVBoxLayout(self.container)

    def setup(self):
        """Slicer adds the reload section here in developer mode."""

    def onReload(self):
        """Slicer cleans this widget up and makes another one from the module file as it is now."""
        self.cleanup()


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        kind = "vtkMRMLScriptedModuleNode"
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, kind)
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass(kind)
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def __init__(self, methodName="runTest"):
        super().__init__(methodName)
