"""The application without the application: a real MRML scene over the slicer-core package."""

from __future__ import annotations

import logging
import shutil
import tempfile
import types
from pathlib import Path

import slicer
import slicer.util
import vtk

from MedFusionLib.errors import UsageError

logger = logging.getLogger(__name__)

_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
}


def is_slicer_application() -> bool:
    """Whether this code runs inside the 3D Slicer application."""
    return getattr(slicer, "app", None) is not None and hasattr(slicer.app, "coreIOManager")


class HeadlessApplication:
    """Scene, logics, colours and data I/O of Slicer without its windows.

    Use as a context manager; one at a time. Inside, ``slicer.mrmlScene`` and the parts of
    ``slicer.modules`` that scene code needs are set, as they are in the application.
    """

    def __enter__(self) -> HeadlessApplication:
        if is_slicer_application():
            raise UsageError(
                "A headless application inside 3D Slicer", "no application", "Use slicer.mrmlScene instead"
            )
        self.folder = Path(tempfile.mkdtemp(prefix="medfusion-"))
        self._redirect_messages()
        self.scene = slicer.vtkMRMLScene()
        self._add_singletons()
        self._boot_logic()
        self._boot_colours()
        self.logics = {name: self._boot_module(name, getattr(slicer, kind)) for name, kind in _LOGICS.items()}
        self._boot_data_io()
        self._layouts = None
        # software OpenGL casts rays ten times slower than the processor
        self.logics["VolumeRendering"].SetDefaultRenderingMethod("vtkMRMLCPURayCastVolumeRenderingDisplayNode")
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        slicer.mrmlScene = self.scene
        modules = {name.lower(): types.SimpleNamespace(logic=lambda one=one: one) for name, one in self.logics.items()}
        slicer.modules = types.SimpleNamespace(**modules)
        return self

    def __exit__(self, *exception) -> None:
        if self._layouts is not None:
            self._layouts.SetMRMLScene(None)
        self.scene.Clear(1)
        slicer.mrmlScene = None
        slicer.modules = None
        vtk.vtkOutputWindow.SetInstance(None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot_layouts(self):
        """The logic that makes view nodes for a layout; before it is asked for, the scene has no layout."""
        if self._layouts is None:
            self._layouts = slicer.vtkMRMLLayoutLogic()
            self._layouts.SetMRMLApplicationLogic(self.application_logic)
            self._layouts.SetMRMLScene(self.scene)
        return self._layouts

    def _add_singletons(self) -> None:
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)

    def _boot_logic(self) -> None:
        share = self.folder / "home" / "share" / "ColorFiles"
        share.mkdir(parents=True)
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetHomeDirectory(str(self.folder / "home"))
        self.application_logic.SetShareDirectory("share")
        self.application_logic.SetMRMLScene(self.scene)
        self.application_logic.SetTemporaryPath(str(self.folder))
        for factory in (
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        ):
            factory.GetInstance().SetMRMLApplicationLogic(self.application_logic)
        self.application_logic.SetSliceLogics(vtk.vtkCollection())
        self.application_logic.SetViewLogics(vtk.vtkCollection())

    def _boot_colours(self) -> None:
        self.colours = slicer.vtkSlicerColorLogic()
        self.colours.SetMRMLApplicationLogic(self.application_logic)
        self.colours.SetMRMLScene(self.scene)
        self.application_logic.SetModuleLogic("Colors", self.colours)
        self.application_logic.GetColorLogic().SetMRMLScene(self.scene)
        self.application_logic.GetColorLogic().AddDefaultColorNodes()

    def _boot_module(self, name: str, kind: type):
        logic = kind()
        logic.SetMRMLApplicationLogic(self.application_logic)
        logic.SetMRMLScene(self.scene)
        self.application_logic.SetModuleLogic(name, logic)
        return logic

    def _boot_data_io(self) -> None:
        # without both managers a scene bundle cannot be read back
        cache = self.folder / "cache"
        cache.mkdir()
        self._data, self._cache = slicer.vtkDataIOManager(), slicer.vtkCacheManager()
        self._cache.SetRemoteCacheDirectory(str(cache))
        self._cache.SetMRMLScene(self.scene)
        self._data.SetCacheManager(self._cache)
        self.scene.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._data)

    def _redirect_messages(self) -> None:
        """Send VTK's messages to the log instead of the terminal."""
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
        window = vtk.vtkStringOutputWindow()
        window.AddObserver("ErrorEvent", _log_error)
        window.AddObserver("WarningEvent", _log_warning)
        vtk.vtkOutputWindow.SetInstance(window)


def _log_error(caller, event, text: str = "") -> None:
    logger.error("%s", text.strip())


def _log_warning(caller, event, text: str = "") -> None:
    logger.debug("%s", text.strip())


# an observer is handed the text only when it declares its type
_log_error.CallDataType = vtk.VTK_STRING
_log_warning.CallDataType = vtk.VTK_STRING
