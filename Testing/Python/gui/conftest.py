"""A booted scene with the stand-in for Slicer's Qt layer, and the module's real widget on it."""

from __future__ import annotations

import importlib
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("slicer")
pytest.importorskip("PySide6")


@pytest.fixture(scope="session")
def application():
    from MedFusionScene.headless import HeadlessApplication

    with HeadlessApplication() as running:
        yield running


@pytest.fixture
def stage(application, tmp_path):
    from slicer_qt import stage

    application.scene.Clear(0)
    with stage(application, str(tmp_path / "settings.ini")) as happened:
        yield happened
        application.scene.Clear(0)
    assert not happened.errors, "\n".join(happened.errors)


@pytest.fixture
def module(stage):
    for name in [name for name in sys.modules if name == "MedFusion" or name.startswith("MedFusionWidgets")]:
        del sys.modules[name]
    return importlib.import_module("MedFusion")


@pytest.fixture
def widget(module):
    made = module.MedFusionWidget()
    made.setup()
    yield made
    made.cleanup()
