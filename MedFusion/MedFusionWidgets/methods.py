"""The section for choosing how to fuse. It shows what the catalogue holds, by asking it."""

from slicer.i18n import tr as _

from MedFusionWidgets.dependencies import isTorchMissing

AUTOMATIC = ""


class MethodSection:
    """Method, mode, device and registration."""

    def __init__(self, ui, onChanged):
        self.ui = ui
        self._onChanged = onChanged
        self._infos = {}
        self._addChoices()
        self.fill()
        ui.methodComboBox.connect("currentIndexChanged(int)", self._changed)
        ui.modeComboBox.connect("currentIndexChanged(int)", self._changed)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self._changed)
        ui.registerComboBox.connect("currentIndexChanged(int)", self._changed)

    def values(self):
        """The choices: method (None for the default), mode, device and registration."""
        return {
            "method": self.ui.methodComboBox.currentData or None,
            "mode": self.ui.modeComboBox.currentData,
            "device": self.ui.deviceComboBox.currentData,
            "register": self.ui.registerComboBox.currentData,
        }

    def show(self, method, mode, device, register):
        """Show choices that were made before; unknown ones fall back to the first entry."""
        for box, value in (
            (self.ui.methodComboBox, method),
            (self.ui.modeComboBox, mode),
            (self.ui.deviceComboBox, device),
            (self.ui.registerComboBox, register),
        ):
            # what is shown here was chosen before: it is no new choice
            wereBlocked = box.blockSignals(True)
            box.currentIndex = max(0, box.findData(value))
            box.blockSignals(wereBlocked)
        self._describe()

    def setEnabled(self, enabled):
        """Lock or free the section."""
        ui = self.ui
        for box in (ui.methodComboBox, ui.modeComboBox, ui.deviceComboBox, ui.registerComboBox):
            box.enabled = enabled

    def fill(self):
        """Add what the catalogue holds, and say whether the list has changed.

        Without PyTorch the catalogue cannot be read and the list stays as it is.
        """
        if self._infos or isTorchMissing():
            return False
        import MedFusionLib

        for info in sorted(MedFusionLib.methods(), key=lambda info: info.family):
            self._infos[info.name] = info
            self.ui.methodComboBox.addItem(f"{info.title} ({info.family})", info.name)
        return True

    def _addChoices(self):
        self.ui.methodComboBox.addItem(_("Recommended for these modalities"), AUTOMATIC)
        self.ui.modeComboBox.addItem(_("Automatic"), "auto")
        self.ui.modeComboBox.addItem(_("Volume (true 3-D)"), "volume")
        self.ui.modeComboBox.addItem(_("Slice by slice"), "slice")
        self.ui.deviceComboBox.addItem(_("Automatic"), "auto")
        self.ui.deviceComboBox.addItem(_("Processor"), "cpu")
        self.ui.deviceComboBox.addItem(_("Graphics card (CUDA)"), "cuda")
        self.ui.registerComboBox.addItem(_("None: they line up"), "none")
        self.ui.registerComboBox.addItem(_("Rigid (same patient, moved)"), "rigid")
        self.ui.registerComboBox.addItem(_("Affine (scaled and sheared, too)"), "affine")
        self.ui.registerComboBox.addItem(_("B-spline (bent; check the result)"), "bspline")

    def _changed(self, index):
        self._describe()
        self._onChanged()

    def _describe(self):
        info = self._infos.get(self.ui.methodComboBox.currentData)
        text = info.sentence if info else _("The method that suits the chosen modalities best.")
        self.ui.methodLabel.text = text
        self.ui.methodComboBox.toolTip = f"{text}\n{info.citation}" if info else text
