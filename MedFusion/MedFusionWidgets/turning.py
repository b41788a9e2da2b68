"""The projection (MIP): of what, and from where."""

import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen

FUNCTION, FUSED = "function", "fused"


class ProjectionBox:
    """Choose what is projected, turn it, or let it turn by itself."""

    def __init__(self, ui, nodes):
        self.ui, self._nodes = ui, nodes
        fill(ui.projectionComboBox, [
            (_("Function, dark on white"), FUNCTION), (_("Fused volume, bright on black"), FUSED)
        ])  # fmt: skip
        isChosen(ui.projectionComboBox, self.show)
        ui.projectionSlider.connect("valueChanged(double)", self._turn)
        ui.spinCheckBox.connect("clicked(bool)", self._spin)

    def refresh(self):
        """Enable what makes sense now."""
        from MedFusionScene.layouts import current_protocol
        from MedFusionScene.projection import projection_view

        protocol = current_protocol(slicer.mrmlScene)
        isThere = projection_view(slicer.mrmlScene) is not None and protocol is not None
        isThere = isThere and any("projection" in cell.view_name for cell in protocol.cells)
        for widget in (self.ui.projectionComboBox, self.ui.projectionSlider, self.ui.spinCheckBox):
            widget.enabled = isThere and self._volume() is not None
        return isThere

    def show(self):
        """Project what is chosen, where the layout has a place for it."""
        from MedFusionScene.projection import projection_view, show_projection

        if not self.refresh():
            return
        volume, view = self._volume(), projection_view(slicer.mrmlScene)
        if volume is None:
            return
        logic = slicer.modules.volumerendering.logic()
        show_projection(volume, logic, view, inverted=self.ui.projectionComboBox.currentData == FUNCTION)
        self._turn(self.ui.projectionSlider.value)

    def _volume(self):
        function, fused = self._nodes()
        chosen = fused if self.ui.projectionComboBox.currentData == FUSED else function
        return chosen if chosen is not None and chosen.GetScene() is not None else None

    def _turn(self, degrees):
        from MedFusionScene.projection import projection_view, turn_projection

        volume, view = self._volume(), projection_view(slicer.mrmlScene)
        if volume is not None and view is not None:
            turn_projection(slicer.mrmlScene, view, volume, degrees)

    def _spin(self, spinning):
        from MedFusionScene.projection import projection_view, spin_projection

        view = projection_view(slicer.mrmlScene)
        if view is not None:
            spin_projection(view, spinning=spinning)
