import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

import MedFusionLib as mf
from archives import unpack
from dicom_multiframe import write_enhanced, write_spect
from dicom_writer import Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib.errors import NotSupported, SuvUnavailable, UnreadableFile, UsageError
from MedFusionLib.io import read_dicom_files
from MedFusionLib.io.dicom_tilt import upright
from MedFusionLib.volume import Geometry


def expected(recipe):
    return stored_pixels(recipe) * np.resize(recipe.slopes, recipe.shape[0])[:, None, None]


@pytest.mark.parametrize("plane", ["axial", "sagittal", "oblique"])
def test_an_enhanced_object_is_the_same_volume_as_its_single_frames(tmp_path, plane):
    recipe = Recipe("MR", plane, slopes=(1.0, 2.0, 0.5))
    write_series(tmp_path / "classic", recipe)
    write_enhanced(tmp_path / "enhanced.dcm", recipe)
    classic, enhanced = mf.read_volume(tmp_path / "classic"), mf.read_volume(tmp_path / "enhanced.dcm")
    assert np.array_equal(classic.array, enhanced.array)
    assert classic.geometry.same_grid(enhanced.geometry)


def test_frames_in_any_order_are_sorted_by_position(tmp_path):
    recipe = Recipe("CT")
    write_enhanced(tmp_path / "a.dcm", recipe, order=[3, 0, 5, 1, 4, 2])
    volume = mf.read_volume(tmp_path / "a.dcm")
    assert volume.unit == mf.units.HOUNSFIELD
    assert np.array_equal(volume.array, stored_pixels(recipe) - 1000)


def test_frames_of_two_echoes_are_two_volumes(tmp_path):
    recipe = Recipe("MR", shape=(3, 8, 10))
    tags = {n: {"MREchoSequence": {"EffectiveEchoTime": 80.0 if n % 2 else 10.0}} for n in range(6)}
    write_enhanced(tmp_path / "a.dcm", recipe, order=[0, 0, 1, 1, 2, 2], frame_tags=tags)
    with pytest.raises(
        UnreadableFile, match=r"2 volumes at one place.*DUPLICATE_POSITION.*1 echo 1, 3 slices; 2 echo 2"
    ):
        mf.read_volume(tmp_path / "a.dcm")
    assert mf.read_volume(tmp_path / "a.dcm", part=2).array.shape == (3, 8, 10)
    with pytest.raises(UsageError, match="1 to 2"):
        mf.read_volume(tmp_path / "a.dcm", part=3)


APART = {
    "echo": ("EchoTime", (10.0, 80.0)),
    "time point": ("TemporalPositionIdentifier", (1, 2)),
    "b-value": ("DiffusionBValue", (0.0, 1000.0)),
    "phase": ("TriggerTime", (0.0, 400.0)),
    "kind of image": ("ImageType", (["ORIGINAL", "PRIMARY", "IN_PHASE"], ["ORIGINAL", "PRIMARY", "OPP_PHASE"])),
    "acquisition": ("AcquisitionNumber", (1, 2)),
}


@pytest.mark.parametrize("what", APART)
def test_images_at_one_place_are_told_apart_in_order_of_their_value(tmp_path, what):
    keyword, values = APART[what]
    recipe = Recipe("MR", shape=(3, 4, 4))
    for value, slope in zip(values, (1.0, 2.0)):
        one = Recipe(
            "MR", shape=(3, 4, 4), tags={keyword: value}, slopes=(slope,), series=recipe.series, frame=recipe.frame
        )
        write_series(tmp_path / str(slope), one)
    with pytest.raises(UnreadableFile, match=f"1 {what} 1, 3 slices; 2 {what} 2, 3 slices"):
        mf.read_volume(tmp_path)
    for number, slope in ((1, 1.0), (2, 2.0)):
        assert np.array_equal(mf.read_volume(tmp_path, part=number).array, stored_pixels(recipe) * slope)


def test_copies_of_files_are_dropped_and_counted(tmp_path):
    recipe = write_series(tmp_path / "a")
    for path in list((tmp_path / "a").iterdir()):
        (tmp_path / f"copy-{path.name}").write_bytes(path.read_bytes())
    volume = mf.read_volume(tmp_path)
    assert np.array_equal(volume.array, stored_pixels(recipe) - 1000)
    assert "6 copies of files were left out" in volume.source.notes


def test_a_localiser_in_the_series_is_left_out_and_said(tmp_path):
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    write_series(tmp_path, Recipe(slice_tags={5: scout}))
    volume = mf.read_volume(tmp_path)
    assert volume.array.shape == (5, 8, 10)
    assert "1 localisers of the series were left out (rule LOCALIZER)" in volume.source.notes


@pytest.mark.parametrize("step", [3.0, -3.0])
def test_a_spect_is_stacked_by_its_slice_vector_and_the_sign_of_its_step(tmp_path, step):
    recipe = Recipe("MR", "oblique")
    write_spect(tmp_path / "a.dcm", recipe, step, places=[2, 1, 3, 4, 5, 6])
    volume = mf.read_volume(tmp_path / "a.dcm")
    assert (volume.modality, volume.unit) == ("NM", mf.units.COUNTS)
    order = [1, 0, 2, 3, 4, 5]
    stack = stored_pixels(recipe)[order]
    assert np.array_equal(volume.array, stack if step > 0 else stack[::-1])
    first = np.array(recipe.origin) * (-1, -1, 1)
    assert volume.geometry.to_ras((0, 0, 0 if step > 0 else 5)) == pytest.approx(first)


@pytest.mark.parametrize("kind", ["TOMO", "STATIC", "WHOLE BODY", "GATED TOMO"])
def test_nuclear_medicine_that_is_not_reconstructed_is_refused_by_its_kind(tmp_path, kind):
    write_spect(tmp_path / "a.dcm", Recipe("MR"), 3.0, kind)
    with pytest.raises(NotSupported, match=f"of the kind {kind}"):
        mf.read_volume(tmp_path / "a.dcm")


def test_two_energy_windows_are_refused(tmp_path):
    write_spect(tmp_path / "a.dcm", Recipe("MR", tags={"NumberOfEnergyWindows": 2}), 3.0)
    with pytest.raises(NotSupported, match="NumberOfEnergyWindows"):
        mf.read_volume(tmp_path / "a.dcm")


def test_frames_without_a_description_are_refused(tmp_path):
    write_enhanced(tmp_path / "b.dcm", Recipe("MR", tags={"NumberOfFrames": 4}))
    with pytest.raises(UnreadableFile, match="describes 6 frames but holds 4"):
        mf.read_volume(tmp_path / "b.dcm")
    write_enhanced(tmp_path / "c.dcm", Recipe("MR", tags={"NumberOfFrames": 10**9}))
    with pytest.raises(UnreadableFile, match="1000000000 frames"):
        mf.read_volume(tmp_path / "c.dcm")


def real_world(code, slope=2.0, intercept=0.0):
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = code, "UCUM", code
    mapping = {
        "RealWorldValueSlope": slope,
        "RealWorldValueIntercept": intercept,
        "MeasurementUnitsCodeSequence": [unit],
    }
    return {n: {"RealWorldValueMappingSequence": mapping} for n in range(6)}


ENHANCED_TAGS = {
    **pet_tags(started="20200101090000", dose=350.0), "AttenuationCorrected": "YES", "DecayCorrected": "YES",
    "DecayCorrectionDateTime": "20200101100000",
}  # fmt: skip


@pytest.mark.parametrize("code, unit, factor", [
    ("Bq/ml", "SUVbw", 2 * 70_000 / (350e6 * 2 ** (-3600 / 6586.2))), ("Bq/ml", "Bq/ml", 2.0),
    ("{SUVbw}g/ml", None, 2.0), ("g/ml{SUVbw}", "SUVbw", 2.0),
])  # fmt: skip
def test_an_enhanced_pet_is_read_by_its_real_world_values(tmp_path, code, unit, factor):
    recipe = Recipe("PT", tags=ENHANCED_TAGS)
    write_enhanced(tmp_path / "a.dcm", recipe, frame_tags=real_world(code))
    volume = mf.read_volume(tmp_path / "a.dcm", unit=unit)
    assert np.allclose(volume.array, stored_pixels(recipe) * factor, rtol=1e-6)
    assert volume.unit == mf.units.parse_unit(unit or "SUVbw")


@pytest.mark.parametrize("change, words", [
    ({"AttenuationCorrected": "NO"}, "AttenuationCorrected"), ({"DecayCorrected": "NO"}, "DecayCorrected"),
    ({"DecayCorrectionDateTime": None}, "DecayCorrectionDateTime is missing"),
    ({"PatientWeight": None}, "PatientWeight is missing"),
    ({"DecayCorrectionDateTime": "20200101080000"}, "half-lives"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130.9"}, "neither Enhanced PET nor a legacy conversion"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]}, "type DYNAMIC"),
])  # fmt: skip
def test_an_enhanced_pet_that_lacks_something_is_refused_by_name(tmp_path, change, words):
    recipe = Recipe("PT", tags={**ENHANCED_TAGS, **change})
    write_enhanced(tmp_path / "a.dcm", recipe, frame_tags=real_world("Bq/ml"))
    with pytest.raises(SuvUnavailable, match=words):
        mf.read_volume(tmp_path / "a.dcm")


def test_an_enhanced_pet_without_a_mapping_is_refused(tmp_path):
    write_enhanced(tmp_path / "a.dcm", Recipe("PT", tags=ENHANCED_TAGS))
    with pytest.raises(SuvUnavailable, match="no activity and no SUV"):
        mf.read_volume(tmp_path / "a.dcm")


def test_real_world_values_come_before_the_rescale_where_their_unit_is_known(tmp_path):
    recipe = Recipe("CT")
    write_enhanced(tmp_path / "a.dcm", recipe, frame_tags=real_world("[hnsf'U]", 3.0, -24.0))
    assert np.array_equal(mf.read_volume(tmp_path / "a.dcm").array, stored_pixels(recipe) * 3.0 - 24)
    write_enhanced(tmp_path / "b.dcm", Recipe("MR"), frame_tags=real_world("um2/s", 3.0))
    volume = mf.read_volume(tmp_path / "b.dcm")
    assert np.array_equal(volume.array, stored_pixels(recipe)) and volume.unit == mf.units.ARBITRARY


@pytest.mark.parametrize("stored, unit", [("CNTS", mf.units.COUNTS), ("BQML", mf.units.BECQUEREL_PER_ML)])
def test_a_spect_that_is_stored_as_pet_is_read_as_spect(tmp_path, stored, unit):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags(Units=stored, nuclide="72454006", half_life=21624)))
    volume = mf.read_volume(tmp_path)
    assert (volume.modality, volume.unit) == ("NM", unit)
    assert np.array_equal(volume.array, stored_pixels(recipe))
    assert "Tc-99m emits single photons" in volume.source.notes[0]
    assert mf.read_volume(tmp_path, "PT").modality == "NM"


def test_counts_of_a_pet_can_be_had_as_counts(tmp_path):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags(Units="CNTS")))
    assert np.array_equal(mf.read_volume(tmp_path, unit="counts").array, stored_pixels(recipe))


def test_a_list_of_files_is_read_like_their_folder(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", Recipe("MR"))
    files = sorted((tmp_path / "a").iterdir())
    assert np.array_equal(read_dicom_files(files).array, mf.read_volume(tmp_path / "a").array)
    with pytest.raises(UnreadableFile, match="The list holds 2 series"):
        read_dicom_files([*files, *(tmp_path / "b").iterdir()])


def test_a_tilted_stack_comes_out_upright_with_values_at_their_places(tmp_path):
    recipe = Recipe("MR", shape=(6, 16, 10), shear=0.8)
    write_series(tmp_path, recipe)
    volume = mf.read_volume(tmp_path)
    assert volume.geometry.is_orthogonal
    assert "gantry tilt of 14.9 degrees" in volume.source.notes[0]
    # pixel (k, j, i) = 100 k + 10 j + i lies at this place in LPS; it must be found there again, to half a grey level
    for k, j, i in ((0, 3, 2), (3, 8, 5), (5, 12, 9)):
        place = np.add(recipe.origin, (1.5 * i, 2.0 * j + 0.8 * k, 3.0 * k))
        column, row, slice_number = volume.geometry.to_ijk(place * (-1, -1, 1))
        assert slice_number == pytest.approx(k)
        low = int(np.floor(row + 1e-9))
        between = row - low
        values = volume.array[k, [low, min(low + 1, volume.array.shape[1] - 1)], round(column)]
        assert values @ (1 - between, between) == pytest.approx(100 * k + 10 * j + i, abs=0.5)


@settings(max_examples=30, deadline=None)
@given(shear=st.tuples(st.floats(-3, 3), st.floats(-3, 3)), flip=st.booleans())
def test_deskewing_keeps_a_linear_ramp_in_the_world_exactly(shear, flip):
    shape = (5, 9, 8)
    matrix = np.eye(4)
    matrix[:3, 2] = (*shear, -2.0 if flip else 2.0)
    sheared = Geometry(shape, matrix)

    def ramp(geometry):
        k, j, i = np.indices(geometry.shape)
        return geometry.to_ras(np.stack([i, j, k], -1)) @ (1.0, 2.0, 0.5)

    result, geometry = upright("x", ramp(sheared).astype(np.float32), sheared, np.nan)
    assert geometry.is_orthogonal
    inside = np.isfinite(result)
    assert inside.sum() >= 5 * 8 * 7  # at most one row and one column of each slice is cut
    assert np.abs(result - ramp(geometry))[inside].max() < 1e-3


def test_pictures_of_the_inverted_kind_turn_over_unless_they_are_quantities(tmp_path):
    recipe = write_series(tmp_path / "mr", Recipe("MR", tags={"PhotometricInterpretation": "MONOCHROME1"}))
    volume = mf.read_volume(tmp_path / "mr")
    stored = stored_pixels(recipe)
    assert np.array_equal(volume.array, stored.max() + stored.min() - stored)
    write_series(tmp_path / "ct", Recipe(tags={"PhotometricInterpretation": "MONOCHROME1"}))
    ct = mf.read_volume(tmp_path / "ct")
    assert np.array_equal(ct.array, stored - 1000)
    assert all("MONOCHROME1" in one.source.notes[-1] for one in (volume, ct))


def test_drawings_in_the_spare_bits_are_cut_off(tmp_path):
    tags = {"BitsStored": 10, "HighBit": 9, "PixelRepresentation": 0}
    recipe = write_series(tmp_path, Recipe("MR", shape=(20, 8, 10), tags=tags))
    assert np.array_equal(mf.read_volume(tmp_path).array, stored_pixels(recipe) & 1023)


def test_a_preamble_of_another_format_is_warned_about(tmp_path):
    write_series(tmp_path)
    victim = sorted(tmp_path.iterdir())[0]
    for start, warned in ((b"MZ", True), (b"%PDF-1.4", True), (b"\x7fELF", True), (b"II*\0", False)):
        victim.write_bytes(start.ljust(128, b"\0") + victim.read_bytes()[128:])
        notes = mf.read_volume(tmp_path).source.notes
        assert any("preamble" in note for note in notes) == warned


@pytest.mark.parametrize("bits", [8, 32])
def test_pixels_of_one_and_four_bytes_are_read(tmp_path, bits):
    recipe = Recipe("MR", shape=(3, 4, 5))
    write_series(tmp_path, recipe)
    import pydicom

    kind = {8: np.uint8, 32: np.int32}[bits]
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        values = dataset.pixel_array.astype(kind)
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(bits == 32)
        dataset.PixelData = values.tobytes()
        dataset.save_as(path)
    assert np.array_equal(mf.read_volume(tmp_path).array, stored_pixels(recipe).astype(kind))


def test_both_compressions_of_a_real_series_decode_to_the_same_pixels(data_folder, tmp_path):
    volumes = [mf.read_volume(unpack(data_folder, tmp_path / name, f"dicom_geometry/{name}.tar.xz"))
               for name in ("mr_jpeg2000", "mr_rle")]  # fmt: skip
    assert np.array_equal(volumes[0].array, volumes[1].array)


def test_a_real_mixed_series_gives_either_stack_by_its_number(data_folder, tmp_path):
    folder = unpack(data_folder, tmp_path, "dicom_geometry/mixed_orientation.tar.xz")
    assert [mf.read_volume(folder, part=n).geometry.axis_codes for n in (1, 2)] == ["PIR", "LPS"]


def test_a_series_of_two_frames_of_reference_says_so(tmp_path):
    write_series(tmp_path, Recipe(slice_tags={n: {"FrameOfReferenceUID": generate_uid()} for n in (4, 5)}))
    with pytest.raises(UnreadableFile, match="FRAME_OF_REFERENCE_INCONSISTENT"):
        mf.read_volume(tmp_path)
