"""The section for looking at sources and tumours."""

import slicer


class DisplaySection:
    """Opacity of the functional layer, and tumours on or off."""

    def __init__(self, ui):
        self.ui = ui
        ui.opacitySlider.connect("valueChanged(double)", self.setOpacity)
        # only the person's click: opening the module must not show what somebody hid
        ui.overlayCheckBox.connect("clicked(bool)", self.setOverlay)
        ui.layersButton.connect("clicked()", self.showLayers)
        self._nodes = []

    def setSources(self, nodes):
        """The volumes that the layers button shows, reference first."""
        self._nodes = list(nodes)
        self.ui.layersButton.enabled = len(nodes) > 1

    def showLayers(self):
        """Show anatomy below and function above, in all slice views."""
        from MedFusionScene.display import composite_nodes, layer_order, set_layers

        alive = [node for node in self._nodes if node.GetScene() is not None]
        if len(alive) < 2:
            return
        background, foreground = layer_order(alive)
        for composite in composite_nodes(slicer.mrmlScene):
            set_layers(composite, background, foreground, self.ui.opacitySlider.value)

    def setOpacity(self, opacity):
        """0 shows the anatomy only, 1 the function only."""
        from MedFusionScene.display import composite_nodes, set_opacity

        sources = {node.GetID() for node in self._nodes}
        for composite in composite_nodes(slicer.mrmlScene):
            # views that show something else belong to other modules
            if composite.GetForegroundVolumeID() in sources:
                set_opacity(composite, opacity)

    def setOverlay(self, shown):
        """Draw or hide all segmentations."""
        kind = "vtkMRMLSegmentationNode"
        for number in range(slicer.mrmlScene.GetNumberOfNodesByClass(kind)):
            display = slicer.mrmlScene.GetNthNodeByClass(number, kind).GetDisplayNode()
            if display is not None:
                display.SetVisibility(shown)
