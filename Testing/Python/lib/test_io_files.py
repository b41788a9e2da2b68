import errno
import gzip
import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import MedFusionLib as mf
from MedFusionLib.errors import NotSupported, ResourcesExhausted, UnreadableFile, UsageError
from MedFusionLib.io import read_labels
from MedFusionLib.volume import Volume
from phantoms import head_pair, oblique_geometry


def write(path, array_ijk, affine, **header):
    image = nib.Nifti1Image(np.asarray(array_ijk), affine)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), suffix=st.sampled_from([".nii", ".nii.gz", ".nrrd", ".mha"]))
def test_any_grid_survives_writing_and_reading(tmp_path_factory, seed, suffix):
    geometry = oblique_geometry(seed)
    array = np.random.default_rng(seed).normal(size=geometry.shape).astype(np.float32)
    path = tmp_path_factory.mktemp("any") / f"grid{suffix}"
    mf.write_volume(Volume(array, geometry), path)
    again = mf.read_volume(path)
    assert np.array_equal(again.array, array)
    assert np.abs(again.geometry.corners_ras() - geometry.corners_ras()).max() < 1e-3


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1)])
def test_voxels_are_where_the_affine_puts_them_however_they_are_stored(tmp_path, signs):
    affine = np.diag([*(2.0 * s for s in signs), 1.0])
    array = np.zeros((4, 5, 6), np.float32)
    array[1, 2, 3] = 7
    volume = mf.read_volume(write(tmp_path / "mr.nii", array, affine))
    k, j, i = np.argwhere(volume.array == 7)[0]
    assert volume.geometry.to_ras((i, j, k)).tolist() == [2 * signs[0], 4 * signs[1], 6 * signs[2]]


def test_meaning_comes_from_the_sidecar_then_the_argument_then_the_name(tmp_path, caplog):
    path = write(tmp_path / "sub-1_pet.nii", np.ones((2, 2, 2), np.float32), np.eye(4))
    guessed = mf.read_volume(path)
    assert (guessed.modality, guessed.unit.is_known) == ("PT", False)
    assert "guessed from the file name" in caplog.text
    assert mf.read_volume(path, "NM").modality == "NM"
    (tmp_path / "sub-1_pet.json").write_text(json.dumps({"Modality": "PET", "Units": "Bq/mL"}))
    told = mf.read_volume(path)
    assert (told.modality, told.unit) == ("PT", mf.units.BECQUEREL_PER_ML)
    with pytest.raises(UsageError, match="by its sidecar"):
        mf.read_volume(path, "CT")
    with pytest.raises(UsageError, match="by its sidecar"):
        mf.read_volume(path, unit="SUVbw")


def test_ct_is_taken_for_hu_only_when_there_is_air(tmp_path):
    air = write(tmp_path / "ct_a.nii", np.linspace(-1000, 400, 8).reshape(2, 2, 2).astype(np.float32), np.eye(4))
    none = write(tmp_path / "ct_b.nii", np.linspace(0, 400, 8).reshape(2, 2, 2).astype(np.float32), np.eye(4))
    assert mf.read_volume(air).unit == mf.units.HOUNSFIELD
    assert not mf.read_volume(none).unit.is_known


def bad_affine(value):
    def make(tmp_path):
        path = write(tmp_path / "a.nii", np.ones((2, 2, 2), np.float32), np.eye(4))
        raw = bytearray(path.read_bytes())
        raw[280:284] = np.float32(value).tobytes()
        path.write_bytes(raw)
        return path

    return make


def truncated(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.random.default_rng(0).random((9, 9, 9)).astype(np.float32), np.eye(4))
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[: len(whole) // 2]))
    return path


def cut_archive(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.random.default_rng(0).random((9, 9, 9)).astype(np.float32), np.eye(4))
    path.write_bytes(path.read_bytes()[:500])
    return path


def nan_voxels(tmp_path):
    array = np.ones((3, 3, 3), np.float32)
    array[1, 1, 1] = np.nan
    return write(tmp_path / "a.nii", array, np.eye(4))


def no_position(tmp_path):
    path = write(tmp_path / "a.nii", np.ones((2, 2, 2), np.float32), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[252:256] = b"\0\0\0\0"
    path.write_bytes(raw)
    return path


def colours(tmp_path):
    array = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return write(tmp_path / "a.nii", array, np.eye(4))


def no_image(tmp_path):
    (tmp_path / "a.nii").write_text("I am not an image")
    return tmp_path / "a.nii"


BAD = {
    "missing": (lambda tmp: tmp / "no.nii", "No file or folder"),
    "truncated": (truncated, "truncated"),
    "cut archive": (cut_archive, "not a readable NIfTI"),
    "NaN affine": (bad_affine(np.nan), "not finite"),
    "singular affine": (bad_affine(0.0), "singular"),
    "no position": (no_position, "neither sform nor qform"),
    "four dimensions": (lambda tmp: write(tmp / "a.nii", np.ones((2, 2, 2, 5), np.float32), np.eye(4)), "5 frames"),
    "colours": (colours, "colours"),
    "voxels that are not finite": (nan_voxels, "1 voxels that are not finite"),
    "no image": (no_image, "not a readable NIfTI"),
    "empty folder": (lambda tmp: tmp, "no DICOM image"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_by_name_with_the_next_step(case, tmp_path):
    make, words = BAD[case]
    with pytest.raises(UnreadableFile, match=words) as caught:
        mf.read_volume(make(tmp_path))
    assert caught.value.expected


def test_a_trailing_axis_of_one_is_no_fourth_dimension(tmp_path):
    path = write(tmp_path / "a.nii", np.ones((2, 3, 4, 1), np.float32), np.eye(4))
    assert mf.read_volume(path).array.shape == (4, 3, 2)


def test_a_disagreeing_qform_is_noted_and_the_sform_is_used(tmp_path):
    image = nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.diag([2.0, 2, 2, 1]))
    image.set_sform(np.diag([2.0, 2, 2, 1]), code=1)
    shifted = np.diag([2.0, 2, 2, 1])
    shifted[0, 3] = 50
    image.set_qform(shifted, code=1)
    nib.save(image, tmp_path / "a.nii")
    volume = mf.read_volume(tmp_path / "a.nii")
    assert volume.geometry.origin_ras.tolist() == [0, 0, 0]
    assert "disagree by up to 50 mm" in volume.source.notes[0]


def test_metres_become_millimetres(tmp_path):
    image = nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.diag([0.002, 0.002, 0.002, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "a.nii")
    assert mf.read_volume(tmp_path / "a.nii").geometry.spacing_mm == pytest.approx((2, 2, 2))


def test_pictures_are_one_slice_and_colour_ones_are_sent_to_fuse_folder(tmp_path):
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "a.png")
    volume = mf.read_volume(tmp_path / "a.png")
    assert volume.array.shape == (1, 3, 4)
    assert "pixel size unknown" in volume.source.notes[0]
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(UnreadableFile, match="fuse-folder"):
        mf.read_volume(tmp_path / "b.png")


def test_a_vector_nrrd_is_refused(tmp_path):
    sitk.WriteImage(sitk.Image([3, 3, 3], sitk.sitkVectorFloat32, 2), str(tmp_path / "v.nrrd"))
    with pytest.raises(UnreadableFile, match="2 values per voxel"):
        mf.read_volume(tmp_path / "v.nrrd")


def test_labels_must_be_whole_numbers(tmp_path):
    path = write(tmp_path / "a.nii", np.full((2, 2, 2), 0.5, np.float32), np.eye(4))
    with pytest.raises(UnreadableFile, match="whole numbers"):
        read_labels(path)
    with pytest.raises(NotSupported):
        read_labels(write(tmp_path / "b.nii", np.ones((2, 2, 2), np.uint8), np.eye(4)).rename(tmp_path / "b.dcm"))


def test_nothing_is_overwritten_or_left_half_written(tmp_path, monkeypatch):
    mr, _ = head_pair()
    path = mf.write_volume(mr, tmp_path / "a.nii.gz")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        mf.write_volume(mr, path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Image, "to_stream", full)
    with pytest.raises(ResourcesExhausted, match="No space left"):
        mf.write_volume(mr, path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_a_folder_that_is_not_there_and_a_type_that_is_not_known_are_refused(tmp_path):
    mr, _ = head_pair()
    with pytest.raises(UsageError, match="cannot be written"):
        mf.write_volume(mr, tmp_path / "none" / "a.nii")
    with pytest.raises(NotSupported, match=r"\.nii"):
        mf.write_volume(mr, tmp_path / "a.xyz")


def test_the_templates_that_are_stored_the_other_way_round_land_on_each_other(data_folder):
    folder = data_folder / "mni_multimodal"
    spect = mf.read_volume(folder / "spm_SPECT.nii.gz")
    t1 = mf.read_volume(folder / "spm_T1.nii.gz")
    assert (spect.geometry.axis_codes, t1.geometry.axis_codes) == ("RAS", "LAS")
    assert spect.geometry.bounds_ras() == pytest.approx(t1.geometry.bounds_ras())
    flair = mf.read_volume(folder / "clinical_FLAIR.nii.gz")
    assert flair.geometry.same_grid(t1.geometry)
    assert any("sform and qform disagree" in note for note in flair.source.notes)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path, suffix):
    resource = pytest.importorskip("resource", reason="file sizes cannot be limited on this system")
    array = np.random.default_rng(0).random((20, 30, 40), dtype=np.float32)
    volume = Volume(array, oblique_geometry(1, array.shape))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(ResourcesExhausted, match=f"a{suffix}"):
            mf.write_volume(volume, tmp_path / f"a{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_an_nrrd_without_a_patient_space_says_so(tmp_path):
    text = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 4 4\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(text.encode() + bytes(range(64)))
    assert "no patient space" in mf.read_volume(tmp_path / "a.nrrd").source.notes[0]
    sitk.WriteImage(sitk.Image([3, 3, 3], sitk.sitkUInt8), str(tmp_path / "b.nrrd"))
    assert not mf.read_volume(tmp_path / "b.nrrd").source.notes


def test_a_picture_of_several_pages_is_refused(tmp_path):
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableFile, match="3 pages"):
        mf.read_volume(tmp_path / "a.tif")


def test_a_unit_of_the_sidecar_that_names_no_suv_stays_unknown(tmp_path):
    path = write(tmp_path / "a.nii", np.ones((2, 2, 2), np.float32), np.eye(4))
    (tmp_path / "a.json").write_text(json.dumps({"Modality": "PT", "Units": "g/ml"}))
    volume = mf.read_volume(path)
    assert not volume.unit.is_known
    assert "sidecar states a unit" in volume.source.notes[0]
    assert mf.read_volume(path, unit="SUVbw").unit == mf.units.SUV_BODY_WEIGHT
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UnreadableFile, match=r"sidecar a\.json"):
        mf.read_volume(path)
