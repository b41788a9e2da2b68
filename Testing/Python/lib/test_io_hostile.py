import csv

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

import MedFusionLib as mf
from dicom_writer import SENTINEL, Recipe, pet_tags, write_series
from MedFusionLib.errors import MedFusionError, UnreadableFile, UsageError
from MedFusionLib.io import inspect_path
from MedFusionLib.volume import Volume
from phantoms import oblique_geometry


def test_a_header_that_promises_a_giant_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4)), path)
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([4000, 4000, 4000], np.int16).tobytes()
    path.write_bytes(raw)
    with pytest.raises(UnreadableFile, match="GiB"):
        mf.read_volume(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_nrrd_or_metaimage_is_refused(tmp_path, suffix, compressed):
    path = tmp_path / f"a{suffix}"
    voxels = np.random.default_rng(0).random((9, 9, 9), dtype=np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path), useCompression=compressed)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UnreadableFile, match=path.name):
        mf.read_volume(path)


HEADERS = {
    "a.mhd": "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\nElementDataFile = {}\n",
    "a.mha": "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\nElementDataFile = {}\n",
    "a.nhdr": "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 4 4\nencoding: raw\ndata file: {}\n",
    "a.nrrd": "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 4 4\nencoding: raw\ndata file: {}\n\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_voxels_in_a_second_file_must_lie_in_the_same_folder(tmp_path, name):
    (tmp_path / "in").mkdir()
    header = tmp_path / "in" / name
    (tmp_path / "secret.raw").write_bytes(bytes(range(64)))
    (tmp_path / "in" / "a.raw").write_bytes(bytes(range(64)))
    header.write_text(HEADERS[name].format("a.raw"))
    volume = mf.read_volume(header)
    assert volume.array[1, 2, 3] == 27
    assert volume.source.files == (name, "a.raw")
    for outside in ("../secret.raw", str(tmp_path / "secret.raw"), "LIST", "missing.raw"):
        header.write_text(HEADERS[name].format(outside))
        with pytest.raises(UnreadableFile, match="keeps its voxels elsewhere"):
            mf.read_volume(header)


def test_a_dicom_file_under_another_name_is_not_parsed_as_dicom(tmp_path):
    write_series(tmp_path, Recipe(shape=(1, 4, 4)))
    [path] = tmp_path.iterdir()
    with pytest.raises(UnreadableFile, match=r"a\.mha"):
        mf.read_volume(path.rename(tmp_path / "a.mha"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_random_damage_ends_in_a_volume_or_one_clear_error(tmp_path, suffix):
    rng = np.random.default_rng(5)
    geometry = oblique_geometry(2, (3, 4, 5))
    path = mf.write_volume(Volume(rng.random(geometry.shape), geometry), tmp_path / f"a{suffix}")
    sound, refused = path.read_bytes(), 0
    for _ in range(150):
        broken = bytearray(sound)
        for place in rng.integers(0, len(sound), rng.integers(1, 4)):
            broken[place] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(len(sound))] if rng.random() < 0.2 else broken)
        try:
            assert np.isfinite(mf.read_volume(path).array).all()
        except MedFusionError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 20


def test_broken_files_give_a_volume_or_one_clear_error(data_folder, caplog):
    folder = data_folder / "malformed_dicom"
    with open(folder / "manifest.csv", newline="") as stream:
        assert sum(1 for _ in csv.reader(stream)) > 100
    files = sorted(p for p in folder.rglob("*") if p.suffix == ".dcm")
    assert len(files) > 90
    for path in files:
        try:
            assert mf.read_volume(path).array.size
        except MedFusionError as error:
            assert error.what and "FUZZ" not in str(error)
    assert "FUZZ" not in caplog.text  # parsers quote what they choke on, names included


def test_a_slice_that_was_cut_off_in_its_header_is_not_passed_over(tmp_path):
    write_series(tmp_path)
    outermost = next(tmp_path.glob("*-5.dcm"))
    outermost.write_bytes(outermost.read_bytes()[:300])
    with pytest.raises(UnreadableFile, match=f"{outermost.name} is an image without Rows"):
        mf.read_volume(tmp_path)
    series, broken = inspect_path(tmp_path)
    assert "may lack some" in series["problems"][-1]
    assert broken["shape_kji"] is None and outermost.name in broken["problems"][0]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_a_modality_that_is_no_code_is_not_repeated(tmp_path):
    write_series(tmp_path, Recipe(tags={"Modality": SENTINEL}))
    with pytest.raises(UsageError) as caught:
        mf.read_volume(tmp_path, "CT")
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_random_damage_of_dicom_ends_in_a_volume_or_one_clear_error(tmp_path, modality, caplog, recwarn):
    write_series(tmp_path, Recipe(modality, shape=(1, 4, 4), tags=pet_tags() if modality == "PT" else {}))
    [path] = tmp_path.iterdir()
    sound, rng, refused = path.read_bytes(), np.random.default_rng(7), 0
    for _ in range(300):
        broken = bytearray(sound)
        for place in rng.integers(132, len(sound), rng.integers(1, 4)):
            broken[place] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(140, len(sound))] if rng.random() < 0.2 else broken)
        try:
            assert np.isfinite(mf.read_volume(path).array).all()
        except MedFusionError as error:
            assert SENTINEL not in str(error)
            refused += 1
    assert 20 < refused < 300
    assert SENTINEL not in caplog.text
    assert not [warning for warning in recwarn if "Sentinel" in str(warning.message)]
