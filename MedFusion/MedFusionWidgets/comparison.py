"""Look at the reference and another volume together."""

import qt
import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, say

FLICKER = "flicker"
FLICKER_MILLISECONDS = 600


class ComparisonBox:
    """A list of ways to compare, and a button that shows one and goes back."""

    def __init__(self, ui, work, movingNode, referenceNode):
        self.ui, self.work = ui, work
        self._movingNode, self._referenceNode = movingNode, referenceNode
        self._before, self._overlay = [], None
        self._timer = qt.QTimer()
        self._timer.setInterval(FLICKER_MILLISECONDS)
        fill(ui.compareComboBox, [
            (_("checkerboard"), "checkerboard"),
            (_("curtain, left and right"), "curtain-vertical"),
            (_("curtain, front and back"), "curtain-horizontal"),
            (_("curtain, crossed"), "curtain-cross"),
            (_("flicker"), FLICKER),
            (_("edges on the reference"), "edges"),
            (_("difference"), "difference"),
        ])  # fmt: skip
        self._timer.connect("timeout()", self._flick)
        ui.compareButton.connect("clicked()", self.onCompare)

    def setEnabled(self, enabled):
        """Lock or free the box."""
        self.ui.compareComboBox.enabled = self.ui.compareButton.enabled = enabled

    def isShown(self):
        """Whether a comparison is in the views."""
        return bool(self._before)

    def onCompare(self):
        """Show the comparison, or go back to what the views showed."""
        if self.isShown():
            self.close()
        elif self.ui.compareComboBox.currentData == FLICKER:
            self._startFlicker()
        else:
            self.work.press(self.ui.compareButton, self.ui.compareLabel, _("Comparing ..."), self._compare)
            if self.isShown():
                self.ui.compareButton.text = _("Back")

    def close(self):
        """Bring back what the views showed."""
        self._timer.stop()
        for restore in self._before:
            restore()
        self._before = []
        if self._overlay is not None and self._overlay.GetScene() is not None:
            slicer.mrmlScene.RemoveNode(self._overlay)
        self._overlay = None
        self.ui.compareButton.text = _("Show")
        say(self.ui.compareLabel, "")

    def _compare(self, run):
        from MedFusionScene.compare import overlay_of
        from MedFusionScene.display import window_shown
        from MedFusionScene.snapshot import take_snapshot

        nodes, kind = [self._referenceNode(), self._movingNode()], self.ui.compareComboBox.currentData
        fixed, moved = (take_snapshot(node) for node in nodes)
        position, windows = self._crosshair(), tuple(window_shown(node) for node in nodes)

        def work(progress, cancelled):
            return overlay_of(kind, fixed.volume(), moved.volume(), transform=moved.transform, position_ras=position,
                              windows=windows)  # fmt: skip

        comparison = run(work, nodes).show_on(nodes[0], slicer.mrmlScene)
        composites = self._keepViews()
        self._overlay = comparison.overlay
        self._overlay.SetHideFromEditors(True)
        self._overlay.SetSaveWithScene(False)
        comparison.show(composites)
        return ""

    def _startFlicker(self):
        from MedFusionScene.compare import Flicker

        self._flicker = Flicker(self._referenceNode(), self._movingNode(), self._keepViews())
        self.ui.compareButton.text = _("Back")
        self._timer.start()

    def _flick(self):
        self._flicker.step()

    def _keepViews(self):
        """The composite nodes of all views; what they show comes back with `close`."""
        from MedFusionScene.display import composite_nodes, kept_layers

        composites = composite_nodes(slicer.mrmlScene)
        self._before = [kept_layers(composite) for composite in composites] or [lambda: None]
        return composites

    def _crosshair(self):
        """Where a curtain ends: at the crosshair, when it lies in the reference."""
        from MedFusionScene.snapshot import take_snapshot

        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if node is None:
            return None
        place = list(node.GetCrosshairRAS())
        bounds = take_snapshot(self._referenceNode()).geometry.bounds_ras()
        inside = all(low < value < high for low, value, high in zip(bounds[::2], place, bounds[1::2]))
        return place if inside and any(place) else None
