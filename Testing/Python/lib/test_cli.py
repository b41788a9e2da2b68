import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import MedFusionLib as mf
from MedFusionLib.cli import main
from phantoms import head_pair


@pytest.fixture
def files(tmp_path):
    paths = []
    for volume, name in zip(head_pair(), ("mr", "pet")):
        path = tmp_path / f"{name}.nii.gz"
        mf.write_volume(volume, path)
        paths.append(str(path))
    return paths


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, capsys.readouterr()


def run_json(capsys, *arguments):
    code, printed = run(capsys, *arguments, "--json")
    return code, json.loads(printed.out)


def test_methods_lists_the_catalogue(capsys):
    code, document = run_json(capsys, "methods")
    assert code == 0
    laplacian = next(m for m in document["methods"] if m["name"] == "laplacian")
    keys = {
        "name",
        "title",
        "family",
        "citation",
        "dims",
        "pairs",
        "sources",
        "weights",
        "survey_reference",
        "default",
        "flagship",
    }
    assert keys <= set(laplacian)
    assert laplacian["default"]
    assert sum(m["flagship"] for m in document["methods"]) == 1


def test_methods_that_invent_say_how_much_and_warn(capsys, files, tmp_path):
    methods = {m["name"]: m for m in run_json(capsys, "methods")[1]["methods"]}
    assert methods["convex"]["invention"] == 0 and methods["convex"]["warning"] is None
    assert methods["laplacian"]["invention"] is None
    assert methods["mcfnet"]["invention"] > 0.01 and "MCFNet invents" in methods["mcfnet"]["warning"]
    share = f"{methods['mcfnet']['invention']:.1%}"
    assert share in run(capsys, "methods")[1].out
    code, printed = run(capsys, "fuse", *files, "--unit", ",SUVbw", "--method", "mcfnet", "--out", tmp_path / "out")
    assert code == 0 and f"Warning: {methods['mcfnet']['warning']}" in printed.out
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert methods["mcfnet"]["warning"] in document["metrics"]["trust"]["warnings"]


def test_fuse_folder_warns_of_a_method_that_invents(capsys, tmp_path):
    for side in ("first", "second"):
        (tmp_path / side).mkdir()
        Image.fromarray(np.full((24, 24), 90, np.uint8)).save(tmp_path / side / "a.png")
    places = ("--first", tmp_path / "first", "--second", tmp_path / "second", "--out", tmp_path / "out")
    _, document = run_json(capsys, "fuse-folder", *places, "--method", "mcfnet", "--colour", "luminance")
    assert "MCFNet invents" in document["warnings"][0]


def test_inspect_says_what_is_there_and_what_is_wrong(capsys, files, tmp_path):
    (tmp_path / "broken.nii").write_text("no")
    code, document = run_json(capsys, "inspect", *files, tmp_path / "broken.nii", "--unit", ",SUVbw")
    assert code == 0
    mr, pet, broken = document["volumes"]
    assert (mr["modality"], mr["shape_kji"]) == ("MR", [24, 32, 28])
    assert pet["unit"] == "{SUVbw}g/ml"
    assert pet["spacing_mm"] == pytest.approx([2, 2, 2.5])
    assert broken["shape_kji"] is None and broken["problems"]


def test_check_gives_a_verdict_and_exits_0_whatever_it_is(capsys, files):
    code, document = run_json(capsys, "check", *files)
    assert code == 0
    pair = document["pairs"][0]
    assert pair["status"] in ("pass", "doubt", "fail")
    assert pair["overlap_fraction"] == pytest.approx(1)
    assert pair["reasons"] and "similarity" in pair["evidence"]


def test_fuse_writes_a_result_that_evaluate_and_load_understand(capsys, files, tmp_path):
    out = tmp_path / "out"
    code, document = run_json(capsys, "fuse", *files, "--method", "dwt", "--unit", ",SUVbw", "--tumour", "suv6",
                              "--out", out)  # fmt: skip
    assert code == 0
    assert document["fused"] == str(out / "fused.nii.gz")
    assert document["device"] in ("cpu", "cuda")
    assert document["measures"][0]["suv_max"] > 6
    for key in ("colour", "contribution", "invention", "tumour", "alignment", "metrics", "seconds", "provenance"):
        assert document[key] is not None
    code, measured = run_json(capsys, "evaluate", "--source", out / "source_0_MR.nii.gz",
                              "--source", out / "source_1_PT.nii.gz", "--fused", document["fused"],
                              "--unit", ",SUVbw")  # fmt: skip
    assert code == 0
    assert measured["mi"] == pytest.approx(document["metrics"]["mi"], rel=0.02)
    assert mf.load_result(out).provenance["parameters"]["method"] == "dwt"
    sources = ("--source", out / "source_0_MR.nii.gz", "--source", out / "source_1_PT.nii.gz", "--unit", ",SUVbw")
    code, chosen = run_json(capsys, "evaluate", *sources, "--fused", document["fused"], "--metrics", "vif, clin",
                            "--mask", "auto")  # fmt: skip
    assert code == 0 and list(chosen) == ["vif", "clin"]
    code, _ = run_json(capsys, "evaluate", *sources, "--fused", document["fused"], "--metrics", "charm")
    assert code == 2


@pytest.mark.parametrize(
    "arguments, code, word",
    [
        (["missing.nii", "missing2.nii"], 3, "missing.nii"),
        (["{mr}"], 2, "at least two"),
        (["{mr}", "{pet}", "--method", "magic"], 2, "magic"),
        (["{mr}", "{pet}", "--trust", "magic"], 2, "loss, stability"),
        (["{mr}", "{pet}", "--tumour", "suvmax41"], 2, "unit unknown"),
        (["{mr}", "{pet}", "--seed", "here"], 2, "R,A,S"),
        (["{mr}", "{pet}", "--parameter", "levels"], 2, "NAME=VALUE"),
        (["{mr}", "{pet}", "--modality", "MR,PT,CT"], 2, "3 values"),
    ],
)
def test_every_failure_has_its_exit_code_and_leaves_no_folder(capsys, files, tmp_path, arguments, code, word):
    places = dict(zip(("mr", "pet"), files))
    given = [a.format(**places) for a in arguments]
    found, document = run_json(capsys, "fuse", *given, "--out", tmp_path / "out")
    assert found == document["error"]["code"] == code
    assert word in document["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_an_existing_result_is_refused_before_the_work(capsys, files, tmp_path):
    out = tmp_path / "out"
    assert run(capsys, "fuse", *files, "--method", "average", "--out", out)[0] == 0
    code, printed = run(capsys, "fuse", *files, "--method", "average", "--out", out)
    assert code == 2 and "overwriting" in printed.err and not printed.out
    assert run(capsys, "fuse", *files, "--method", "average", "--out", out, "--overwrite")[0] == 0


def test_misaligned_sources_exit_with_4_and_force_overrides(capsys, files, tmp_path):
    _, pet = head_pair()
    matrix = pet.geometry.ijk_to_ras.copy()
    matrix[1, 3] += 62.5  # of 64 mm: one plane is shared
    far = tmp_path / "far.nii"
    noise = np.random.default_rng(0).random(pet.geometry.shape)
    mf.write_volume(mf.Volume(noise, mf.Geometry(pet.geometry.shape, matrix)), far)
    assert run(capsys, "fuse", files[0], far, "--out", tmp_path / "out")[0] == 4
    code, printed = run(capsys, "fuse", files[0], far, "--out", tmp_path / "out", "--force")
    assert code == 0, printed.err


@pytest.fixture
def picture_folders(tmp_path):
    rng = np.random.default_rng(0)
    for folder, shape in (("first", (40, 48)), ("second", (40, 48, 3))):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / folder / name)
    return tmp_path


def test_fuse_folder_keeps_the_chroma_and_writes_the_fused_grey_values(capsys, picture_folders):
    folder = picture_folders
    places = ["--first", folder / "first", "--second", folder / "second", "--out", folder / "out"]
    code, document = run_json(capsys, "fuse-folder", *places, "--method", "average", "--colour", "luminance")
    assert (code, document["pairs"]) == (0, 2)
    grey = np.asarray(Image.open(folder / "first" / "a.png"), dtype=float)
    colour = np.asarray(Image.open(folder / "second" / "a.png"), dtype=float)
    fused = np.asarray(Image.open(folder / "out" / "a_y.png"), dtype=float)
    assert np.abs(fused - (grey + colour @ [0.299, 0.587, 0.114]) / 2).max() <= 1
    assert np.asarray(Image.open(folder / "out" / "a.png")).shape == (40, 48, 3)
    assert run(capsys, "fuse-folder", *places, "--colour", "luminance")[0] == 2


def test_fuse_folder_takes_the_flagship_unless_told_otherwise(capsys, picture_folders):
    folder = picture_folders
    places = ["--first", folder / "first", "--second", folder / "second", "--out", folder / "out"]
    _, document = run_json(capsys, "fuse-folder", *places)
    _, listed = run_json(capsys, "methods")
    assert document["method"] == next(method["name"] for method in listed["methods"] if method["flagship"])


def test_fuse_folder_of_grey_pairs_writes_grey(capsys, picture_folders):
    folder = picture_folders
    places = ["--first", folder / "first", "--second", folder / "first", "--out", folder / "out"]
    assert run(capsys, "fuse-folder", *places, "--method", "laplacian", "--colour", "luminance")[0] == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a.png", "b.png"]
    same = [np.asarray(Image.open(folder / place / "a.png"), dtype=int) for place in ("first", "out")]
    assert np.abs(same[0] - same[1]).max() <= 1


def test_colours_that_are_no_palette_are_fused_by_luminance_and_named(capsys, picture_folders):
    folder = picture_folders
    code, document = run_json(capsys, "fuse-folder", "--first", folder / "first", "--second", folder / "second",
                              "--out", folder / "out")  # fmt: skip
    assert code == 0
    assert document["palette"]["second"]["colours"] == []
    assert len(document["palette"]["second"]["luminance"]) == document["pairs"]
    assert document["palette"]["first"]["luminance"] == []


def test_pictures_are_evaluated_on_their_own_scale(capsys, picture_folders):
    path = picture_folders / "first" / "a.png"
    code, document = run_json(capsys, "evaluate", "--source", path, "--source", path, "--fused", path)
    assert code == 0
    assert document["nmi"] == pytest.approx(2)
    assert document["ssim"] == pytest.approx(1, abs=1e-5)


def test_the_module_runs_as_a_program_with_clean_standard_output(files):
    done = subprocess.run([sys.executable, "-m", "MedFusionLib", "inspect", files[0], "--json"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(done.stdout)["volumes"][0]["modality"] == "MR"
    assert "guessed" in done.stderr


def test_an_interrupt_exits_with_8_and_leaves_nothing(capsys, files, tmp_path, monkeypatch):
    from MedFusionLib import pipeline

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupted)
    assert run(capsys, "fuse", *files, "--out", tmp_path / "out")[0] == 8
    assert not (tmp_path / "out").exists()


def test_a_terminated_process_leaves_no_result(files, tmp_path):
    code = (
        "import sys, os, signal, threading\n"
        "from MedFusionLib import pipeline, cli\n"
        "original = pipeline.run\n"
        "def slow(*a, **k):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return original(*a, **k)\n"
        "pipeline.run = slow\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "fuse", *files, "--out", str(tmp_path / "out")],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 8, done.stderr
    assert not (tmp_path / "out").exists()
