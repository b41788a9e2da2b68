"""The commands that outline a tumour, and what they write."""

import json

import pytest

import MedFusionLib as mf
from leg_phantom import CENTRE, leg
from MedFusionLib.cli import main
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.io import read_labels
from MedFusionLib.io.segmentation_file import read_segmentation, save_segmentation
from MedFusionLib.region import BoxRegion
from MedFusionLib.segment import Marks, segment
from MedFusionLib.volume import Case


@pytest.fixture(scope="module")
def sources():
    return leg()


@pytest.fixture
def files(tmp_path, sources):
    paths = [str(tmp_path / name) for name in ("ct.nii.gz", "pet.nii.gz", "mr.nii.gz")]
    for volume, path in zip(sources, paths):
        mf.write_volume(volume, path)
    return paths


def call(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, capsys.readouterr()


def test_the_command_writes_measures_and_says_what_it_leans_on(capsys, files, tmp_path):
    roi = tmp_path / "roi.mrk.json"
    markup = {"type": "ROI", "coordinateSystem": "RAS", "center": CENTRE, "size": [60, 60, 60]}
    roi.write_text(json.dumps({"markups": [markup]}))
    out = tmp_path / "t.seg.nrrd"
    arguments = ["segment", *files, "--unit", "HU,SUVbw,a.u.", "--roi", roi, "--type", "primary", "--out", out]
    code, printed = call(capsys, *arguments, "--compare", "--json")
    document = json.loads(printed.out)
    assert code == 0
    found = document["segments"][0]
    assert {"name", "volume_ml", "suv_max", "suv_mean", "suv_peak", "tlg_g", "axial_long_mm"} <= set(found)
    assert found["volume_ml"] == pytest.approx(33.5, rel=0.15)
    assert document["evidence"]["leading_modality"] == "PT" and document["units"]["tlg_g"] == "g"
    assert document["comparison"]["largest_ml"] > document["comparison"]["smallest_ml"] > 0
    written = read_segmentation(out)
    assert written.segments[0].type_code.value == "86049000"
    assert (written.labels > 0).sum() * written.geometry.voxel_volume_ml == pytest.approx(found["volume_ml"])
    assert call(capsys, *arguments)[0] == 2
    code, printed = call(capsys, *arguments, "--overwrite")
    assert code == 0 and "SUVpeak" in printed.out and "leans on PT" in printed.out


@pytest.mark.parametrize("seed", [["--seed", "-6,-4,2"], ["--seed=-6,-4,2"]])
def test_a_point_may_start_with_a_minus(capsys, files, tmp_path, seed):
    out = tmp_path / "x.nii.gz"
    code, printed = call(capsys, "segment", files[1], "--unit", "SUVbw", "--method", "suv2.5", "--out", out, *seed)
    assert code == 0, printed.err


def test_the_command_keeps_candidates_and_writes_a_label_map(capsys, files, tmp_path):
    out = tmp_path / "labels.nii.gz"
    base = ["segment", files[1], "--unit", "SUVbw", "--method", "suv2.5", "--out", out, "--json"]
    code, printed = call(capsys, *base, "--keep", "1")
    assert code == 0 and len(json.loads(printed.out)["segments"]) == 1
    labels, geometry = read_labels(out)
    assert labels.max() == 1 and geometry.shape == labels.shape


@pytest.mark.parametrize(
    "extra, code",
    [
        (["--method", "magic"], 6),
        (["--method", "suvmax41"], 2),
        (["--method", "percist"], 2),
        (["--type", "magic", "--seed", "6,-4,2"], 6),
        (["--seed", "900,0,0"], 2),
        (["--roi", "missing.nii.gz"], 3),
        (["--method", "suv2.5", "--keep", "x"], 2),
    ],
)
def test_the_command_refuses_with_the_right_code_and_leaves_nothing(capsys, files, tmp_path, extra, code):
    out = tmp_path / "x.seg.nrrd"
    assert call(capsys, "segment", *files[:2], "--unit", "HU,SUVbw", "--out", out, *extra)[0] == code
    assert not out.exists()


def test_a_segmentation_is_written_to_known_types_only(tmp_path, sources):
    found = segment(sources[1:2], "suv4", Marks(seed=CENTRE))
    for name, error in (("x.png", NotSupported), ("nowhere/x.nii.gz", UsageError)):
        with pytest.raises(error):
            save_segmentation(found, tmp_path / name)


def test_fusing_measures_the_tumour_in_the_fused_volume_too(sources, tmp_path):
    result = mf.fuse(Case(sources), "average", tumour="auto", roi=BoxRegion(CENTRE, (60, 60, 60)))
    measures = result.tumour.measures[0]
    assert measures["suv_max"] > 5 and measures["fused"]["difference"] > 0.05
    assert [one["modality"] for one in measures["sources"]] == ["CT", "PT", "MR"]
    assert all("contrast" in one for one in measures["sources"])
    again = mf.load_result(mf.save_result(result, tmp_path / "out")).tumour
    assert again.evidence == json.loads(json.dumps(result.tumour.evidence))
    assert again.source.notes == result.tumour.source.notes and again.measures[0]["suv_peak"] == measures["suv_peak"]
