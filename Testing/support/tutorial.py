"""The tutorial as clicks on the real panel: the test looks at what happens, the drawing at how it looks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from MedFusionScene.display import composite_nodes
from MedFusionScene.gl import offscreen_problem
from MedFusionScene.layout_view import LayoutView
from MedFusionScene.layouts import protocol_of
from MedFusionScene.nodes import set_modality, set_unit
from MedFusionScene.offscreen import save_png
from MedFusionScene.probe import crosshair_node

PANEL_WIDTH = 470


@dataclass(frozen=True)
class Data:
    """What the tutorial is walked with.

    Parameters
    ----------
    files : tuple of path
        Volumes to load, reference first; empty for the sample data.
    meanings : tuple of (modality, unit)
        What a person says of them, in the same order.
    lesion_ras : (3,) tuple of float
        A point in the lesion, mm.
    drawn : str
        Name of a segmentation that comes with the data and is chosen as tumour; empty: it is found at the point.
    """

    files: tuple = ()
    meanings: tuple = ()
    lesion_ras: tuple[float, float, float] = (30.0, -34.0, 30.0)
    drawn: str = "Synthetic lesion"


class Tutorial:
    """One person at the panel.

    Parameters
    ----------
    stage, widget, application
        The stand-in, the module's widget on it, the headless application.
    data : Data
        What is loaded.
    folder : path
        Where pictures and exports go.
    cell_pixels : int
        Size of a small view in the pictures of layouts.
    """

    def __init__(self, stage, widget, application, data: Data, folder: Path, cell_pixels: int) -> None:
        self.stage, self.widget, self.application = stage, widget, application
        self.ui, self.panel = widget.ui, widget.panel
        self.data, self.folder, self.cell_pixels = data, Path(folder), cell_pixels
        self.views: LayoutView | None = None
        # offscreen views carry no text of Slicer's own below ours
        sys.modules["MedFusionWidgets.view"].SLICER_TEXT_PIXELS = 0

    def load(self) -> list:
        """Press a button that loads; returns the source nodes."""
        if self.data.files:
            self.stage.files = tuple(str(file) for file in self.data.files)
            self.ui.loadFilesButton.click()
        else:
            self.ui.sampleDataButton.click()
            self.ui.thirdVolume.setCurrentNode(None)  # two are enough to begin with
        nodes = self.panel.inputs.nodes()
        for node, (modality, unit) in zip(nodes, self.data.meanings):
            set_modality(node, modality)
            set_unit(node, unit)
        self.panel.refresh()
        return nodes

    def nodes(self) -> list:
        """The sources that are chosen now."""
        return self.panel.inputs.nodes()

    def judge(self) -> str:
        """Wait for the verdict; returns it in words."""
        label = self.ui.alignmentLabel
        self.stage.settle(lambda: any(word in label.text for word in ("line up.", "doubtful", "do not line up")), 120)
        return label.text

    def choose_tumour(self):
        """Choose the drawn tumour and measure it, or seed and find one; returns the segmentation node."""
        if self.data.drawn:
            self.ui.tumourSegmentation.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName(self.data.drawn))
            self.ui.measureButton.click()
            return self.ui.tumourSegmentation.currentNode()
        crosshair_node(slicer.mrmlScene).SetCrosshairRAS(list(self.data.lesion_ras))
        self.ui.crosshairSeedButton.click()
        self.ui.findTumourButton.click()
        return self.ui.tumourSegmentation.currentNode()

    def fuse(self, method: str = ""):
        """Press Apply; returns the nodes of the result."""
        _pick(self.ui.methodComboBox, method)
        self.ui.applyButton.click()
        return self.panel.resultNodes

    def look(self, protocol: str) -> None:
        """Open a layout; its views stay open until the next one."""
        self.close_views()
        if not offscreen_problem():
            self.views = LayoutView(self.application, protocol_of(protocol), self.cell_pixels, annotated=False)
        _pick(self.ui.protocolComboBox, protocol)
        self.panel.view.onLayout()

    def compare(self, kind: str) -> None:
        """Show a comparison in the views that are open."""
        _pick(self.ui.compareComboBox, kind)
        self.ui.compareButton.click()

    def point_at(self, ras) -> str:
        """Move the mouse over a place; returns what the panel says of it."""
        crosshair_node(slicer.mrmlScene).SetCursorPositionRAS([float(value) for value in ras])
        return self.ui.probeLabel.text

    def export(self, folder: Path, *kinds: str) -> str:
        """Export, and return the sentence on it."""
        for kind in ("Result", "Volumes", "Report", "Screenshot", "Dicom"):
            getattr(self.ui, f"export{kind}CheckBox").checked = kind in kinds
        self.ui.exportFolderButton.directory = str(folder)
        self.ui.exportButton.click()
        return self.ui.exportLabel.text

    def picture(self, name: str) -> Path | None:
        """Draw the views that are open."""
        if self.views is None:
            return None
        self.views.picture()  # cameras and legends are set up by the first drawing
        self.panel.view.projection.show()
        return save_png(self.views.picture(), self.folder / f"{name}.png")

    def panel_picture(self, name: str, section: str) -> Path:
        """Grab one section of the panel as it looks now."""
        from PySide6 import QtWidgets

        box = getattr(self.ui, f"{section}CollapsibleButton")
        top = self.widget.container
        QtWidgets.QWidget.resize(top, PANEL_WIDTH, 2400)
        QtWidgets.QWidget.show(top)
        QtWidgets.QApplication.processEvents()
        path = self.folder / f"{name}.png"
        QtWidgets.QWidget.grab(box).save(str(path))
        QtWidgets.QWidget.hide(top)
        return path

    def close_views(self) -> None:
        """Close the views; what they showed is forgotten, as when a layout changes."""
        if self.views is not None:
            self.views.close()
            self.views = None
        for composite in composite_nodes(slicer.mrmlScene):
            slicer.mrmlScene.RemoveNode(composite)


def sarcoma(folder: Path) -> Data:
    """CT, MR and PET of one patient, with the middle of the contoured tumour."""
    import MedFusionLib

    mask = MedFusionLib.read_volume(folder / "CT_gtv.nii.gz", modality="OT")
    inside = np.argwhere(mask.array > 0)[:, ::-1]
    middle = tuple(float(value) for value in mask.geometry.to_ras(inside).mean(axis=0))
    names = ("CT_image", "PET_image", "MR_T1_image")
    files = tuple(folder / f"{name}.nii.gz" for name in names)
    meanings = (("CT", _unit("HU")), ("PT", _unit("SUVbw")), ("MR", _unit("a.u.")))
    return Data(files, meanings, middle, drawn="")


def _unit(name: str):
    from MedFusionLib.units import parse_unit

    return parse_unit(name)


def _pick(box, value) -> None:
    number = box.findData(value)
    if number < 0:
        raise LookupError(f"the list has no {value!r}")
    box.currentIndex = number
