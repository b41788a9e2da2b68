"""MedFusion, the 3D Slicer module: the panel is in MedFusionWidgets, the work in MedFusionScene and MedFusionLib."""

import importlib.util
import os
import sys

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

OWN_LAYOUTS = range(53001, 53100)


def makeLibraryImportable():
    """In a source checkout the library lies beside the module's folder; an installed extension has it at hand."""
    if importlib.util.find_spec("MedFusionLib") is None:
        sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def findResource(filename):
    """Path of a resource, beside the module in an installed extension, one folder up in a source checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    beside = os.path.join(here, "Resources", filename)
    return beside if os.path.exists(beside) else os.path.join(os.path.dirname(here), "Resources", filename)


def watchLoadedScenes():
    """See to it that a scene which was saved in one of our layouts opens in it; nothing is imported before that."""
    slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, onAnySceneLoaded)


def onAnySceneLoaded(scene, event):
    """Teach Slicer our layouts when the loaded scene shows one of them."""
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is not None and layout.GetViewArrangement() in OWN_LAYOUTS:
        makeLibraryImportable()
        from MedFusionScene.layouts import register_layouts

        register_layouts(scene)


def registerSampleData():
    """Offer the demo case among Slicer's sample data; nothing is downloaded before somebody asks for it."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedFusion", sampleName="MedFusionBrain", customDownloader=downloadSampleData
    )


def downloadSampleData(source):
    """Load the demo case, after its size and licence were shown; the nodes, or none when it was declined."""
    makeLibraryImportable()
    from MedFusionWidgets.sampleData import download

    return download()


class MedFusion(ScriptedLoadableModule):
    """What Slicer shows of the module in its lists."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "MedFusion"  # no_tr
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Nuclear Medicine")]
        self.parent.dependencies = []
        self.parent.contributors = ["The MedFusion developers"]
        self.parent.helpText = _(
            "Fuse co-registered CT, MR, PET and SPECT into one volume that stays quantitative and auditable, and draw "
            "the tumour on top of it. Research use only. Not for primary diagnosis."
        )
        # Slicer looks for the icon beside the module only, which misses it in a source checkout
        self.parent.icon = qt.QIcon(findResource("Icons/MedFusion.png"))
        self.parent.acknowledgementText = _("Every method names its paper in the tooltip of the method list.")
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", watchLoadedScenes)


class MedFusionWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life: set up with the scene, told of scene changes, cleaned up."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def resourcePath(self, filename):
        """Path of a resource, in an installed extension or a source checkout."""
        return findResource(filename)

    def setup(self):
        """Load the panel and connect it to the scene."""
        ScriptedLoadableModuleWidget.setup(self)
        makeLibraryImportable()
        from MedFusionWidgets.panel import Panel

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedFusion.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedFusionLogic()
        self.panel = Panel(self.ui, self.logic)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.panel.attach(self.logic.getParameterNode())

    def cleanup(self):
        """Let go of the scene; work in progress is cancelled."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def onReload(self):
        """Load the module's code anew; while something runs it is cancelled first, and a second press reloads."""
        if self.panel is not None and self.panel.work.isBusy:
            self.panel.work.drop()
            slicer.util.infoDisplay(_("What was running is being cancelled. Press Reload again when it has ended."))
            return
        ownPackages = ("MedFusionWidgets", "MedFusionScene", "MedFusionLib")
        for name in [name for name in sys.modules if name.partition(".")[0] in ownPackages]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self):
        """Connect the panel when the person opens the module."""
        self.panel.attach(self.logic.getParameterNode())

    def exit(self):
        """Disconnect the panel when the person leaves the module; work in progress goes on."""
        self.panel.disconnectGui()

    def onSceneStartClose(self, caller, event):
        """Cancel the work and let go of the parameter node before its scene goes."""
        self.panel.detach()

    def onSceneEndClose(self, caller, event):
        """Start over in the empty scene when the panel is shown."""
        if self.parent.isEntered:
            self.panel.attach(self.logic.getParameterNode())

    def onSceneEndImport(self, caller, event):
        """Show what a loaded scene remembers."""
        if self.parent.isEntered:
            self.panel.attach(self.logic.getParameterNode())


class MedFusionLogic(ScriptedLoadableModuleLogic):
    """The module's functions for Slicer's Python console and for scripts.

    Example: fuse every pair of a folder::

        logic = MedFusionLogic()
        for name in ("case1", "case2"):
            nodes = [slicer.util.loadVolume(f"/data/{name}/{m}.nii.gz") for m in ("ct", "pet")]
            fused = logic.fuse(nodes, method="laplacian")
            slicer.util.saveNode(fused, f"/data/{name}/fused.nrrd")
            slicer.mrmlScene.Clear()
    """

    def getParameterNode(self):
        """The parameters of the panel, kept in the scene."""
        from MedFusionWidgets.parameters import FusionParameters

        return FusionParameters(super().getParameterNode())

    def fuse(self, nodes, method=None, mode="auto", device="auto", precision="exact", **options):
        """Fuse volume nodes, reference first; the arguments are those of ``MedFusionLib.fuse``.

        Returns
        -------
        vtkMRMLVolumeNode
            The node to look at: colour where a source is functional, else the fusion index.
        """
        makeLibraryImportable()
        from MedFusionScene.logic import fuse_nodes

        return fuse_nodes(nodes, method=method, mode=mode, device=device, precision=precision, **options)


class MedFusionTest(ScriptedLoadableModuleTest):
    """Self-test for Slicer's own runner; it needs no main window."""

    def setUp(self):
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_twoVolumesAreFused()

    def test_twoVolumesAreFused(self):
        """Two small volumes become their average."""
        import numpy as np
        import vtk

        ramp = np.arange(8 * 9 * 10, dtype=np.float32).reshape(8, 9, 10)
        nodes = []
        for name, array in (("MR", ramp), ("other MR", ramp[::-1])):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
            node.SetIJKToRASMatrix(vtk.vtkMatrix4x4())
            nodes.append(node)
        fused = MedFusionLogic().fuse(nodes, method="average", force=True)
        values = slicer.util.arrayFromVolume(fused)
        self.assertEqual(values.shape, ramp.shape)
        self.assertGreaterEqual(values.min(), 0)
        self.assertLessEqual(values.max(), 1)
        self.assertLess(abs(values - values[::-1]).max(), 1e-5)
