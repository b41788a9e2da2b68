"""An offscreen window, and pictures that come out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vtk

from MedFusionLib.io.write import atomic


class OffscreenWindow:
    """A render window without a screen.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetMultiSamples(0)
        self.window.SetSize(width, height)
        # displayable managers look for an interactor and end the process without one
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)

    def add_renderer(self):
        """A renderer on black that fills the window."""
        renderer = vtk.vtkRenderer()
        renderer.SetBackground(0, 0, 0)
        self.window.AddRenderer(renderer)
        return renderer

    def picture(self):
        """Draw, and return the pixels as vtkImageData."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()  # it would draw everything a second time
        grab.Update()
        pixels = vtk.vtkImageData()
        pixels.DeepCopy(grab.GetOutput())
        return pixels

    def close(self) -> None:
        """Free the graphics memory."""
        self.window.Finalize()


def tile(pictures: Sequence[Sequence]):
    """One picture of rows of pictures (vtkImageData), the first row on top."""
    rows = [_append(row, axis=0) for row in pictures]
    return _append(rows[::-1], axis=1)


def save_png(picture, path: Path) -> Path:
    """Write pixels (vtkImageData) as PNG."""
    writer = vtk.vtkPNGWriter()
    writer.SetInputData(picture)
    with atomic(path) as temporary:
        writer.SetFileName(str(temporary))
        writer.Write()
    return path


def _append(pictures: Sequence, axis: int):
    joined = vtk.vtkImageAppend()
    joined.SetAppendAxis(axis)
    for picture in pictures:
        joined.AddInputData(picture)
    joined.Update()
    return joined.GetOutput()
