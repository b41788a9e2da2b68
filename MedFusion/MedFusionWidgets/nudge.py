"""Move a volume by hand with six sliders."""

from slicer.i18n import tr as _

SHIFTS = ("nudgeRight", "nudgeAnterior", "nudgeSuperior")
TURNS = ("nudgeAboutRight", "nudgeAboutAnterior", "nudgeAboutSuperior")


class NudgeBox:
    """Sliders that write into a linear transform node above the volume.

    The centre of rotation is that of the reference's grid.
    """

    def __init__(self, ui, movingNode, referenceNode, moves):
        self.ui = ui
        self._movingNode, self._referenceNode, self._moves = movingNode, referenceNode, moves
        self._sliders = [getattr(ui, name) for name in (*SHIFTS, *TURNS)]
        self._move = self._base = None
        for slider in self._sliders:
            slider.connect("valueChanged(double)", lambda value: self._nudge())
        ui.nudgeResetButton.connect("clicked()", self.reset)

    def setEnabled(self, enabled):
        """Lock or free the sliders."""
        for widget in (*self._sliders, self.ui.nudgeResetButton):
            widget.enabled = enabled

    def forget(self):
        """Start anew from where the volume is: the sliders go to zero and the volume stays."""
        self._move = None
        for slider in self._sliders:
            wereBlocked = slider.blockSignals(True)
            slider.value = 0
            slider.blockSignals(wereBlocked)

    def reset(self):
        """Put the volume back to where the nudge began."""
        for slider in self._sliders:
            slider.value = 0

    def _nudge(self):
        from MedFusionLib.align import nudge_transform
        from MedFusionLib.errors import MedFusionError
        from MedFusionScene.nodes import to_world
        from MedFusionScene.snapshot import take_snapshot
        from MedFusionScene.transforms import put_under, set_matrix

        moving, reference = self._movingNode(), self._referenceNode()
        if moving is None or reference is None:
            return
        if self._move is None or not self._isStillMine(moving):
            try:
                self._base = to_world(moving)  # refuses what bends space
            except MedFusionError as error:
                self.ui.alignmentLabel.text = str(error)
                self.forget()
                return
            self._move = put_under(moving, None, _("Nudge of {name}").format(name=moving.GetName()))
            self._moves.append(self._move)
            self.ui.undoTransformButton.enabled = True
        shift, turn = ([getattr(self.ui, name).value for name in names] for names in (SHIFTS, TURNS))
        set_matrix(self._move.made[0], nudge_transform(take_snapshot(reference).geometry, shift, turn) @ self._base)

    def _isStillMine(self, moving):
        """Whether the volume still lies under the transform that the sliders write into."""
        return self._move.node is moving and moving.GetTransformNodeID() == self._move.made[0].GetID()
