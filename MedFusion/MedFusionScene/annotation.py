"""Edge letters and corner text of a slice view, always of what is drawn."""

from __future__ import annotations

from collections.abc import Callable

import vtk

from MedFusionScene.captions import RESEARCH, describe_layers, describe_slice, edge_letters

LETTER_SIZE = 15
TEXT_SIZE = 12
_MARGIN = 8
_COLOUR = (1.0, 1.0, 0.75)


class Annotation:
    """Letters at the edges; series, date, window, slice and the research mark in the lower left corner.

    The text is made anew before every picture, so that it cannot lag behind slice, layers or windows.

    Parameters
    ----------
    renderer : vtkRenderer
        Of the slice view.
    slice_node : vtkMRMLSliceNode
        What the view cuts.
    composite : vtkMRMLSliceCompositeNode
        What the view shows.
    above_pixels : int
        Height of what stands in the corner already; 3D Slicer writes names of volumes there.
    """

    def __init__(self, renderer, slice_node, composite, *, above_pixels: int = 0) -> None:
        self._renderer, self._slice, self._composite = renderer, slice_node, composite
        left, right, top, bottom = self._letters = [text_actor(LETTER_SIZE) for _ in range(4)]
        place(left, 0.0, 0.5, _MARGIN, 0)
        place(right, 1.0, 0.5, -_MARGIN, 0)
        place(top, 0.5, 1.0, 0, -_MARGIN - LETTER_SIZE)
        place(bottom, 0.5, 0.0, 0, _MARGIN)
        right.GetTextProperty().SetJustificationToRight()
        for actor in (top, bottom):
            actor.GetTextProperty().SetJustificationToCentered()
        self._corner = text_actor(TEXT_SIZE)
        place(self._corner, 0.0, 0.0, _MARGIN, _MARGIN + above_pixels)
        for actor in (*self._letters, self._corner):
            renderer.AddViewProp(actor)
        self._tag = renderer.AddObserver(vtk.vtkCommand.StartEvent, self.update)

    def update(self, *event) -> None:
        """Say what is shown now."""
        is_filled = bool(self._composite.GetBackgroundVolumeID() or self._composite.GetForegroundVolumeID())
        for actor, letter in zip(self._letters, edge_letters(self._slice)):
            actor.SetInput(letter if is_filled else "")
        lines = [*describe_layers(self._composite), describe_slice(self._slice), RESEARCH] if is_filled else []
        self._corner.SetInput("\n".join(lines))

    def lines(self) -> list[str]:
        """The text in the corner as it was drawn last."""
        return (self._corner.GetInput() or "").splitlines()

    def remove(self) -> None:
        """Leave the view as it was."""
        self._renderer.RemoveObserver(self._tag)
        for actor in (*self._letters, self._corner):
            self._renderer.RemoveViewProp(actor)


class Annotations:
    """Annotations of all slice views that the application shows; views that come later are met by `refresh`.

    Parameters
    ----------
    application_logic : vtkMRMLApplicationLogic
        Of Slicer or of the headless application.
    above_pixels : int
        As for `Annotation`.
    renderer_of : callable
        Gives the renderer of the slice view that a slice logic works for, None before the view is there.
    """

    def __init__(self, application_logic, *, above_pixels: int = 0, renderer_of: Callable | None = None) -> None:
        self._logic, self._above = application_logic, above_pixels
        self._renderer_of = renderer_of or renderer_of_logic
        self._made: dict = {}

    def refresh(self) -> None:
        """Annotate views that have come, let go of views that have gone."""
        logics = self._logic.GetSliceLogics()
        found = [logics.GetItemAsObject(n) for n in range(logics.GetNumberOfItems())] if logics is not None else []
        renderers = {logic: self._renderer_of(logic) for logic in found}
        for logic in set(self._made) - set(found):
            self._made.pop(logic).remove()
        for logic, renderer in renderers.items():
            if logic not in self._made and renderer is not None and logic.GetSliceCompositeNode() is not None:
                self._made[logic] = Annotation(
                    renderer, logic.GetSliceNode(), logic.GetSliceCompositeNode(), above_pixels=self._above
                )

    def remove(self) -> None:
        """Leave all views as they were."""
        for annotation in self._made.values():
            annotation.remove()
        self._made.clear()

    def __len__(self) -> int:
        return len(self._made)


def text_actor(size: int):
    """Text that is readable on any picture."""
    actor = vtk.vtkTextActor()
    look = actor.GetTextProperty()
    look.SetFontSize(size)
    look.SetColor(*_COLOUR)
    look.SetShadow(True)
    return actor


def place(actor, x: float, y: float, right_pixels: int, up_pixels: int) -> None:
    """Put text so many pixels beside a point of the view (0..1 from left and from below)."""
    anchor = actor.GetPositionCoordinate()
    anchor.SetCoordinateSystemToDisplay()
    reference = vtk.vtkCoordinate()
    reference.SetCoordinateSystemToNormalizedViewport()
    reference.SetValue(x, y, 0)
    anchor.SetReferenceCoordinate(reference)
    anchor.SetValue(right_pixels, up_pixels, 0)


def renderer_of_logic(slice_logic):
    """The renderer of the slice view that a logic works for; None where the logic does not know its view."""
    group = slice_logic.GetDisplayableManagerGroup()
    return group.GetRenderer() if group is not None else None
