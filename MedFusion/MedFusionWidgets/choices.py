"""Lists to choose from, and labels that say something."""

HEADING_ROLE = 31
"""Qt::UserRole - 1: where the list keeps the flags of an entry; 0 makes a heading that cannot be chosen."""


def fill(box, entries):
    """Put (title, value) entries into a list; an entry without a value is a heading."""
    wereBlocked = box.blockSignals(True)
    box.clear()
    for title, value in entries:
        box.addItem(title, value)
        if value is None:
            box.setItemData(box.count - 1, 0, HEADING_ROLE)
    box.blockSignals(wereBlocked)


def show(box, value, *, otherwise=0):
    """Show a value that was chosen before: it is no new choice."""
    wereBlocked = box.blockSignals(True)
    found = box.findData(value)
    box.currentIndex = found if found >= 0 else otherwise
    box.blockSignals(wereBlocked)


def isChosen(box, slot):
    """Call the slot when the person chooses."""
    box.connect("currentIndexChanged(int)", lambda index: slot())


def say(label, text):
    """Put a sentence into a label; one without a sentence takes no room."""
    label.text = text
    label.visible = bool(text)
