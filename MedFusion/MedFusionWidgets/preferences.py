"""What a person likes, kept between sessions; nothing about a patient is."""

import qt
import slicer

PREFIX = "MedFusion/"


def remember(name, value):
    """Keep a choice of the person."""
    qt.QSettings().setValue(PREFIX + name, value)


def remembered(name, default, converter=str):
    """The person's last choice, or the default."""
    return slicer.util.settingsValue(PREFIX + name, default, converter)
