import re

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

import MedFusionLib as mf
from archives import unpack
from dicom_writer import SENTINEL, Recipe, stored_pixels, write_series
from MedFusionLib.errors import NotSupported, UnreadableFile, UsageError
from MedFusionLib.io import inspect_path


@pytest.mark.parametrize(
    "plane, codes", [("axial", "LPS"), ("sagittal", "PIR"), ("coronal", "LIA"), ("oblique", "LPS")]
)
def test_slices_are_sorted_by_position_whatever_names_and_numbers_say(tmp_path, plane, codes):
    recipe = write_series(tmp_path, Recipe(plane=plane))
    volume = mf.read_volume(tmp_path)
    ascending = stored_pixels(recipe).astype(np.float32) - 1000
    assert np.array_equal(volume.array, ascending)
    assert volume.geometry.axis_codes[:2] == codes[:2]
    assert volume.geometry.spacing_mm == pytest.approx((1.5, 2.0, 3.0))
    assert volume.geometry.origin_ras == pytest.approx(np.array(recipe.origin) * (-1, -1, 1))
    assert (volume.modality, volume.unit) == ("CT", mf.units.HOUNSFIELD)
    assert volume.source.frame_of_reference and recipe.frame not in repr(volume.source)


def test_every_slice_has_its_own_rescale(tmp_path):
    recipe = write_series(tmp_path, Recipe("MR", slopes=(1.0, 2.0, 0.5)))
    expected = stored_pixels(recipe) * np.resize([1.0, 2.0, 0.5], 6)[:, None, None]
    assert np.allclose(mf.read_volume(tmp_path).array, expected)


def test_padding_of_a_ct_becomes_air(tmp_path):
    write_series(tmp_path, Recipe(tags={"PixelPaddingValue": 0}))
    volume = mf.read_volume(tmp_path)
    assert volume.array[0, 0, 0] == -1000
    assert any("padding" in note for note in volume.source.notes)


DEFECTS = {
    "a missing slice": (Recipe(skip=(3,)), UnreadableFile, "lacks 1 slices"),
    "a duplicate": (Recipe(offsets={3: -3.0}), UnreadableFile, "at the place of another.*DUPLICATE_POSITION"),
    "uneven steps": (Recipe(offsets={3: 0.7}), UnreadableFile, "uneven steps"),
    "a shear beyond any gantry": (Recipe(shear=4.0), UnreadableFile, "NON_CUBICAL_IMAGE"),
    "two orientations": (
        Recipe(slice_tags={2: {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}}), UnreadableFile, "2 orientations"),
    "two pixel sizes": (Recipe(slice_tags={2: {"PixelSpacing": [1, 1]}}), UnreadableFile, "pixel sizes"),
    "a localiser": (Recipe(tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}), UnreadableFile, "localiser"),
    "colours": (Recipe(tags={"SamplesPerPixel": 3}), UnreadableFile, "in colour"),
    "frames": (Recipe(tags={"NumberOfFrames": 4}), NotSupported, "multi-frame"),
    "no position": (Recipe(slice_tags={1: {"ImagePositionPatient": None}}), UnreadableFile, "ImagePositionPatient"),
    "no orientation": (Recipe(tags={"ImageOrientationPatient": None}), UnreadableFile, "ImageOrientationPatient"),
    "no spacing": (Recipe(tags={"PixelSpacing": [0, 0]}), UnreadableFile, "pixel spacing"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_series_that_makes_no_volume_is_refused_with_the_reason(defect, tmp_path, caplog):
    recipe, error, words = DEFECTS[defect]
    write_series(tmp_path, recipe)
    with pytest.raises(error, match=words) as caught:
        mf.read_volume(tmp_path)
    assert SENTINEL not in str(caught.value) + caplog.text


def test_the_jitter_of_real_scanners_is_accepted_and_stated(tmp_path):
    write_series(tmp_path, Recipe(offsets={2: 0.04, 4: -0.03}))
    volume = mf.read_volume(tmp_path)
    assert "deviate by up to 0.040 mm" in volume.source.notes[0]


def test_two_series_in_one_folder_are_listed_without_a_name(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", Recipe("MR", series=generate_uid()))
    said = r"holds 2 series: 6 files of CT in a/ \([0-9a-f]{16}\); 6 files of MR in b/ \([0-9a-f]{16}\)"
    with pytest.raises(UnreadableFile, match=said) as caught:
        mf.read_volume(tmp_path)
    assert SENTINEL not in str(caught.value)
    assert [entry["modality"] for entry in inspect_path(tmp_path)] == ["CT", "MR"]


def test_a_truncated_file_and_a_contradiction_are_refused(tmp_path):
    write_series(tmp_path)
    with pytest.raises(UsageError, match="PT was given"):
        mf.read_volume(tmp_path, "PT")
    with pytest.raises(UsageError, match="asked for"):
        mf.read_volume(tmp_path, unit="SUVbw")
    victim = sorted(tmp_path.iterdir())[2]
    victim.write_bytes(victim.read_bytes()[:-40])
    with pytest.raises(UnreadableFile, match=victim.name):
        mf.read_volume(tmp_path)


ENDS = {
    "gantry_tilt_philips": ((58, 612, 512), "gantry tilt of 16.5 degrees .* resampled .* .rule GANTRY_TILT."),
    "missing_slice": (None, "lacks 1 slices, beginning 15.0 mm from its end .rule SLICE_INCREMENT_INCONSISTENT."),
    "mixed_orientation": (None, "mixes 2 orientations .rule IMAGE_ORIENTATION_INCONSISTENT.: 1 sagittal .* 2 axial"),
    "enhanced_mr_philips": ((8, 256, 256), "^$"),
    "mr_uncompressed": ((4, 256, 256), "^$"),
    "mr_jpeg2000": ((4, 256, 256), "^$"),
    "mr_rle": ((4, 256, 256), "^$"),
    "two_slices_only": ((2, 256, 256), "^only 2 slices$"),
}
"""Shape of the volume or refusal, and what is said."""


@pytest.mark.parametrize("name", ENDS)
def test_real_difficult_series_end_as_they_should(data_folder, tmp_path, name):
    folder, (shape, said) = unpack(data_folder, tmp_path, f"dicom_geometry/{name}.tar.xz"), ENDS[name]
    if shape is None:
        with pytest.raises(UnreadableFile, match=said):
            mf.read_volume(folder)
        return
    volume = mf.read_volume(folder)
    assert volume.array.shape == shape and volume.geometry.is_orthogonal
    assert re.search(said, " ".join(volume.source.notes))


@pytest.mark.parametrize("recipe", [Recipe(plane=plane) for plane in ("axial", "sagittal", "coronal", "oblique")])
def test_highdicom_finds_the_same_order_and_spacing(tmp_path, recipe):
    import pydicom
    from highdicom.spatial import get_series_volume_positions

    write_series(tmp_path, recipe)
    datasets = [pydicom.dcmread(path) for path in sorted(tmp_path.iterdir())]
    spacing, order = get_series_volume_positions(datasets)
    volume = mf.read_volume(tmp_path)
    assert spacing == pytest.approx(volume.geometry.spacing_mm[2])
    # highdicom may count from the other end: its order is ours or ours reversed
    ours = [int(np.rint(volume.geometry.to_ijk(np.array(d.ImagePositionPatient) * (-1, -1, 1))[2])) for d in datasets]
    assert order in (ours, [len(ours) - 1 - n for n in ours])


@pytest.mark.parametrize("defect", ["a missing slice", "a duplicate", "uneven steps", "a shear beyond any gantry"])
def test_highdicom_refuses_what_we_refuse(tmp_path, defect):
    import pydicom
    from highdicom.spatial import get_series_volume_positions

    write_series(tmp_path, DEFECTS[defect][0])
    datasets = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    assert get_series_volume_positions(datasets) == (None, None)


WRONG_IN_SILENCE = {
    "a slope of 0": (Recipe("MR", slopes=(0.0,)), UnreadableFile, "slope 0"),
    "a palette": (Recipe("MR", tags={"PhotometricInterpretation": "PALETTE COLOR"}), UnreadableFile, "in colour"),
    "a table of values": (Recipe(tags={"ModalityLUTSequence": [Dataset()]}), NotSupported, "by a table"),
    "a slice aside": (
        Recipe(slice_tags={2: {"ImagePositionPatient": [-10, 30, -34]}}), UnreadableFile, "sideways by up to 10.00 mm"),
    "steps that drift": (
        Recipe(shape=(40, 4, 4), offsets={n: 0.14 * (n - 20) for n in range(20, 40)}), UnreadableFile, "up to 1.36 mm"),
    "two frames of reference": (
        Recipe(slice_tags={2: {"FrameOfReferenceUID": "1.2.3"}}), UnreadableFile, "2 frames of reference"),
}  # fmt: skip


@pytest.mark.parametrize("defect", WRONG_IN_SILENCE)
def test_what_would_read_well_and_be_wrong_is_refused(defect, tmp_path):
    recipe, error, words = WRONG_IN_SILENCE[defect]
    write_series(tmp_path, recipe)
    with pytest.raises(error, match=words):
        mf.read_volume(tmp_path)


def test_the_grid_follows_a_tilt_too_small_to_matter_to_its_last_slice(tmp_path):
    recipe = write_series(tmp_path, Recipe(shape=(60, 4, 4), shear=0.02))
    volume = mf.read_volume(tmp_path)
    last = np.add(recipe.origin, (0, 59 * 0.02, 59 * 3.0))
    assert volume.geometry.to_ras((0, 0, 59)) == pytest.approx(last * (-1, -1, 1), abs=1e-6)
    assert "sheared by 0.38 degrees" in volume.source.notes[0]
