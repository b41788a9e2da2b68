"""Put the stand-in where the module looks for Slicer's Qt layer, and take it away again."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CELL_PIXELS = 160
"""Of a view in a picture of the layout."""


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
    questions : list of str
        What the person was asked; `answer` is what they say.
    folder, files : str, tuple of str
        What the person chooses in file dialogs.
    opened : list of str
        Modules that were opened.
    editor : SegmentEditor
        The Segment Editor's widget.
    at_startup : list
        What is called when the application has started.
    main_window : object
        None without one.
    """

    errors: list = field(default_factory=list)
    dialogs: list = field(default_factory=list)
    waits: list = field(default_factory=list)
    questions: list = field(default_factory=list)
    answer: bool = True
    folder: str = ""
    files: tuple = ()
    opened: list = field(default_factory=list)
    editor: object = None
    at_startup: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)
    on_events: object = None
    main_window: object = None

    def settle(self, condition, seconds: float = 30.0) -> None:
        """Process events until a condition holds."""
        import time

        from PySide6 import QtWidgets

        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("what was waited for did not happen")
            QtWidgets.QApplication.processEvents()
            time.sleep(0.005)


@contextmanager
def stage(booted, settings: str) -> Iterator[Stage]:
    """Qt and Slicer's modules on top of a headless application that is already booted.

    Parameters
    ----------
    booted : MedFusionScene.headless.HeadlessApplication
        The application's scene and logics.
    settings : str
        File where the person's settings are kept.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtCore, QtGui, QtWidgets

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    from slicer_qt import module_classes, parameter_node, pythonqt, views, widgets

    happened = Stage(errors=pythonqt.ERRORS)
    pythonqt.ERRORS.clear()
    happened.editor = widgets.SegmentEditorWidget()
    dialogs = types.SimpleNamespace(
        getExistingDirectory=lambda parent, caption: happened.folder,
        getOpenFileNames=lambda parent, caption, directory, filters: happened.files,
    )
    modules = {
        "qt": types.SimpleNamespace(
            QIcon=QtGui.QIcon,
            QTimer=widgets.Timer,
            QFileDialog=dialogs,
            QApplication=QtWidgets.QApplication,
            QTableWidgetItem=QtWidgets.QTableWidgetItem,
            QSettings=lambda: QtCore.QSettings(settings, QtCore.QSettings.Format.IniFormat),
            QShortcut=widgets.Shortcut,
            QKeySequence=QtGui.QKeySequence,
        ),
        "ScreenCapture": views.screen_capture(booted, CELL_PIXELS),
        "SampleData": types.SimpleNamespace(SampleDataLogic=sample_data(happened)),
        "slicer.ScriptedLoadableModule": module_classes,
        "slicer.parameterNodeWrapper": parameter_node,
        "slicer.i18n": types.SimpleNamespace(tr=str, translate=lambda context, text: text),
    }
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    restore = _fill_slicer(application, happened, booted)
    try:
        yield happened
    finally:
        widgets.detach_selectors()
        restore()
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def application_signals(happened: Stage):
    """slicer.app.connect for the documented signals."""
    from slicer_qt.api import documented

    def connect(signature, slot):
        if signature not in documented()["slicer.app"]["signals"]:
            raise AttributeError(f"slicer.app documents no signal {signature}")
        happened.at_startup.append(slot)

    return connect


def sample_data(happened: Stage):
    """SampleData.SampleDataLogic, as far as a module registers data with it."""
    from slicer_qt.api import documented

    def register(**source):
        known = documented()["SampleDataLogic"]["arguments"]["registerCustomSampleDataSource"]
        if not set(source) <= set(known):
            raise TypeError(f"registerCustomSampleDataSource documents no {sorted(set(source) - set(known))}")
        happened.samples[source["sampleName"]] = source

    return types.SimpleNamespace(registerCustomSampleDataSource=register)


def _fill_slicer(application, happened: Stage, booted):
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
        "confirmOkCancelDisplay": lambda text, **options: happened.questions.append(text) or happened.answer,
        "infoDisplay": lambda text, **options: happened.dialogs.append(text),
        "selectModule": happened.opened.append,
        "mainWindow": lambda: happened.main_window,
        "getModuleWidget": lambda name: types.SimpleNamespace(editor=happened.editor),
    }
    unknown = set(functions) - set(documented()["slicer.util"]["functions"])
    if unknown:
        raise AttributeError(f"slicer.util documents no {sorted(unknown)}")
    before = {name: getattr(slicer.util, name, None) for name in functions}
    app_before = getattr(slicer, "app", None)
    for name, function in functions.items():
        setattr(slicer.util, name, function)
    slicer.app = types.SimpleNamespace(
        processEvents=process_events,
        layoutManager=lambda: None,
        applicationLogic=lambda: booted.application_logic,
        connect=application_signals(happened),
    )

    def restore():
        for name, function in before.items():
            setattr(slicer.util, name, function)
        slicer.app = app_before

    return restore
