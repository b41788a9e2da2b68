"""One offscreen slice view, drawn by Slicer's slice logic and displayable managers."""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import vtk

from MedFusionScene.annotation import LETTER_SIZE, TEXT_SIZE, place, text_actor
from MedFusionScene.captions import edge_letters
from MedFusionScene.legends import show_legend
from MedFusionScene.offscreen import OffscreenWindow

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
)


class SliceView:
    """A slice view with edge letters, a caption and a colour legend.

    Parameters
    ----------
    application_logic : vtkSlicerApplicationLogic
        Of Slicer or of the headless application.
    scene : vtkMRMLScene
        The scene to look at.
    size : tuple of int
        Width and height in pixels.
    name : str
        Name of the slice node, one of its own for every view. A node that a layout has made already is
        taken as it is, and stays when the view is closed.
    orientation : {"Axial", "Sagittal", "Coronal"}
        Radiological convention: the patient's right is at the left of the picture.
    """

    def __init__(self, application_logic, scene, size: tuple[int, int], name: str, orientation: str) -> None:
        self.scene, self.size = scene, size
        self.window = OffscreenWindow(*size)
        self.renderer = self.window.add_renderer()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application_logic)
        self.logic.SetMRMLScene(scene)
        found = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        self._is_ours = found is None
        if found is None:
            self.node = self.logic.AddSliceNode(name)
            self.node.SetOrientation(orientation)
        else:
            self.node = found
            self.logic.SetSliceNode(found)
        # displayable managers ask the application which volumes a view shows
        self._slice_logics = application_logic.GetSliceLogics()
        self._slice_logics.AddItem(self.logic)
        self.composite = self.logic.GetSliceCompositeNode()
        self.logic.ResizeSliceNode(*size)
        self._legend = None
        self._show_image()
        self._add_managers()

    def look_at(self, centre_ras: Sequence[float], through_ras: Sequence[float], height_mm: float) -> None:
        """Centre the view on a point, cut through another one, and show so many millimetres of height."""
        width, height = self.size
        self.node.SetFieldOfView(height_mm * width / height, height_mm, self.node.GetFieldOfView()[2])
        self.node.JumpSliceByCentering(*centre_ras)
        self.node.JumpSliceByOffsetting(*through_ras)
        self.node.UpdateMatrices()

    def annotate(self, caption: str, *, footer: str = "") -> None:
        """Draw the edge letters, which follow from the slice's direction, a caption and a footer."""
        left, right, top, bottom = edge_letters(self.node)
        self._text(right, (1.0, 0.5), (-8, 0), "right", LETTER_SIZE)
        self._text(left, (0.0, 0.5), (8, 0), "left", LETTER_SIZE)
        self._text(top, (0.5, 1.0), (0, -38), "centre", LETTER_SIZE)
        self._text(bottom, (0.5, 0.0), (0, 8), "centre", LETTER_SIZE)
        self._text(caption, (0.0, 1.0), (8, -18), "left", TEXT_SIZE)
        self._text(footer, (0.0, 0.0), (8, 8), "left", TEXT_SIZE)

    def add_legend(self, volume_node, title: str) -> None:
        """Show the colour legend of a volume that is displayed in real units."""
        self._legend = show_legend(volume_node, title=title)

    def picture(self):
        """Draw, and return the pixels as vtkImageData."""
        return self.window.picture()

    def close(self) -> None:
        """Let go of the scene and leave nothing in it."""
        if self._legend is not None:
            self.scene.RemoveNode(self._legend)
        self.managers.SetMRMLDisplayableNode(None)
        self.managers.SetRenderer(None)
        self._slice_logics.RemoveItem(self.logic)
        self.logic.RemoveAllObservers()
        # the logic makes a model of the slice for 3-D views
        model = (self.logic.GetSliceModelNode(), self.logic.GetSliceModelDisplayNode(),
                 self.logic.GetSliceModelTransformNode())  # fmt: skip
        self.logic.SetMRMLScene(None)
        view = (self.composite, self.node) if self._is_ours else ()
        for node in (*model, *view):
            if node is not None:
                self.scene.RemoveNode(node)
        self.window.close()

    def _show_image(self) -> None:
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        # the logic rebuilds its pipeline when layers change
        self.logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._connect_image)
        self._connect_image()
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)

    def _connect_image(self, *event) -> None:
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())

    def _add_managers(self) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        for name in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.Initialize(factory, self.renderer)
        self.managers.SetMRMLDisplayableNode(self.node)
        # as in the application, where annotations find the renderer through the logic
        self.logic.SetDisplayableManagerGroup(self.managers)

    def _text(self, text: str, anchor: tuple[float, float], shift: tuple[int, int], side: str, size: int) -> None:
        actor = text_actor(size)
        actor.SetInput(text)
        look = actor.GetTextProperty()
        {"left": look.SetJustificationToLeft, "centre": look.SetJustificationToCentered,
         "right": look.SetJustificationToRight}[side]()  # fmt: skip
        place(actor, *anchor, *shift)
        self.renderer.AddViewProp(actor)
