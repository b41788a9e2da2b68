"""For Slicer's own test runner: layouts are registered, views get their volumes, values are read under the cursor."""

import unittest

import numpy as np
import slicer
import vtk

from MedFusion import makeLibraryImportable


def addVolume(name, array):
    """A scalar volume node of 1 mm voxels."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
    node.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
    node.CreateDefaultDisplayNodes()
    return node


class MedFusionViewSelfTest(unittest.TestCase):
    def setUp(self):
        makeLibraryImportable()
        slicer.mrmlScene.Clear()
        ramp = np.arange(8 * 9 * 10, dtype=np.float32).reshape(8, 9, 10)
        self.nodes = [addVolume("MR", ramp), addVolume("PET", ramp[::-1])]

    def tearDown(self):
        slicer.mrmlScene.Clear()

    def test_aLayoutIsShownAndFilled(self):
        from MedFusionScene.display import composite_nodes
        from MedFusionScene.hanging import Hanging, hang
        from MedFusionScene.layouts import current_protocol, layout_node, register_layouts, role_of, show_layout

        if not register_layouts(slicer.mrmlScene):
            self.skipTest("there is no layout without a main window")
        before = show_layout(slicer.mrmlScene, "three-planes")
        self.assertEqual(current_protocol(slicer.mrmlScene).name, "three-planes")
        hang(slicer.mrmlScene, Hanging(self.nodes))
        views = [one for one in composite_nodes(slicer.mrmlScene) if role_of(one.GetLayoutName()) == "function"]
        for composite in views:
            self.assertEqual(composite.GetBackgroundVolumeID(), self.nodes[1].GetID())
        layout_node(slicer.mrmlScene).SetViewArrangement(before)

    def test_valuesUnderTheCursorAreTold(self):
        from MedFusionScene.probe import CursorFollower, crosshair_node

        told = []
        follower = CursorFollower(slicer.mrmlScene, lambda: self.nodes, lambda readings, ras: told.append(readings))
        crosshair_node(slicer.mrmlScene).SetCursorPositionRAS([3.0, 2.0, 1.0])
        follower.stop()
        expected = [slicer.util.arrayFromVolume(node)[1, 2, 3] for node in self.nodes]
        self.assertEqual([reading.value for reading in told[-1]], expected)
