"""One offscreen 3-D view: the tumour's surface within the volume, drawn by Slicer's displayable managers."""

from __future__ import annotations

import slicer
import vtk

from MedFusionScene.offscreen import OffscreenWindow

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
)


class VolumeView:
    """A 3-D view.

    Parameters
    ----------
    application_logic : vtkSlicerApplicationLogic
        Of Slicer or of the headless application.
    scene : vtkMRMLScene
        The scene to look at.
    size : tuple of int
        Width and height in pixels.
    node : vtkMRMLViewNode or None
        A view that a layout has made, which stays when this one is closed; None makes one.
    """

    def __init__(self, application_logic, scene, size: tuple[int, int], node=None) -> None:
        self.scene = scene
        self.window = OffscreenWindow(*size)
        self.renderer = self.window.add_renderer()
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(application_logic)
        self.logic.SetMRMLScene(scene)
        self._is_ours = node is None
        self.node = self.logic.AddViewNode("MedFusion3D") if node is None else node
        if self._is_ours:
            self.node.SetBackgroundColor(0, 0, 0)
            self.node.SetBackgroundColor2(0, 0, 0)
        self.node.SetOrientationMarkerType(slicer.vtkMRMLAbstractViewNode.OrientationMarkerTypeAxes)
        self._rendering_nodes: list = []
        self._add_managers()

    def show_volume(self, node, rendering_logic) -> None:
        """Render a scalar volume of fusion index as a see-through body."""
        display = rendering_logic.CreateDefaultVolumeRenderingNodes(node)
        display.SetAndObserveROINodeID(None)
        volume_property = display.GetVolumePropertyNode().GetVolumeProperty()
        opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
        for value, strength in ((0.0, 0.0), (0.15, 0.0), (0.3, 0.004), (0.7, 0.006), (1.0, 0.012)):
            opacity.AddPoint(value, strength)
        for value, grey in ((0.0, 0.0), (0.3, 0.5), (1.0, 1.0)):
            colour.AddRGBPoint(value, grey, grey, grey)
        volume_property.SetScalarOpacity(opacity)
        volume_property.SetColor(colour)
        volume_property.SetShade(True)
        display.SetVisibility(True)
        self._rendering_nodes = [display, display.GetVolumePropertyNode()]

    def look_from(self, direction_ras: tuple[float, float, float], centre_ras, distance_mm: float) -> None:
        """Put the camera so far away in a direction, superior up."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(*centre_ras)
        camera.SetPosition(*(c + d * distance_mm for c, d in zip(centre_ras, direction_ras)))
        camera.SetViewUp(0, 0, 1)
        camera.SetViewAngle(30)
        self.renderer.ResetCameraClippingRange()

    def picture(self):
        """Draw, and return the pixels as vtkImageData."""
        # the manager that does this in the application needs its widgets
        self.renderer.SetBackground(*self.node.GetBackgroundColor())
        self.renderer.GetActiveCamera().SetParallelProjection(
            self.node.GetRenderMode() == slicer.vtkMRMLViewNode.Orthographic
        )
        return self.window.picture()

    def close(self) -> None:
        """Let go of the scene and leave nothing in it."""
        self.managers.SetMRMLDisplayableNode(None)
        self.managers.SetRenderer(None)
        self.logic.SetMRMLScene(None)
        for node in (*self._rendering_nodes, *((self.node,) if self._is_ours else ())):
            self.scene.RemoveNode(node)
        self.window.close()

    def _add_managers(self) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.Initialize(factory, self.renderer)
        self.managers.SetMRMLDisplayableNode(self.node)
