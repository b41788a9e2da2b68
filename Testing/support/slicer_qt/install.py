"""Put the stand-in where the module looks for Slicer's Qt layer, and take it away again."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stage:
    """What happened on the stage.

    Parameters
    ----------
    errors : list of str
        Exceptions in slots.
    dialogs : list of str
        Sentences of error dialogs.
    waits : list of float
        Moments at which events were processed.
    """

    errors: list = field(default_factory=list)
    dialogs: list = field(default_factory=list)
    waits: list = field(default_factory=list)
    on_events: object = None


@contextmanager
def stage() -> Iterator[Stage]:
    """Qt and Slicer's modules on top of a headless application that is already booted."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtGui, QtWidgets

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    from slicer_qt import module_classes, parameter_node, pythonqt, widgets

    happened = Stage(errors=pythonqt.ERRORS)
    pythonqt.ERRORS.clear()
    modules = {
        "qt": types.SimpleNamespace(QIcon=QtGui.QIcon),
        "slicer.ScriptedLoadableModule": module_classes,
        "slicer.parameterNodeWrapper": parameter_node,
        "slicer.i18n": types.SimpleNamespace(tr=str, translate=lambda context, text: text),
    }
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    restore = _fill_slicer(application, happened)
    try:
        yield happened
    finally:
        widgets.detach_selectors()
        restore()
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def _fill_slicer(application, happened: Stage):
    import time

    import slicer
    import slicer.util

    from slicer_qt.api import documented
    from slicer_qt.ui_file import children_by_name, load_ui

    def process_events():
        happened.waits.append(time.monotonic())
        application.processEvents()
        if happened.on_events:
            happened.on_events()

    functions = {
        "loadUI": load_ui,
        "childWidgetVariables": children_by_name,
        "errorDisplay": lambda text, **options: happened.dialogs.append(text),
        "confirmOkCancelDisplay": lambda text, **options: True,
    }
    unknown = set(functions) - set(documented()["slicer.util"]["functions"])
    if unknown:
        raise AttributeError(f"slicer.util documents no {sorted(unknown)}")
    before = {name: getattr(slicer.util, name, None) for name in functions}
    app_before = getattr(slicer, "app", None)
    for name, function in functions.items():
        setattr(slicer.util, name, function)
    slicer.app = types.SimpleNamespace(processEvents=process_events, layoutManager=lambda: None)

    def restore():
        for name, function in before.items():
            setattr(slicer.util, name, function)
        slicer.app = app_before

    return restore
