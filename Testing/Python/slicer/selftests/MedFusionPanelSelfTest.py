"""For Slicer's own test runner: the panel opens without a main window, fuses two volumes and shows the result."""

import unittest

import numpy as np
import slicer
import vtk

from MedFusion import MedFusionWidget


def addRamp(name, array):
    """A scalar volume node of 1 mm voxels."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
    node.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
    node.CreateDefaultDisplayNodes()
    return node


class MedFusionPanelSelfTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        self.widget = MedFusionWidget()
        self.widget.setup()

    def tearDown(self):
        self.widget.cleanup()
        slicer.mrmlScene.Clear()

    def test_applyFusesTheChosenVolumes(self):
        from MedFusionWidgets.dependencies import isTorchMissing, missingLibraries

        if isTorchMissing() or missingLibraries():
            self.skipTest("PyTorch or libraries of MedFusion are not installed in this Slicer")
        ramp = np.arange(8 * 9 * 10, dtype=np.float32).reshape(8, 9, 10)
        ui = self.widget.ui
        self.assertFalse(ui.applyButton.enabled)
        ui.referenceVolume.setCurrentNode(addRamp("MR", ramp))
        ui.secondVolume.setCurrentNode(addRamp("second MR", np.sqrt(ramp)))
        self.assertTrue(ui.applyButton.enabled, ui.applyButton.toolTip)
        ui.applyButton.click()
        fused = self.widget.logic.getParameterNode().fusedVolume
        self.assertIsNotNone(fused, ui.statusLabel.text)
        self.assertEqual(slicer.util.arrayFromVolume(fused).shape, ramp.shape)
