"""The section for choosing how to fuse. It shows what the catalogue holds, by asking it."""

import importlib

from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, show
from MedFusionWidgets.dependencies import isTorchLoaded, isTorchMissing
from MedFusionWidgets.task import Background

AUTOMATIC = ""


class MethodSection:
    """Method, mode, device and precision."""

    def __init__(self, ui, onChanged, onFilled):
        self.ui = ui
        self._onChanged, self._onFilled = onChanged, onFilled
        self._infos = {}
        self._recommended = None
        self._addChoices()
        self._background = Background(lambda outcome: self._loaded(), lambda error: None)
        if isTorchLoaded():
            self.fill()
        elif not isTorchMissing():
            # the catalogue comes with PyTorch, whose first import takes seconds: the panel is there before
            self._background.start(lambda cancelled: importlib.import_module("MedFusionLib.methods.catalogue"))
        self._boxes = {
            "method": ui.methodComboBox,
            "mode": ui.modeComboBox,
            "device": ui.deviceComboBox,
            "precision": ui.precisionComboBox,
        }
        for box in self._boxes.values():
            isChosen(box, self._changed)

    def values(self):
        """The choices: method (None for the default), mode, device and precision."""
        chosen = {name: box.currentData for name, box in self._boxes.items()}
        return {**chosen, "method": chosen["method"] or None}

    def show(self, **chosen):
        """Show choices that were made before; unknown ones fall back to the first entry."""
        for name, value in chosen.items():
            show(self._boxes[name], value)
        self._describe()

    def close(self):
        """Wait for nothing any more."""
        self._background.close()

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for box in self._boxes.values():
            box.enabled = enabled

    def setSources(self, nodes):
        """Say which method is recommended for the modalities of the chosen nodes."""
        self._recommended = None
        if self._infos and len(nodes) > 1:
            from MedFusionLib.methods.catalogue import default_for
            from MedFusionScene.nodes import modality_of

            modalities = [modality_of(node) for node in nodes]
            info = self._infos[default_for(modalities)]
            self._recommended = info
            text = _("Recommended for {pair}: {title}").format(pair="-".join(modalities[:2]), title=info.title)
        else:
            text = _("Recommended for these modalities")
        self.ui.methodComboBox.setItemText(0, text)
        self._describe()

    def info(self):
        """What the catalogue says of the method that Apply would take; None when that is not known."""
        return self._infos.get(self.ui.methodComboBox.currentData) or self._recommended

    def fill(self):
        """Add what the catalogue holds, by family, and say whether the list has changed.

        Without PyTorch the catalogue cannot be read and the list stays as it is.
        """
        if self._infos or isTorchMissing():
            return False
        import MedFusionLib

        families = {}
        for info in MedFusionLib.methods():
            families.setdefault(info.family, []).append(info)
            self._infos[info.name] = info
        entries = [(_("Recommended for these modalities"), AUTOMATIC)]
        for family, infos in families.items():
            entries.append((family[:1].upper() + family[1:], None))
            entries += [(f"    {info.title}", info.name) for info in infos]
        fill(self.ui.methodComboBox, entries)
        return True

    def _loaded(self):
        if self.fill():
            self._onFilled()

    def _addChoices(self):
        ui = self.ui
        fill(ui.methodComboBox, [(_("Recommended for these modalities"), AUTOMATIC)])
        fill(ui.modeComboBox, [(_("Automatic"), "auto"), (_("Volume (true 3-D)"), "volume"),
                               (_("Slice by slice"), "slice")])  # fmt: skip
        fill(ui.deviceComboBox, [(_("Automatic"), "auto"), (_("Processor"), "cpu"),
                                 (_("Graphics card (CUDA)"), "cuda")])  # fmt: skip
        fill(ui.precisionComboBox, [(_("exact"), "exact"), (_("fast"), "fast")])

    def _changed(self):
        self._describe()
        self._onChanged()

    def _describe(self):
        info = self.info()
        if info is None:
            self.ui.methodLabel.text = _("The method that suits the chosen modalities best.")
            self.ui.methodWarningLabel.visible = False
            return
        citation = _("{sentence}\n{citation}").format(sentence=info.sentence, citation=info.citation)
        self.ui.methodLabel.text = citation
        self.ui.methodComboBox.toolTip = f"{citation}\n{info.reproduces}"
        warnings = [info.warning]
        if self.ui.modeComboBox.currentData == "volume" and 3 not in info.dims:
            warnings.append(_("This method works slice by slice only: choose another mode."))
        if self.ui.modeComboBox.currentData == "slice" and 2 not in info.dims:
            warnings.append(_("This method works on volumes only: choose another mode."))
        text = " ".join(filter(None, warnings))
        self.ui.methodWarningLabel.text = _("Note: {warning}").format(warning=text) if text else ""
        self.ui.methodWarningLabel.visible = bool(text)
