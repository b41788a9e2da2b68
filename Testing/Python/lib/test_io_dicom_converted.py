"""Legacy converted objects and parametric maps: volumes that other programs made of volumes."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

import MedFusionLib as mf
from dicom_writer import Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib import units
from MedFusionLib.io.dicom import read_suv

STUDY = {
    "StudyInstanceUID": "2.25.77", "StudyDate": "20200101", "StudyTime": "101010", "StudyID": "1",
    "AccessionNumber": "", "ReferringPhysicianName": "", "PatientBirthDate": "19010101", "PatientSex": "F",
    "SeriesNumber": "3", "Manufacturer": "Maker", "ManufacturerModelName": "Scanner", "SoftwareVersions": "1",
    "DeviceSerialNumber": "1", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
}  # fmt: skip
CONVERTERS = {
    "CT": hd.legacy.LegacyConvertedEnhancedCTImage,
    "MR": hd.legacy.LegacyConvertedEnhancedMRImage,
    "PT": hd.legacy.LegacyConvertedEnhancedPETImage,
}


def images_of(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def convert(folder, modality, recipe):
    """Write a series, and the one object that highdicom makes of it."""
    write_series(folder / "classic", recipe)
    made = CONVERTERS[modality](
        images_of(folder / "classic"), series_instance_uid=hd.UID(), series_number=9, sop_instance_uid=hd.UID(),
        instance_number=1,
    )  # fmt: skip
    made.save_as(folder / "converted.dcm")
    return folder / "classic", folder / "converted.dcm"


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_a_legacy_converted_object_is_the_same_volume_as_its_single_images(tmp_path, modality):
    tags = {**STUDY, **(pet_tags() if modality == "PT" else {})}
    classic, converted = convert(tmp_path, modality, Recipe(modality, "oblique", tags=tags, slopes=(1.0, 2.0)))
    one, other = mf.read_volume(classic), mf.read_volume(converted)
    assert np.array_equal(one.array, other.array)
    assert (one.unit, one.modality) == (other.unit, other.modality)
    assert one.geometry.same_grid(other.geometry)


def test_the_suv_of_a_legacy_converted_pet_has_the_same_audit(tmp_path):
    slices = {n: {"FrameReferenceTime": 1000.0 * n, "ActualFrameDuration": 120000} for n in range(6)}
    recipe = Recipe("PT", tags={**STUDY, **pet_tags()}, slice_tags=slices)
    audits = [read_suv(path)[1] for path in convert(tmp_path, "PT", recipe)]
    assert audits[0].as_json() == audits[1].as_json()
    assert sum(time["used"] for time in audits[1].reference_times) == 1


def test_a_spect_that_was_stored_as_pet_and_converted_is_still_spect(tmp_path):
    recipe = Recipe("PT", tags={**STUDY, **pet_tags(nuclide="C-163A8")})
    assert mf.read_volume(convert(tmp_path, "PT", recipe)[1]).modality == "NM"


def write_map(folder, values, unit, *, slope=1.0, modality="MR"):
    """A parametric map as another program might write it."""
    write_series(folder / "source", Recipe(modality, shape=values.shape, tags={**STUDY, **pet_tags()}))
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="1", lut_explanation="a quantity", unit=unit, slope=slope, intercept=0.5,
        value_range=(-1e9, 1e9) if values.dtype.kind == "f" else (0, 65535),
    )  # fmt: skip
    made = hd.pm.ParametricMap(
        images_of(folder / "source"), values, series_instance_uid=hd.UID(), series_number=5,
        sop_instance_uid=hd.UID(), instance_number=1, manufacturer="Maker", manufacturer_model_name="Program",
        software_versions="1", device_serial_number="1", contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping], voi_lut_transformations=[hd.VOILUTTransformation(0.5, 1.0)],
    )  # fmt: skip
    made.Modality = modality
    made.save_as(folder / "map.dcm")
    return folder / "map.dcm"


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint16])
def test_a_parametric_map_is_read_through_its_mapping(tmp_path, kind):
    values = stored_pixels(Recipe()).astype(kind)
    by_name = np.argsort([(number * 7) % 10 for number in range(6)])  # the order of the source files
    volume = mf.read_volume(write_map(tmp_path, values[by_name], codes.UCUM.SquareMillimeterPerSecond, slope=2.0))
    assert np.array_equal(volume.array, 2 * values + 0.5)
    assert (volume.modality, volume.unit) == ("MR", units.UNKNOWN)


def test_a_dimensionless_map_of_another_program_is_no_fusion_index(tmp_path):
    values = np.full((6, 8, 10), 0.25, np.float32)
    assert mf.read_volume(write_map(tmp_path, values, codes.UCUM.NoUnits)).unit == units.UNKNOWN


def test_a_map_of_suv_keeps_its_numbers_and_needs_no_dose(tmp_path):
    suv = hd.sr.CodedConcept("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight")
    path = write_map(tmp_path, np.full((6, 8, 10), 2.0, np.float32), suv, modality="PT")
    volume = mf.read_volume(path)
    assert volume.unit == units.SUV_BODY_WEIGHT
    assert np.all(volume.array == 2.5)
