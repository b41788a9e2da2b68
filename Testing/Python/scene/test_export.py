"""From a result to a scene file and pictures, in an application of its own."""

import ast
import ctypes
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import slicer
import vtk

from MedFusionLib.errors import UsageError
from MedFusionScene import export, gl
from MedFusionScene.export import scene_from_result
from MedFusionScene.headless import HeadlessApplication


def _size(path) -> tuple:
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput().GetDimensions()[:2]


@pytest.mark.usefixtures("needs_gl")
def test_a_result_becomes_a_bundle_and_pictures(result, tmp_path):
    written = scene_from_result(result, mrb=tmp_path / "scene.mrb", png=tmp_path)
    assert written["mrb"] == str(tmp_path / "scene.mrb")
    assert written["message"] is None
    assert [Path(p).name for p in written["pictures"]] == ["views.png", "overlay.png", "tumour_3d.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["overlay.png", "scene.mrb", "tumour_3d.png", "views.png"]
    assert _size(tmp_path / "views.png") == (1200, 1200)


@pytest.mark.usefixtures("needs_gl")
def test_without_function_and_tumour_there_is_one_picture(result, tmp_path):
    plain = replace(result, sources=(result.sources[0],) * 2, colour=None, tumour=None)
    written = scene_from_result(plain, png=tmp_path)
    assert [Path(p).name for p in written["pictures"]] == ["views.png"]
    assert written["mrb"] is None


def test_without_a_gl_library_only_the_pictures_are_missing(result, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "offscreen_problem", lambda: "No OpenGL library: install libegl1")
    monkeypatch.setattr(export, "draw_pictures", lambda *args: pytest.fail("drawing would end the process"))
    written = scene_from_result(result, mrb=tmp_path / "scene.mrb", png=tmp_path)
    assert written["pictures"] is None
    assert "libegl1" in written["message"]
    assert [p.name for p in tmp_path.iterdir()] == ["scene.mrb"]


def _pretend_libraries(monkeypatch, *present):
    def load(name):
        if name not in present:
            raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(sys, "platform", "linux")


def test_the_packages_to_install_are_named(monkeypatch):
    _pretend_libraries(monkeypatch)
    problem = gl.offscreen_problem()
    assert "libegl1 libegl-mesa0 libgl1-mesa-dri" in problem
    assert "libosmesa6" in problem


@pytest.mark.parametrize(
    ("library", "window"), [("libEGL.so.1", "vtkEGLRenderWindow"), ("libOSMesa.so.8", "vtkOSOpenGLRenderWindow")]
)
def test_one_of_the_two_libraries_is_enough(monkeypatch, library, window):
    _pretend_libraries(monkeypatch, library)
    monkeypatch.setattr(gl, "_window_class", lambda: window)
    assert gl.offscreen_problem() is None


@pytest.mark.usefixtures("needs_gl")
def test_a_gl_library_without_a_driver_is_noticed_before_it_ends_the_process(project_folder):
    if gl._loads("libOSMesa.so.8"):
        pytest.skip("OSMesa draws without a driver")
    code = "from MedFusionScene.gl import offscreen_problem; print(offscreen_problem())"
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": os.devnull, "LIBGL_DRIVERS_PATH": os.devnull}
    environment.pop("DISPLAY", None)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=project_folder / "MedFusion", env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "no driver" in run.stdout
    assert "libgl1-mesa-dri" in run.stdout


def test_an_application_leaves_no_folder_and_no_scene_behind():
    with HeadlessApplication() as application:
        folder = application.folder
        assert slicer.mrmlScene is application.scene
        assert folder.is_dir()
    assert slicer.mrmlScene is None
    assert not folder.exists()


def test_an_application_starts_without_errors(caplog):
    with caplog.at_level(logging.WARNING), HeadlessApplication() as application:
        assert application.scene.GetFirstNodeByName("PET-Heat") is not None
    assert caplog.records == []


def test_errors_of_vtk_reach_the_log(caplog):
    with HeadlessApplication() as application:
        application.scene.GetNthNodeByClass(0, None)
        vtk.vtkNIFTIImageReader().Update()
    assert any("file" in record.message.lower() for record in caplog.records)


def test_inside_slicer_no_second_application_is_started(monkeypatch):
    monkeypatch.setattr("MedFusionScene.headless.is_slicer_application", lambda: True)
    with pytest.raises(UsageError, match=r"slicer\.mrmlScene"), HeadlessApplication():
        pass


def test_importing_the_package_loads_neither_slicer_nor_vtk(project_folder):
    code = "import sys, MedFusionScene; print(sorted({'slicer', 'vtk', 'numpy'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=project_folder / "MedFusion", capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_no_module_knows_the_applications_widgets(project_folder):
    for path in (project_folder / "MedFusion" / "MedFusionScene").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.split(".")[0] for name in names}
            assert not roots & {"qt", "ctk", "MedFusionWidgets", "MedFusion"}, path.name
