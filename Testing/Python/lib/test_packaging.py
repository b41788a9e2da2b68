"""What an installed extension and an installed package hold."""

import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def installed(project_folder, tmp_path_factory):
    """The folder that Slicer puts on its path, installed by the real CMake files with a stub of Slicer's macros."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("prefix")
    stub = project_folder / "Testing" / "support" / "cmake"
    configure = [cmake, "-S", project_folder, "-B", build, f"-DSlicer_DIR={stub}", "-DBUILD_TESTING=ON"]
    subprocess.run(configure, check=True, capture_output=True, text=True)
    subprocess.run([cmake, "--install", build, "--prefix", prefix], check=True, capture_output=True, text=True)
    return prefix / "lib" / "Slicer" / "qt-scripted-modules"


def tracked(folder, *patterns):
    return {p.relative_to(folder).as_posix() for pattern in patterns for p in folder.rglob(pattern)}


def test_everything_lands_side_by_side(installed):
    assert {p.name for p in installed.iterdir()} == {
        "MedFusion.py", "MedFusionLib", "MedFusionScene", "MedFusionWidgets", "Resources",
    }  # fmt: skip


def test_no_file_is_forgotten(installed, project_folder):
    for package, root in (
        ("MedFusionLib", project_folder),
        ("MedFusionScene", project_folder / "MedFusion"),
        ("MedFusionWidgets", project_folder / "MedFusion"),
    ):
        wanted = tracked(root / package, "*.py", "*.json", "*.safetensors")
        assert tracked(installed / package, "*.py", "*.json", "*.safetensors") == wanted
    assert tracked(installed / "Resources", "*") == tracked(project_folder / "Resources", "*")


def test_the_installed_library_works_on_its_own(installed):
    code = (
        "import MedFusionLib as mf, numpy as np; from MedFusionLib.colour import lookup_table;"
        "lookup_table('inferno'); print(mf.__file__); print(len(mf.methods()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(installed)})  # fmt: skip
    where, count = done.stdout.split()
    assert where.startswith(str(installed))
    assert int(count) >= 6


def test_the_wheel_holds_both_packages_with_their_data(project_folder, tmp_path):
    source = tmp_path / "source"
    keep = shutil.ignore_patterns(".venv", ".git", "build", "*.egg-info", "__pycache__", "demo-output", ".*_cache")
    shutil.copytree(project_folder, source, ignore=keep)
    build = "from setuptools import build_meta; import sys; print(build_meta.build_wheel(sys.argv[1]))"
    pytest.importorskip("setuptools", minversion="77")
    done = subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, text=True,
                          check=True)  # fmt: skip
    import zipfile

    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        names = set(wheel.namelist())
    assert {"MedFusionLib/__init__.py", "MedFusionLib/resources/colour_tables.json", "MedFusionScene/show.py"} <= names
    assert not any(name.startswith(("Testing", "MedFusion/", "Resources")) for name in names)
