"""A whole layout drawn offscreen: every view of a hanging protocol as 3D Slicer would show it."""

from __future__ import annotations

from pathlib import Path

from MedFusionScene.annotation import Annotations
from MedFusionScene.hanging import fit_views
from MedFusionScene.layouts import Protocol, SliceCell, VolumeCell, show_layout
from MedFusionScene.offscreen import save_png, tile
from MedFusionScene.slice_view import SliceView
from MedFusionScene.volume_view import VolumeView


class LayoutView:
    """The views of a protocol, side by side; needs an OpenGL library, see `gl.offscreen_problem`.

    Parameters
    ----------
    application : HeadlessApplication
        Running.
    protocol : Protocol
        Which views.
    cell_pixels : int
        Width and height of a small view.
    annotated : bool
        Whether letters and text are drawn; False where somebody else does that.
    """

    def __init__(self, application, protocol: Protocol, cell_pixels: int = 400, *, annotated: bool = True) -> None:
        self.scene, self.protocol = application.scene, protocol
        self._logic = application.application_logic
        application.boot_layouts()
        show_layout(self.scene, protocol.name)
        self.views = {cell: self._view(cell, cell_pixels) for cell in protocol.cells}
        self.annotations = Annotations(self._logic)
        if annotated:
            self.annotations.refresh()

    def fit(self, volume_node, through_ras=None) -> None:
        """Show the whole of a volume in all slice views, cut through a place."""
        fit_views(self._logic, volume_node, through_ras)

    def picture(self):
        """Draw all views as one picture (vtkImageData)."""
        rows = []
        for row in self.protocol.rows:
            columns = [
                tile([[self.views[cell].picture()] for cell in one]) if isinstance(one, tuple)
                else self.views[one].picture() for one in row
            ]  # fmt: skip
            rows.append(columns)
        return tile(rows)

    def save(self, path: str | Path) -> Path:
        """Draw all views into a PNG file."""
        return save_png(self.picture(), Path(path))

    def close(self) -> None:
        """Free the graphics memory; nodes of the layout stay in the scene."""
        self.annotations.remove()
        for view in self.views.values():
            view.close()

    def _view(self, cell: SliceCell | VolumeCell, pixels: int):
        if isinstance(cell, VolumeCell):
            node = self.scene.GetSingletonNode(cell.view_name, "vtkMRMLViewNode")
            return VolumeView(self._logic, self.scene, (pixels, pixels), node)
        # a view that has a column beside it is as high as the column
        beside = max((len(one) for row in self.protocol.rows for one in row
                      if isinstance(one, tuple) and cell in row), default=1)  # fmt: skip
        return SliceView(self._logic, self.scene, (pixels * beside, pixels * beside), cell.view_name, cell.plane)
