"""The section for choosing sources and saying what they are."""

from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, show

SOURCES = ("reference", "second", "third", "fourth")


class InputsSection:
    """Which volumes are fused, and what they are."""

    def __init__(self, ui, onChanged):
        self.ui = ui
        self._onChanged = onChanged
        self.selectors = [getattr(ui, f"{name}Volume") for name in SOURCES]
        self.modalities = [getattr(ui, f"{name}Modality") for name in SOURCES]
        self.units = [getattr(ui, f"{name}Unit") for name in SOURCES]
        self._fillChoices()
        for number, selector in enumerate(self.selectors):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: onChanged())
            isChosen(self.modalities[number], lambda number=number: self._setModality(number))
            isChosen(self.units[number], lambda number=number: self._setUnit(number))

    def nodes(self):
        """The chosen volume nodes, reference first."""
        return [selector.currentNode() for selector in self.selectors if selector.currentNode() is not None]

    def choose(self, nodes):
        """Take volumes as sources, where nothing is chosen yet."""
        free = [selector for selector in self.selectors if selector.currentNode() is None]
        for selector, node in zip(free, nodes):
            selector.setCurrentNode(node)

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for widget in (*self.selectors, *self.modalities, *self.units):
            widget.enabled = enabled
        if enabled:
            self._showMeanings()

    def refresh(self):
        """Say what the chosen volumes are; return why they cannot be fused, empty when they can."""
        from MedFusionLib.errors import MedFusionError
        from MedFusionScene.nodes import describe_node

        descriptions, problem = [], ""
        for node in self.nodes():
            try:
                descriptions.append(describe_node(node))
            except MedFusionError as error:  # says why this volume cannot be a source
                problem = problem or str(error)
        self.ui.sourcesLabel.text = "\n".join(descriptions)
        self._showMeanings()
        return problem or self._whyNot()

    def _fillChoices(self):
        from MedFusionLib.units import FUSION_INDEX, KNOWN_UNITS, UNKNOWN

        kinds = (("CT", _("CT")), ("MR", _("MR")), ("PT", _("PET")), ("NM", _("SPECT")), ("OT", _("other")))
        for box in self.modalities:
            fill(box, [(title, name) for name, title in kinds])
        for box in self.units:
            fill(box, [(unit.meaning, unit.code) for unit in (UNKNOWN, *KNOWN_UNITS) if unit is not FUSION_INDEX])

    def _showMeanings(self):
        """Show in every row what the volume says of itself."""
        from MedFusionScene.nodes import modality_of, unit_of

        for selector, kinds, units in zip(self.selectors, self.modalities, self.units):
            node = selector.currentNode()
            kinds.enabled = units.enabled = node is not None and selector.enabled
            if node is not None:
                show(kinds, modality_of(node))
                show(units, unit_of(node).code)
            else:
                show(kinds, None, otherwise=-1)
                show(units, None, otherwise=-1)

    def _setModality(self, number):
        from MedFusionScene.nodes import set_modality

        node = self.selectors[number].currentNode()
        if node is not None:
            set_modality(node, self.modalities[number].currentData)
            self._onChanged()

    def _setUnit(self, number):
        from MedFusionLib.units import parse_unit
        from MedFusionScene.nodes import set_unit

        node = self.selectors[number].currentNode()
        if node is not None:
            set_unit(node, parse_unit(self.units[number].currentData))
            self._onChanged()

    def _whyNot(self):
        nodes = self.nodes()
        if self.selectors[0].currentNode() is None:
            return _("Choose a reference volume.")
        if len(nodes) < 2:
            return _("Choose a second volume.")
        if len({node.GetID() for node in nodes}) < len(nodes):
            return _("The same volume is chosen twice.")
        return ""
