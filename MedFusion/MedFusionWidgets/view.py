"""The section for looking: layouts, layers, opacity, maps of trust, legends, text, crosshair."""

import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, show
from MedFusionWidgets.looks import LookBox
from MedFusionWidgets.preferences import remember, remembered
from MedFusionWidgets.turning import ProjectionBox

SLICER_TEXT_PIXELS = 54
"""Height of the names of volumes that 3D Slicer writes into the lower left corner of its slice views."""
OPACITY_STEP = 0.1
CHOICES = ("protocol", "shown")
SWITCHES = ("legend", "annotation")


class ViewSection:
    """How sources, fused volume and tumours are looked at.

    The section changes a view when the person asks for it here, or after a fusion; opening the module changes none.

    panel - Has `parameters`, `resultNodes` and `inputs`.
    """

    def __init__(self, ui, panel):
        self.ui, self.panel = ui, panel
        self._nodes, self._annotations, self._follower, self._before = [], None, None, None
        self.looks = LookBox(ui, self._hangLegends)
        self.projection = ProjectionBox(ui, self._projected)
        self._addChoices()
        isChosen(ui.protocolComboBox, self.onLayout)
        isChosen(ui.shownComboBox, self.onShown)
        isChosen(ui.mapComboBox, self.onMap)
        isChosen(ui.projectionComboBox, lambda: self._keep("projection", ui.projectionComboBox.currentData))
        ui.opacitySlider.connect("valueChanged(double)", self.setOpacity)
        # only the person's click: opening the module must not show what somebody hid
        ui.overlayCheckBox.connect("clicked(bool)", self.setOverlay)
        ui.legendCheckBox.connect("clicked(bool)", self.setLegends)
        ui.annotationCheckBox.connect("clicked(bool)", self.setAnnotations)
        ui.crosshairCheckBox.connect("clicked(bool)", self.setCrosshair)

    def welcome(self, parameters):
        """Take the person's preferences over into a new scene, before the widgets follow its parameters."""
        if parameters.isFamiliar:
            return
        parameters.opacity = min(1.0, max(0.0, remembered("opacity", parameters.opacity, float)))
        for name in SWITCHES:
            setattr(parameters, name, remembered(name, getattr(parameters, name), slicer.util.toBool))
        parameters.isFamiliar = True

    def show(self, parameters):
        """Show what was chosen in this scene; in a new one, what the person chose last."""
        for name in CHOICES:
            box = getattr(self.ui, f"{name}ComboBox")
            show(box, getattr(parameters, name) or remembered(name, ""))
        show(self.ui.projectionComboBox, parameters.projection)
        self._follow()
        self.projection.refresh()

    def close(self):
        """Let go of the scene and take the text out of the views."""
        if self._follower is not None:
            self._follower.stop()
        if self._annotations is not None:
            self._annotations.remove()
        self._follower = self._annotations = None
        self._nodes = []

    def setSources(self, nodes):
        """The chosen volumes, reference first."""
        self._nodes = list(nodes)
        self.looks.setSources(nodes)
        self._fillMaps()
        self.projection.refresh()
        for widget in (self.ui.protocolComboBox, self.ui.shownComboBox):
            widget.enabled = len(self._nodes) > 1

    def showResult(self):
        """Show a new fusion in the layout that is chosen; call it after the fusion."""
        self._fillMaps()
        self.looks.applyPreferences()
        self.onLayout() if self.ui.protocolComboBox.currentData else self.hang()

    def onLayout(self):
        """Switch to the chosen layout, fill its views and show the whole of the reference."""
        from MedFusionScene.hanging import fit_views
        from MedFusionScene.layouts import restore_layout, show_layout

        name = self.ui.protocolComboBox.currentData
        remember("protocol", name)
        self._keep("protocol", name)
        if len(self._alive()) < 2:
            return
        if not name:
            if self._before is not None:
                restore_layout(slicer.mrmlScene, self._before)
            return
        before = show_layout(slicer.mrmlScene, name)
        self._before = before if self._before is None else self._before
        self.hang()
        fit_views(slicer.app.applicationLogic(), self._alive()[0], self._lesion())
        self.projection.show()

    def onShown(self):
        """Show the fused volume or two layers in the fused views."""
        name = self.ui.shownComboBox.currentData
        remember("shown", name)
        self._keep("shown", name)
        self.hang()

    def onMap(self):
        """Put the chosen map of trust on top of the fused volume, or take it away."""
        self._keep("trustMap", self.ui.mapComboBox.currentData)
        self.hang()

    def hang(self):
        """Put the right volumes into all views."""
        from MedFusionScene.hanging import hang

        hanging = self._hanging()
        if hanging is None:
            return
        hang(slicer.mrmlScene, hanging)
        self._hangLegends()
        self._annotate()
        self.projection.refresh()

    def setOpacity(self, opacity):
        """0 shows the anatomy only, 1 the function only."""
        from MedFusionScene.display import composite_nodes, set_opacity

        remember("opacity", opacity)
        sources = {node.GetID() for node in self._alive()}
        for composite in composite_nodes(slicer.mrmlScene):
            # views that show something else belong to other modules
            if composite.GetForegroundVolumeID() in sources:
                set_opacity(composite, opacity)

    def stepOpacity(self, step):
        """Move the opacity by a key press."""
        slider = self.ui.opacitySlider
        slider.value = min(slider.maximum, max(slider.minimum, slider.value + step))

    def setOverlay(self, shown):
        """Draw or hide all segmentations."""
        kind = "vtkMRMLSegmentationNode"
        for number in range(slicer.mrmlScene.GetNumberOfNodesByClass(kind)):
            display = slicer.mrmlScene.GetNthNodeByClass(number, kind).GetDisplayNode()
            if display is not None:
                display.SetVisibility(shown)

    def setLegends(self, shown):
        """Draw the colour legends, or not."""
        remember("legend", shown)
        self._hangLegends()

    def setAnnotations(self, shown):
        """Write series, date, window and slice into the views, or not."""
        remember("annotation", shown)
        self._annotate()

    def setCrosshair(self, shown):
        """Draw the crosshair that links the views, or not."""
        from MedFusionScene.probe import show_crosshair

        show_crosshair(slicer.mrmlScene, shown=shown)

    def _addChoices(self):
        from MedFusionScene.hanging import FUSED, LAYERS
        from MedFusionScene.layouts import PROTOCOLS

        layouts = [(_(protocol.title), protocol.name) for protocol in PROTOCOLS.values()]
        fill(self.ui.protocolComboBox, [(_("As it is"), ""), *layouts])
        fill(self.ui.shownComboBox, [(_("Fused volume"), FUSED), (_("Anatomy and function, two layers"), LAYERS)])

    def _fillMaps(self):
        """Offer the maps that the newest result has."""
        result, parameters = self._result(), self.panel.parameters
        titles = {"contribution": _("Contribution of {name}"), "loss": _("Lost of {name}"),
                  "invention": _("Invention: in no source"), "stability": _("Stability: change at 1 mm")}  # fmt: skip
        entries = [(_("None"), "")]
        for name, title in titles.items() if result is not None else ():
            found = getattr(result, name)
            for number in range(len(found)) if isinstance(found, tuple) else [0] if found is not None else []:
                entries.append((title.format(name=result.sources[number].GetName()), f"{name}:{number}"))
        fill(self.ui.mapComboBox, entries)
        show(self.ui.mapComboBox, parameters.trustMap if parameters is not None else "")
        self.ui.mapComboBox.enabled = len(entries) > 1

    def _hanging(self):
        """What the views shall show; None before two sources are chosen."""
        from MedFusionScene.hanging import Hanging

        nodes = self._alive()
        if len(nodes) < 2:
            return None
        name, _separator, number = (self.ui.mapComboBox.currentData or "").partition(":")
        return Hanging(
            nodes, self._result(), self.ui.shownComboBox.currentData, self.ui.opacitySlider.value, name,
            int(number or 0),
        )  # fmt: skip

    def _hangLegends(self):
        from MedFusionScene.hanging import hang_legends

        hanging = self._hanging()
        if hanging is not None:
            hang_legends(slicer.mrmlScene, hanging, shown=self.ui.legendCheckBox.checked)

    def _annotate(self):
        from MedFusionScene.annotation import Annotations

        if self._annotations is None:
            self._annotations = Annotations(
                slicer.app.applicationLogic(), above_pixels=SLICER_TEXT_PIXELS, renderer_of=_rendererOf
            )
        if self.ui.annotationCheckBox.checked:
            self._annotations.refresh()
        else:
            self._annotations.remove()

    def _follow(self):
        from MedFusionScene.probe import CursorFollower

        if self._follower is None:
            self._follower = CursorFollower(slicer.mrmlScene, self._alive, self._tell)

    def _tell(self, readings, ras):
        from MedFusionScene.probe import describe_position

        lines = [str(reading) for reading in readings]
        self.ui.probeLabel.text = "" if ras is None else "\n".join([describe_position(ras), *lines])

    def _projected(self):
        """The functional source and the fused index."""
        from MedFusionScene.display import layer_order

        nodes, result = self._alive(), self._result()
        return layer_order(nodes)[1] if len(nodes) > 1 else None, result.fused if result is not None else None

    def _alive(self):
        return [node for node in self._nodes if node.GetScene() is not None]

    def _result(self):
        """The newest result, when it is still whole and of the chosen sources."""
        from MedFusionScene.restore import result_nodes

        parameters = self.panel.parameters
        fused = parameters.fusedVolume if parameters is not None else None
        found = result_nodes(slicer.mrmlScene, fused) if fused is not None else None
        if found is None or [node.GetID() for node in found.sources] != [node.GetID() for node in self._alive()]:
            return None
        return found

    def _lesion(self):
        """Middle of the tumour of the newest result, world RAS in mm, or None."""
        result = self._result()
        if result is None or result.segmentation is None:
            return None
        segmentation = result.segmentation.GetSegmentation()
        if segmentation.GetNumberOfSegments() == 0:
            return None
        return list(result.segmentation.GetSegmentCenterRAS(segmentation.GetNthSegmentID(0)))

    def _keep(self, name, value):
        if self.panel.parameters is not None:
            setattr(self.panel.parameters, name, value)


def _rendererOf(sliceLogic):
    """The renderer of a slice view; where the logic does not know its view, the layout does."""
    from MedFusionScene.annotation import renderer_of_logic

    found, layoutManager = renderer_of_logic(sliceLogic), slicer.app.layoutManager()
    if found is not None or layoutManager is None:
        return found
    sliceWidget = layoutManager.sliceWidget(sliceLogic.GetSliceNode().GetLayoutName())
    return sliceWidget.sliceView().renderWindow().GetRenderers().GetFirstRenderer() if sliceWidget else None
