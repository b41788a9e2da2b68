"""Keys for what a radiologist does all the time; they work while the panel is open."""

import qt

from MedFusionWidgets.view import OPACITY_STEP


class Shortcuts:
    """Keyboard shortcuts for opacity and comparison."""

    def __init__(self, parent, view, onCompare):
        self._shortcuts = []
        for keys, slot in (
            ("Ctrl+Alt+Up", lambda: view.stepOpacity(OPACITY_STEP)),
            ("Ctrl+Alt+Down", lambda: view.stepOpacity(-OPACITY_STEP)),
            ("Ctrl+Alt+0", lambda: view.stepOpacity(-1.0)),
            ("Ctrl+Alt+1", lambda: view.stepOpacity(1.0)),
            ("Ctrl+Alt+C", onCompare),
        ):
            shortcut = qt.QShortcut(parent)
            shortcut.setKey(qt.QKeySequence(keys))
            shortcut.connect("activated()", slot)
            self._shortcuts.append(shortcut)
