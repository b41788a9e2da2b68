import numpy as np
import pytest

import MedFusionLib as mf
from archives import unpack
from dicom_writer import Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib.errors import SuvUnavailable

PLAIN_FACTOR = 70_000 / (350e6 * 2 ** (-3600 / 6586.2))


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
    "a projection": (pet_tags(SeriesType=["WHOLE BODY", "REPROJECTION"]), "REPROJECTION"),
    "an intercept": (pet_tags(RescaleIntercept=5), "RescaleIntercept"),
    "another time zone": (pet_tags(started="20200101090000-0500"), "time zone"),
    "a scan hours too late": (pet_tags(start_time="010000"), "half-lives"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pet_that_lacks_what_suv_needs_is_refused_by_name(case, tmp_path):
    tags, words = REFUSED[case]
    write_series(tmp_path, Recipe("PT", tags=tags))
    with pytest.raises(SuvUnavailable, match=words):
        mf.read_volume(tmp_path)


def test_tracers_that_differ_between_slices_are_refused(tmp_path):
    other = {"RadiopharmaceuticalInformationSequence": pet_tags(dose=1e8)["RadiopharmaceuticalInformationSequence"]}
    write_series(tmp_path, Recipe("PT", tags=pet_tags(), slice_tags={2: other}))
    with pytest.raises(SuvUnavailable, match="RadionuclideTotalDose differs"):
        mf.read_volume(tmp_path)


def test_gml_is_suv_already(tmp_path):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags(Units="GML")))
    assert np.array_equal(mf.read_volume(tmp_path).array, stored_pixels(recipe))


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


def test_a_series_time_long_before_the_first_slice_is_the_reference(data_folder, tmp_path):
    folder = unpack(data_folder, tmp_path, "dicom_seg/qin_headneck_01_0024.tar.xz")
    series = next(path for path in folder.rglob("PET") if path.is_dir())
    volume, activity = mf.read_volume(series), mf.read_volume(series, unit="Bq/ml")
    assert volume.array.max() / activity.array.max() == pytest.approx(0.00029448, rel=1e-4)
