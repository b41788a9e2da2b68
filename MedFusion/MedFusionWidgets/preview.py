"""Live preview: the slice that a view shows is fused as the person moves through the volume."""

import qt
import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import say
from MedFusionWidgets.dependencies import isTorchMissing
from MedFusionWidgets.observers import Observers
from MedFusionWidgets.task import Background

SETTLE_MILLISECONDS = 40
"""While a slice is dragged, only where it comes to rest for so long is fused."""


class PreviewSection:
    """Fuses displayed slices beside the person's work; the result is never touched."""

    def __init__(self, ui, sourceNodes, methods):
        self.ui = ui
        self._sourceNodes, self._methods = sourceNodes, methods
        self._background = Background(self._arrived, self._failed)
        self._observers = Observers()
        self._layers, self._waiting, self._seen = {}, {}, {}
        self._sources = self._method = None
        self._isBusy = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MILLISECONDS)
        self._timer.connect("timeout()", self._next)
        ui.previewCheckBox.connect("toggled(bool)", self._toggled)

    def close(self):
        """Stop, and bring back what the views showed."""
        self._timer.stop()
        self._background.close()
        self._stop()

    def setEnabled(self, enabled):
        """Rest while something else runs."""
        self._isBusy = not enabled
        if not enabled:
            self._background.cancel()
        self.refresh()

    def off(self):
        """Switch the preview off: something else is to be seen now."""
        self.ui.previewCheckBox.checked = False

    def refresh(self):
        """Take up other sources or another method; offer the preview for methods that are quick enough."""
        info, reason = self._methods.info(), ""
        if isTorchMissing():
            reason = _("The preview needs PyTorch.")
        elif info is None or len(self._sourceNodes()) < 2:
            reason = _("Choose volumes first.")
        elif not self._isQuick(info):
            reason = _("{title} takes too long for a preview.").format(title=info.title)
        self.ui.previewCheckBox.enabled = not reason and not self._isBusy
        if reason and self.ui.previewCheckBox.checked:
            self.off()
            say(self.ui.previewLabel, reason)
        elif self.ui.previewCheckBox.checked and not self._isBusy:
            self._restart()

    def _isQuick(self, info):
        from MedFusionScene.preview import is_quick

        return is_quick(info)

    def _toggled(self, isOn):
        say(self.ui.previewLabel, "")
        if isOn:
            self._restart()
        else:
            self._background.cancel()
            self._stop()

    def _stop(self):
        self._observers.clear()
        for layer in self._layers.values():
            layer.close()
        self._layers, self._waiting, self._seen = {}, {}, {}
        self._sources = None

    def _restart(self):
        """Look at the sources anew, then at every view."""
        from MedFusionLib.errors import MedFusionError
        from MedFusionScene.logic import take_snapshots

        self._observers.clear()
        self._sources, self._seen = None, {}
        info = self._methods.info()
        if info is None:  # the list is not there yet; the section looks again when it is
            return
        try:
            snapshots = take_snapshots(self._sourceNodes())
        except MedFusionError as error:
            say(self.ui.previewLabel, str(error))
            return

        def work(cancelled):
            from MedFusionLib.methods.catalogue import create_method
            from MedFusionLib.volume import Case
            from MedFusionScene.preview import PreviewSources

            case = Case([one.volume() for one in snapshots])
            return PreviewSources.of(case, [one.transform for one in snapshots[1:]]), create_method(info.name)

        for node in self._sourceNodes():
            self._observers.add(node, node.ImageDataModifiedEvent, lambda *event: self._restart())
        self._background.start(work)

    def _watch(self):
        kind = "vtkMRMLSliceNode"
        for number in range(slicer.mrmlScene.GetNumberOfNodesByClass(kind)):
            node = slicer.mrmlScene.GetNthNodeByClass(number, kind)
            self._observers.add(node, "ModifiedEvent", lambda caller, event: self._sliceMoved(caller))
            self._sliceMoved(node)

    def _sliceMoved(self, sliceNode):
        """A view shows another slice, or was only zoomed: then nothing has to be fused."""
        matrix = sliceNode.GetSliceToRAS()
        key = tuple(round(matrix.GetElement(row, column), 4) for row in range(3) for column in (0, 1, 2, 3))
        if self._seen.get(sliceNode.GetID()) == self._place(key):
            return
        self._seen[sliceNode.GetID()] = self._place(key)
        self._waiting[sliceNode.GetID()] = sliceNode
        self._timer.start()

    def _place(self, key):
        """Of a slice's matrix, orientation and position along the normal: moving within the plane changes nothing."""
        rows = [key[0:4], key[4:8], key[8:12]]
        along = sum(row[2] * row[3] for row in rows)
        return (*(row[column] for row in rows for column in (0, 1, 2)), round(along, 3))

    def _next(self):
        """Fuse the slice of the next view that waits."""
        if self._sources is None or not self._waiting or self._isBusy:
            return
        if self._background.isRunning():
            self._timer.start()
            return
        from MedFusionScene.preview import plane_of

        _, sliceNode = self._waiting.popitem()
        composite = self._compositeOf(sliceNode)
        plane = plane_of(sliceNode, self._sources.case.reference.geometry) if composite is not None else None
        if plane is None:
            self._timer.start()
            return
        sources, method, chosen = self._sources, self._method, self._methods.values()
        self._background.start(
            lambda cancelled: (composite, sources.fuse(plane, method, chosen["device"], chosen["precision"]))
        )

    def _arrived(self, outcome):
        """In the main thread: the sources are ready, or a slice is."""
        if self._isBusy or not self.ui.previewCheckBox.checked:
            return
        from MedFusionScene.preview import PreviewLayer, PreviewSources

        first, second = outcome
        if isinstance(first, PreviewSources):
            self._sources, self._method = first, second
            self._watch()
            return
        if first.GetScene() is None:
            return
        layer = self._layers.setdefault(first.GetID(), None) or PreviewLayer(first)
        self._layers[first.GetID()] = layer
        layer.show(second)
        took = _("Preview, slice by slice: {milliseconds:.0f} ms. Apply fuses the volume.")
        say(self.ui.previewLabel, took.format(milliseconds=1000 * second.seconds))
        self._timer.start()

    def _failed(self, error):
        from MedFusionLib.errors import Cancelled, MedFusionError

        if isinstance(error, Cancelled):
            return
        known = isinstance(error, MedFusionError)
        self.off()
        say(self.ui.previewLabel, str(error) if known else _("The preview failed unexpectedly."))

    def _compositeOf(self, sliceNode):
        """The composite node of a view."""
        from MedFusionScene.display import composite_nodes

        name = sliceNode.GetLayoutName()
        return next((one for one in composite_nodes(slicer.mrmlScene) if one.GetLayoutName() == name), None)
