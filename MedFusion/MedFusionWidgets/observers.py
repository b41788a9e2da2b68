"""Observers of scene objects that can be let go all at once."""


class Observers:
    """What is observed at the moment."""

    def __init__(self):
        self._tags = []

    def add(self, observed, event, callback):
        """Call back on an event of a node or another VTK object."""
        self._tags.append((observed, observed.AddObserver(event, callback)))

    def clear(self):
        """Observe nothing any more."""
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags.clear()
