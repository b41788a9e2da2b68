"""The section for choosing sources."""

from slicer.i18n import tr as _

SELECTORS = ("referenceVolume", "secondVolume", "thirdVolume", "fourthVolume")


class InputsSection:
    """Which volumes are fused, and what they are."""

    def __init__(self, ui, onChanged):
        self.ui = ui
        self.selectors = [getattr(ui, name) for name in SELECTORS]
        for selector in self.selectors:
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: onChanged())

    def nodes(self):
        """The chosen volume nodes, reference first."""
        return [selector.currentNode() for selector in self.selectors if selector.currentNode() is not None]

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for selector in self.selectors:
            selector.enabled = enabled

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
        return problem or self._whyNot()

    def _whyNot(self):
        nodes = self.nodes()
        if self.selectors[0].currentNode() is None:
            return _("Choose a reference volume.")
        if len(nodes) < 2:
            return _("Choose a second volume.")
        if len({node.GetID() for node in nodes}) < len(nodes):
            return _("The same volume is chosen twice.")
        return ""
