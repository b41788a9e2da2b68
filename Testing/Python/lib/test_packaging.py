"""What an installed extension and an installed package hold."""

import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def build(project_folder, tmp_path_factory):
    """The build folder of the real CMake files, configured with a stub of Slicer's macros."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("build")
    stub = project_folder / "Testing" / "support" / "cmake"
    configure = [cmake, "-S", project_folder, "-B", build, f"-DSlicer_DIR={stub}", "-DBUILD_TESTING=ON"]
    subprocess.run(configure, check=True, capture_output=True, text=True)
    return build


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """The folder that Slicer puts on its path."""
    prefix = tmp_path_factory.mktemp("prefix")
    install = [shutil.which("cmake"), "--install", build, "--prefix", prefix]
    subprocess.run(install, check=True, capture_output=True, text=True)
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


def test_every_self_test_is_registered_with_ctest(build, project_folder):
    listing = subprocess.run(
        [shutil.which("ctest"), "-N"], cwd=build, capture_output=True, text=True, check=True
    ).stdout
    scripts = [path.stem for path in (project_folder / "Testing/Python/slicer/selftests").glob("*.py")]
    assert scripts
    for name in ("MedFusion", *scripts):
        assert f": py_{name}\n" in listing


def test_the_extension_tells_the_index_what_it_must(build, project_folder):
    lines = (build / "extension.txt").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("=", 1) for line in lines)
    assert (told["PROJECT"], told["CATEGORY"], told["RECOMMENDS"]) == ("MedFusion", "Nuclear Medicine", "PyTorch")
    assert "Research use only" in told["DESCRIPTION"] and told["CONTRIBUTORS"]
    for name in ("HOMEPAGE", "ICONURL", "SCREENSHOTURLS"):
        assert all(one == "NA" or one.startswith("https://") for one in told[name].split())
    icon = (project_folder / "Resources" / "Icons" / "MedFusion.png").read_bytes()
    assert (icon[16:20], icon[20:24]) == ((128).to_bytes(4, "big"),) * 2


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
