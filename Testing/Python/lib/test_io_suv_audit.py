import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

import MedFusionLib as mf
from dicom_writer import SENTINEL, Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib.cli import main
from MedFusionLib.errors import SuvUnavailable, UsageError
from MedFusionLib.io.isotopes import ISOTOPES
from MedFusionLib.io.suv_audit import audit_suv
from MedFusionLib.io.suv_body import VARIANTS

HALF_LIFE = 6586.2
PLAIN = 70_000 / (350e6 * 2 ** (-3600 / HALF_LIFE))
LEAN_120, LEAN_128 = 1.10 * 70 - 120 * 0.16, 1.10 * 70 - 128 * 0.16
NORMALISERS = {
    "bw": 70_000,
    "lbm": 1000 * LEAN_120,
    "lbm-james": 1000 * LEAN_128,
    "lbm-janma": 1000 * 9270 * 70 / (6680 + 216 * 70 / 1.75**2),
    "bsa": 1e4 * 0.007184 * 70**0.425 * 175**0.725,
    "ibw": 1000 * (48 + 1.06 * 23),
}


def header(**tags):
    dataset = Dataset()
    for keyword, value in {"Modality": "PT", **pet_tags(**tags)}.items():
        setattr(dataset, keyword, value)
    return dataset


def with_private(dataset, group, creator, element, value, vr="DS", block=0x10):
    dataset.add_new((group, block), "LO", creator)
    dataset.add_new((group, block << 8 | element), vr, value)
    return dataset


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_divides_by_its_own_normaliser(variant):
    audit = audit_suv([header()], variant)
    assert audit.factor == pytest.approx(PLAIN * NORMALISERS[variant] / 70_000, rel=1e-12)
    assert audit.unit == VARIANTS[variant].unit


@pytest.mark.parametrize("stored", ["bw", "lbm", "lbm-james", "lbm-janma", "bsa", "ibw"])
@pytest.mark.parametrize("wanted", ["bw", "bsa", "lbm-janma"])
def test_one_suv_becomes_another_without_touching_the_decay(stored, wanted):
    kind = VARIANTS[stored].suv_type
    dataset = header(Units="CM2ML" if stored == "bsa" else "GML", SUVType=kind, dose=1, start_time="130000")
    expected = NORMALISERS[wanted] / NORMALISERS[stored]
    assert audit_suv([dataset], wanted).factor == pytest.approx(expected, rel=1e-12)


def test_a_stored_suv_needs_no_body_to_stay_what_it_is():
    assert audit_suv([header(Units="GML", PatientWeight=None, PatientSize=None)]).factor == 1.0


@pytest.mark.parametrize("variant", ["lbm", "lbm-james", "lbm-janma", "bsa", "ibw"])
def test_a_missing_height_is_named(variant):
    with pytest.raises(SuvUnavailable, match="PatientSize is missing") as caught:
        audit_suv([header(PatientSize=None)], variant)
    assert caught.value.reason == "missing_normaliser"


@pytest.mark.parametrize("sex", ["O", "", None])
def test_without_a_sex_the_mean_of_both_is_taken_and_said(sex):
    audit = audit_suv([header(PatientSex=sex)], "ibw")
    assert audit.factor == pytest.approx(PLAIN / 70 * (48 + 1.06 * 23 + 45.5 + 0.91 * 23) / 2)
    assert "mean of the formulas" in audit.warnings[0]
    assert audit_suv([header(PatientSex=sex)], "bsa").warnings == ()


def test_grams_and_centimetres_and_megabecquerels_are_seen_and_said():
    audit = audit_suv([header(PatientWeight=70_000, PatientSize=175, dose=350)], "lbm")
    assert audit.factor == pytest.approx(PLAIN * LEAN_120 / 70)
    assert [word in text for word, text in zip(("grams", "cm", "MBq"), audit.warnings)] == [True] * 3


def test_admin_needs_no_times_at_all():
    dataset = header(DecayCorrection="ADMIN", without=("RadiopharmaceuticalStartTime", "RadionuclideHalfLife"))
    assert audit_suv([dataset]).factor == pytest.approx(70_000 / 350e6)


def test_uncorrected_slices_each_get_their_own_factor():
    slices = [
        header(DecayCorrection="NONE", CorrectedImage=["ATTN"], AcquisitionTime=time, ActualFrameDuration=600_000)
        for time in ("100000", "101000")
    ]
    audit = audit_suv(slices)
    assert audit.factor is None
    assert audit.factors[1] / audit.factors[0] == pytest.approx(2 ** (600 / HALF_LIFE))
    decay = np.log(2) / HALF_LIFE
    mean = (1 - np.exp(-decay * 600)) / (decay * 600)  # activity averaged over the frame, against its start
    assert audit.factors[0] == pytest.approx(PLAIN / mean, rel=1e-9)


def test_philips_suv_factor_counts_before_the_activity_factor_at_any_block():
    dataset = with_private(header(Units="CNTS"), 0x7053, "Philips PET Private Group", 0x09, "0.5", block=0x11)
    assert audit_suv([dataset]).factor == pytest.approx(0.5 * PLAIN)
    dataset.add_new((0x7053, 0x1100), "DS", "0.000728")
    assert audit_suv([dataset]).factor == pytest.approx(0.000728)
    assert audit_suv([dataset], "bsa").factor == pytest.approx(0.000728 * NORMALISERS["bsa"] / 70_000)


def test_a_block_of_another_creator_is_not_philips():
    dataset = with_private(header(Units="CNTS", Manufacturer="Philips"), 0x7053, "SOMEBODY ELSE", 0x00, "0.5")
    with pytest.raises(SuvUnavailable, match="Philips' SUV"):
        audit_suv([dataset])


def test_the_order_of_reference_times_is_series_ge_frames_acquisition():
    late = {"SeriesTime": "120000", "Manufacturer": "GE MEDICAL SYSTEMS"}
    used = []
    for tags in (
        {},
        {**late, "ge": "20200101100000.00"},
        {**late, "FrameReferenceTime": 60_000, "ActualFrameDuration": 120_000},
        late,
    ):
        dataset = header(**{key: value for key, value in tags.items() if key != "ge"})
        if "ge" in tags:
            with_private(dataset, 0x0009, "GEMS_PETD_01", 0x0D, tags["ge"], "DT", block=0x12)
        audit = audit_suv([dataset])
        assert audit.factor == pytest.approx(PLAIN, rel=1e-4)
        used.append(next(time["name"] for time in audit.reference_times if time["used"]))
    assert used == ["series", "GE scan time", "computed from the frames", "earliest acquisition"]


def test_all_reference_times_are_listed_with_the_factor_they_would_give():
    audit = audit_suv([header(AcquisitionTime="103000", FrameReferenceTime=60_000, ActualFrameDuration=120_000)])
    by_name = {time["name"]: time for time in audit.reference_times}
    assert by_name["series"]["used"] and by_name["series"]["factor"] == pytest.approx(PLAIN)
    assert by_name["earliest acquisition"]["factor"] == pytest.approx(PLAIN * 2 ** (1800 / HALF_LIFE))
    assert by_name["GE scan time"]["remark"] == "not stated"
    assert any("would change the SUV by +20.9 %" in warning for warning in audit.warnings)


def test_frames_that_do_not_share_a_start_give_none():
    slices = [
        header(SeriesTime="120000", FrameReferenceTime=60_000 + 300_000 * n, ActualFrameDuration=120_000)
        for n in range(3)
    ]
    audit = audit_suv(slices)
    assert audit.factor == pytest.approx(PLAIN)
    remarks = {time["name"]: time["remark"] for time in audit.reference_times}
    assert remarks["computed from the frames"] == "the slices' starts lie 600 s apart"


@pytest.mark.parametrize("isotope", ISOTOPES, ids=lambda isotope: isotope.name)
def test_a_missing_half_life_follows_from_any_code_of_the_nuclide(isotope):
    codes = [{"nuclide": code} for code in isotope.codes] + [{"tracer_code": code} for code in isotope.tracers]
    for code in codes:
        tags = pet_tags(without=("RadionuclideHalfLife",), DecayCorrection="NONE", **code)
        tracer = tags["RadiopharmaceuticalInformationSequence"][0]
        tracer.RadiopharmaceuticalStartDateTime = "20200101095900"
        dataset = header(DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration=1000)
        dataset.RadiopharmaceuticalInformationSequence = [tracer]
        audit = audit_suv([dataset])
        assert audit.inputs["RadionuclideHalfLife"]["value"] == isotope.half_life_s


def test_several_tracers_ask_and_a_number_answers():
    dataset = header(nuclide="77004003")
    other = pet_tags(dose=100e6, half_life=4057.7, nuclide="35337001")["RadiopharmaceuticalInformationSequence"][0]
    dataset.RadiopharmaceuticalInformationSequence.append(other)
    with pytest.raises(SuvUnavailable, match=r"2 tracers were given: 1 F-18 .*; 2 Ga-68") as caught:
        audit_suv([dataset])
    assert caught.value.reason == "multiple_tracers"
    assert audit_suv([dataset], tracer=1).factor == pytest.approx(PLAIN)
    assert audit_suv([dataset], tracer=2).factor == pytest.approx(70_000 / (100e6 * 2 ** (-3600 / 4057.7)))
    with pytest.raises(UsageError, match="1 to 2"):
        audit_suv([dataset], tracer=3)


def test_dates_shifted_apart_fall_back_on_the_time_of_the_day():
    audit = audit_suv([header(started="20190101090000")])
    assert audit.factor == pytest.approx(PLAIN)
    assert "365 days apart" in audit.warnings[0]


def test_a_tracer_that_lives_for_days_keeps_its_date():
    half_life = 282_276.0
    audit = audit_suv([header(started="20191229100000", half_life=half_life)])
    assert audit.factor == pytest.approx(70_000 / (350e6 * 2 ** (-3 * 86400 / half_life)))


def test_a_header_without_dates_is_taken_as_of_one_day_and_says_so():
    audit = audit_suv([header(SeriesDate=None, AcquisitionDate=None)])
    assert audit.factor == pytest.approx(PLAIN)
    assert "no dates" in audit.warnings[0]


@pytest.mark.parametrize(
    "tags",
    [
        {"started": "20200101090000-0500"},
        {"started": "20200101140000+0000", "TimezoneOffsetFromUTC": "-0500"},
        {"started": "20200101090000-0500", "TimezoneOffsetFromUTC": "-0500"},
    ],
)
def test_time_zones_are_honoured(tags):
    assert audit_suv([header(**tags)]).factor == pytest.approx(PLAIN)


def test_no_date_and_no_name_reaches_the_audit():
    text = json.dumps(audit_suv([header(started="20200101090000")]).as_json())
    assert "2020" not in text and "0900" not in text


@settings(max_examples=60, deadline=None)
@given(
    weight=st.floats(2, 300), dose=st.floats(2e6, 5e9), wait=st.integers(60, 3 * 6586), half_life=st.floats(6586, 40000)
)
def test_the_factor_follows_the_formula_for_any_patient(weight, dose, wait, half_life):
    clock = f"{wait // 3600 + 1:02d}{wait % 3600 // 60:02d}{wait % 60:02d}"
    tags = {"SeriesTime": clock, "AcquisitionTime": clock, "start_time": "010000"}
    audit = audit_suv([header(PatientWeight=weight, dose=dose, half_life=half_life, **tags)])
    assert audit.factor == pytest.approx(weight * 1000 / dose * 2 ** (wait / half_life), rel=1e-9)


def test_the_command_reports_the_audit_and_writes_the_volume(tmp_path, capsys):
    recipe = write_series(tmp_path / "pet", Recipe("PT", tags=pet_tags(), slopes=(1.0, 0.5)))
    out = tmp_path / "suv.nii.gz"
    assert main(["suv", str(tmp_path / "pet"), "--variant", "lbm", "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr().out
    document = json.loads(printed)
    assert {"variant", "factor", "min", "median", "max", "inputs", "warnings"} <= set(document)
    expected = stored_pixels(recipe) * np.resize([1, 0.5], 6)[:, None, None] * PLAIN * LEAN_120 / 70
    assert document["max"] == pytest.approx(expected.max(), rel=1e-6)
    assert np.allclose(mf.read_volume(out, "PT", "SUVlbm").array, expected, rtol=1e-6)
    assert document["inputs"]["PatientWeight"] == {"tag": "(0010,1030)", "value": 70.0, "unit": "kg"}
    assert SENTINEL not in printed
    assert main(["suv", str(tmp_path / "pet"), "--out", str(out)]) == 2
    assert main(["suv", str(tmp_path / "pet"), "--out", str(out), "--overwrite"]) == 0
    assert "series" in capsys.readouterr().out


def test_the_command_ends_with_five_and_a_reason(tmp_path, capsys):
    write_series(tmp_path / "ct")
    assert main(["suv", str(tmp_path / "ct"), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["error"]["reason"] == "not_pet"
    write_series(tmp_path / "pet", Recipe("PT", tags=pet_tags(PatientWeight=None)))
    assert main(["suv", str(tmp_path / "pet"), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["error"]["reason"] == "missing_normaliser"


def test_a_volume_can_be_read_as_any_suv(tmp_path):
    recipe = write_series(tmp_path, Recipe("PT", tags=pet_tags()))
    volume = mf.read_volume(tmp_path, unit="SUVbsa")
    assert volume.unit.code == "{SUVbsa}cm2/ml"
    assert np.allclose(volume.array, stored_pixels(recipe) * PLAIN * NORMALISERS["bsa"] / 70_000, rtol=1e-6)
