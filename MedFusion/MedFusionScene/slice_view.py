"""One offscreen slice view, drawn by Slicer's slice logic and displayable managers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk

from MedFusionScene.offscreen import OffscreenWindow

LETTER_SIZE = 15
CAPTION_SIZE = 12
_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
)
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


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
        Name of the slice node, one of its own for every view.
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
        self.node = self.logic.AddSliceNode(name)
        # displayable managers ask the application which volumes a view shows
        self._slice_logics = application_logic.GetSliceLogics()
        self._slice_logics.AddItem(self.logic)
        self.node.SetOrientation(orientation)
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
        right, top = self._letters()
        width, height = self.size
        opposite = {letter: pair[1 - pair.index(letter)] for pair in _LETTERS for letter in pair}
        self._text(right, width - 8, height // 2, "right", LETTER_SIZE)
        self._text(opposite[right], 8, height // 2, "left", LETTER_SIZE)
        self._text(top, width // 2, height - 38, "centre", LETTER_SIZE)
        self._text(opposite[top], width // 2, 8, "centre", LETTER_SIZE)
        self._text(caption, 8, height - 18, "left", CAPTION_SIZE)
        self._text(footer, 8, 8, "left", CAPTION_SIZE)

    def add_legend(self, volume_node, title: str) -> None:
        """Show the colour legend of a volume that is displayed in real units."""
        # the displayable manager notices only legends that are added while it lives
        self._legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume_node)
        self._legend.SetAndObserveColorNodeID(volume_node.GetDisplayNode().GetColorNodeID())
        for look in (self._legend.GetTitleTextProperty(), self._legend.GetLabelTextProperty()):
            look.SetFontSize(CAPTION_SIZE)
            look.SetFontFamilyToArial()
            look.SetBold(False)
        self._legend.SetSize(0.13, 0.36)
        self._legend.SetPosition(0.98, 0.04)
        self._legend.SetLabelFormat("%8.3g")  # equal widths: the actor fits its fonts to them
        self._legend.SetNumberOfLabels(5)
        self._legend.SetTitleText(title)

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
        for node in (*model, self.composite, self.node):
            if node is not None:
                self.scene.RemoveNode(node)
        self.window.close()

    def _letters(self) -> tuple[str, str]:
        """Patient directions at the right and at the top of the picture."""
        to_ras = slicer.util.arrayFromVTKMatrix(self.node.GetSliceToRAS())[:3, :2]
        axes = np.abs(to_ras).argmax(axis=0)
        return tuple(_LETTERS[axis][int(to_ras[axis, n] > 0)] for n, axis in enumerate(axes))

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

    def _text(self, text: str, x: int, y: int, side: str, size: int) -> None:
        actor = vtk.vtkTextActor()
        actor.SetInput(text)
        look = actor.GetTextProperty()
        look.SetFontSize(size)
        look.SetColor(1.0, 1.0, 0.75)
        look.SetShadow(True)
        {"left": look.SetJustificationToLeft, "centre": look.SetJustificationToCentered,
         "right": look.SetJustificationToRight}[side]()  # fmt: skip
        actor.SetPosition(x, y)
        self.renderer.AddViewProp(actor)
