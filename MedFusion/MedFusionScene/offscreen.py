"""An offscreen window and the PNG that comes out of it."""

from __future__ import annotations

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

    def save(self, path: Path) -> Path:
        """Draw, and write a PNG."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        with atomic(path) as temporary:
            writer.SetFileName(str(temporary))
            writer.Write()
        return path

    def close(self) -> None:
        """Free the graphics memory."""
        self.window.Finalize()
