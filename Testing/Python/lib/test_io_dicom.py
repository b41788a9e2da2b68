import csv
import tarfile

import numpy as np
import pytest
from pydicom.uid import generate_uid

import MedFusionLib as mf
from dicom_writer import SENTINEL, Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib.errors import MedFusionError, NotSupported, SuvUnavailable, UnreadableFile, UsageError
from MedFusionLib.io import inspect_path

PLAIN_FACTOR = 70_000 / (350e6 * 2 ** (-3600 / 6586.2))


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
    "a duplicate": (Recipe(offsets={3: -3.0}), UnreadableFile, "at the place of another"),
    "uneven steps": (Recipe(offsets={3: 0.7}), UnreadableFile, "uneven steps"),
    "a tilted gantry": (Recipe(shear=0.8), NotSupported, r"sheared by 14\.9 degrees"),
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
    with pytest.raises(UnreadableFile, match="holds 2 series: 6 files of CT in a/; 6 files of MR in b/") as caught:
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


def test_a_plain_pet_series_becomes_suv_with_its_audit(tmp_path):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags()))
    volume = mf.read_volume(tmp_path)
    assert volume.unit == mf.units.SUV_BODY_WEIGHT
    assert np.allclose(volume.array, stored_pixels(recipe) * PLAIN_FACTOR, rtol=1e-6)
    audit = volume.source.notes[-1]
    assert "3600" in audit and "20200101" not in audit and "090000" not in audit
    activity = mf.read_volume(tmp_path, unit="Bq/ml")
    assert np.array_equal(activity.array, stored_pixels(recipe))


def test_an_administration_before_midnight_is_the_day_before(tmp_path):
    tags = pet_tags(start_time="233000", SeriesTime="003000", AcquisitionTime="003000")
    recipe = write_series(tmp_path, Recipe("PT", tags=tags))
    volume = mf.read_volume(tmp_path)
    assert np.allclose(volume.array, stored_pixels(recipe) * PLAIN_FACTOR, rtol=1e-6)
    assert any("day before" in note for note in volume.source.notes)


REFUSED = {
    "no weight": (pet_tags(PatientWeight=None), "PatientWeight"),
    "no dose": (pet_tags(without=("RadionuclideTotalDose",)), "RadionuclideTotalDose"),
    "no start time": (pet_tags(without=("RadiopharmaceuticalStartTime",)), "RadiopharmaceuticalStartTime"),
    "a dose in MBq": (pet_tags(dose=350), "MBq"),
    "counts": (pet_tags(Units="CNTS"), "Units CNTS"),
    "correction to administration": (pet_tags(DecayCorrection="ADMIN"), "DecayCorrection ADMIN"),
    "another kind of SUV": (pet_tags(Units="GML", SUVType="LBM"), "SUVType LBM"),
    "no attenuation correction": (pet_tags(CorrectedImage=["DECY"]), "attenuation"),
    "a series time after the acquisition": (pet_tags(SeriesTime="110000"), "after the first AcquisitionTime"),
    "a scan hours too late": (pet_tags(start_time="010000"), "half-lives"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pet_that_lacks_what_suv_needs_is_refused_by_name(case, tmp_path):
    tags, words = REFUSED[case]
    write_series(tmp_path, Recipe("PT", tags=tags))
    with pytest.raises(SuvUnavailable, match=words):
        mf.read_volume(tmp_path)


def test_gml_is_suv_already(tmp_path):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags(Units="GML")))
    assert np.array_equal(mf.read_volume(tmp_path).array, stored_pixels(recipe))


def unpack(data_folder, tmp_path, name):
    with tarfile.open(data_folder / name) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_the_raw_pet_of_the_sarcoma_patient_gives_the_published_suv(data_folder, tmp_path):
    folder = unpack(data_folder, tmp_path, "sts_001/raw_FDG_PET.tar.xz")
    series = next(path for path in folder.rglob("image") if path.is_dir())
    volume = mf.read_volume(series)
    published = mf.read_volume(data_folder / "sts_001/nifti/PET_image.nii.gz", unit="SUVbw")
    ours = volume.array[0:59, 45:88, 59:100]
    assert np.abs(ours - published.array).max() < 1e-3
    assert volume.array.max() == pytest.approx(66.5, abs=0.05)
    assert "0.040 mm" in volume.source.notes[0]


def test_the_default_reference_object_has_its_known_suv(data_folder, tmp_path):
    folder = unpack(data_folder, tmp_path, "suv_dro/dro_series.tar.xz")
    series = next(path for path in folder.rglob("DRO_0_0") if path.is_dir()) / "PT"
    volume = mf.read_volume(series)
    mask, _ = mf.io.read_labels(next((series.parent).glob("mask/*.nii*")) if (series.parent / "mask").is_dir()
                                else next(series.parent.glob("*mask*.nii*")))  # fmt: skip
    inside = volume.array[mask > 0]
    assert inside.min() == pytest.approx(0.2, abs=1e-3)
    assert np.median(inside) == pytest.approx(1.0, abs=1e-3)
    assert inside.max() == pytest.approx(4.0, abs=1e-3)


ENDS = {
    "gantry_tilt_philips": "sheared by 16.5 degrees",
    "missing_slice": "lacks 1 slices",
    "mixed_orientation": "mixes 2 orientations",
    "enhanced_mr_philips": "multi-frame",
    "mr_uncompressed": (4, 256, 256),
    "two_slices_only": (2, 256, 256),
}


@pytest.mark.parametrize("name", ENDS)
def test_real_difficult_series_end_as_they_should(data_folder, tmp_path, name):
    folder = unpack(data_folder, tmp_path, f"dicom_geometry/{name}.tar.xz")
    if isinstance(ENDS[name], tuple):
        assert mf.read_volume(folder).array.shape == ENDS[name]
    else:
        with pytest.raises(MedFusionError, match=ENDS[name].replace(".", r"\.")):
            mf.read_volume(folder)


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


@pytest.mark.parametrize("defect", ["a missing slice", "a duplicate", "uneven steps", "a tilted gantry"])
def test_highdicom_refuses_what_we_refuse(tmp_path, defect):
    import pydicom
    from highdicom.spatial import get_series_volume_positions

    write_series(tmp_path, DEFECTS[defect][0])
    datasets = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    assert get_series_volume_positions(datasets) == (None, None)
