"""The section for choosing how to fuse. It shows what the catalogue holds, by asking it."""

from slicer.i18n import tr as _

AUTOMATIC = ""


class MethodSection:
    """Method, mode and device."""

    def __init__(self, ui, onChanged):
        self.ui = ui
        self._onChanged = onChanged
        self._infos = {}
        self._fill()
        ui.methodComboBox.connect("currentIndexChanged(int)", self._changed)
        ui.modeComboBox.connect("currentIndexChanged(int)", self._changed)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self._changed)

    def values(self):
        """The choices: method (None for the default), mode and device."""
        return {
            "method": self.ui.methodComboBox.currentData or None,
            "mode": self.ui.modeComboBox.currentData,
            "device": self.ui.deviceComboBox.currentData,
        }

    def show(self, method, mode, device):
        """Show choices that were made before; unknown ones fall back to the first entry."""
        for box, value in (
            (self.ui.methodComboBox, method),
            (self.ui.modeComboBox, mode),
            (self.ui.deviceComboBox, device),
        ):
            box.currentIndex = max(0, box.findData(value))
        self._describe()

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for box in (self.ui.methodComboBox, self.ui.modeComboBox, self.ui.deviceComboBox):
            box.enabled = enabled

    def _fill(self):
        import MedFusionLib

        box = self.ui.methodComboBox
        box.addItem(_("Recommended for these modalities"), AUTOMATIC)
        for info in sorted(MedFusionLib.methods(), key=lambda info: info.family):
            self._infos[info.name] = info
            box.addItem(f"{info.title} ({info.family})", info.name)
        self.ui.modeComboBox.addItem(_("Volume (true 3-D)"), "volume")
        self.ui.modeComboBox.addItem(_("Slice by slice"), "slice")
        self.ui.deviceComboBox.addItem(_("Automatic"), "auto")
        self.ui.deviceComboBox.addItem(_("Processor"), "cpu")
        self.ui.deviceComboBox.addItem(_("Graphics card (CUDA)"), "cuda")
        self._describe()

    def _changed(self, index):
        self._describe()
        self._onChanged()

    def _describe(self):
        info = self._infos.get(self.ui.methodComboBox.currentData)
        text = info.sentence if info else _("The method that suits the chosen modalities best.")
        self.ui.methodLabel.text = text
        self.ui.methodComboBox.toolTip = f"{text}\n{info.citation}" if info else text
