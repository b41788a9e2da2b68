"""Window and colours of a source."""

from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, show
from MedFusionWidgets.preferences import remember, remembered


class LookBox:
    """Choose a source, then its window and its colour map; both are remembered per modality."""

    def __init__(self, ui, onChanged):
        self.ui, self._onChanged = ui, onChanged
        self._nodes = []
        isChosen(ui.lookSourceComboBox, self._show)
        isChosen(ui.windowComboBox, self._onWindow)
        isChosen(ui.coloursComboBox, self._onColours)

    def setSources(self, nodes):
        """The volumes to choose from, reference first."""
        if [node.GetID() for node in nodes] != [node.GetID() for node in self._nodes]:
            self._nodes = list(nodes)
            fill(self.ui.lookSourceComboBox, [(node.GetName(), number) for number, node in enumerate(nodes)])
        self._show()

    def applyPreferences(self):
        """Give the sources the windows and colours that the person chose last for their modalities."""
        from MedFusionScene.nodes import modality_of
        from MedFusionScene.windows import apply_colours, apply_preset, colours_of, presets_of

        for node in self._nodes:
            modality = modality_of(node)
            window, colours = remembered(f"window/{modality}", ""), remembered(f"colours/{modality}", "")
            if window in [preset.name for preset in presets_of(node)]:
                apply_preset(node, window)
            if colours in colours_of(node):
                apply_colours(node, colours)
        self._show()

    def _node(self):
        number = self.ui.lookSourceComboBox.currentIndex
        node = self._nodes[number] if 0 <= number < len(self._nodes) else None
        return node if node is not None and node.GetScene() is not None else None

    def _show(self):
        """Say how the chosen source looks now; another module may have changed it."""
        from MedFusionScene.windows import colours_of, preset_shown, presets_of

        node, ui = self._node(), self.ui
        for box in (ui.lookSourceComboBox, ui.windowComboBox, ui.coloursComboBox):
            box.enabled = node is not None
        if node is None:
            return
        display = node.GetDisplayNode()
        current = (
            ""
            if display is None
            else _("As it is: {low:.4g} to {high:.4g}").format(
                low=display.GetWindowLevelMin(), high=display.GetWindowLevelMax()
            )
        )
        presets = [(preset.title, preset.name) for preset in presets_of(node)]
        fill(ui.windowComboBox, [(current, ""), *presets])
        show(ui.windowComboBox, preset_shown(node) or "")
        colours = display.GetColorNode() if display is not None else None
        titles = colours_of(node)
        shown = colours.GetName() if colours is not None else ""
        fill(ui.coloursComboBox, [(name, name) for name in dict.fromkeys([*titles, shown]) if name])
        show(ui.coloursComboBox, shown)

    def _onWindow(self):
        from MedFusionScene.nodes import modality_of
        from MedFusionScene.windows import apply_preset

        node, name = self._node(), self.ui.windowComboBox.currentData
        if node is not None and name:
            apply_preset(node, name)
            remember(f"window/{modality_of(node)}", name)
            self._show()
            self._onChanged()

    def _onColours(self):
        from MedFusionScene.nodes import modality_of
        from MedFusionScene.windows import apply_colours, colours_of

        node, name = self._node(), self.ui.coloursComboBox.currentData
        if node is not None and name in colours_of(node):
            apply_colours(node, name)
            remember(f"colours/{modality_of(node)}", name)
            self._onChanged()
