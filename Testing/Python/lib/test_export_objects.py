"""What exported objects state about themselves and their sources."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest

from dicom_writer import Recipe, pet_tags, write_series
from export_cases import STUDY, ExportCase
from MedFusionLib.intensity import Window
from MedFusionLib.io.dicom_export import KINDS, ExportOptions, export_result, read_reference
from MedFusionLib.volume import Geometry, Origin

IMAGES = ("sc", "sc-grey", "pm")
SOP_CLASSES = {
    "sc": "1.2.840.10008.5.1.4.1.1.7", "sc-grey": "1.2.840.10008.5.1.4.1.1.7",
    "pm": "1.2.840.10008.5.1.4.1.1.30", "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr": "1.2.840.10008.5.1.4.1.1.88.34", "rtstruct": "1.2.840.10008.5.1.4.1.1.481.3",
    "abps": "1.2.840.10008.5.1.4.1.1.11.8",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return ExportCase(tmp_path_factory.mktemp("case"), "oblique")


@pytest.fixture(scope="module")
def exported(case):
    """Every kind of object, by kind; the last one of a series."""
    export = export_result(case.result(), case.references, KINDS, case.folder / "out")
    return {entry["kind"]: pydicom.dcmread(entry["path"]) for entry in export.instances}


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_of_its_class_in_the_study_of_the_reference(case, exported, kind):
    dataset, first = exported[kind], case.reference.first
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == SOP_CLASSES[kind]
    assert dataset.Modality not in ("PT", "CT", "MR", "NM")
    for keyword in ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
                    "StudyID", "AccessionNumber", "ReferringPhysicianName"):  # fmt: skip
        assert dataset[keyword].value == first[keyword].value, keyword
    uids = {header.SOPInstanceUID for header in first_headers(case)} | {first.SeriesInstanceUID}
    assert dataset.SOPInstanceUID not in uids
    assert dataset.SeriesInstanceUID not in uids
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert "RESEARCH, NOT FOR DIAGNOSIS" in dataset.SeriesDescription
    assert dataset.Manufacturer == dataset.ManufacturerModelName == "MedFusion"
    assert dataset.SoftwareVersions[0].startswith("MedFusion ")
    assert dataset.preamble == b"\0" * 128


def first_headers(case):
    return [header for reference in case.references for header in reference.headers]


@pytest.mark.parametrize("kind", IMAGES)
def test_derived_images_state_where_they_come_from(case, exported, kind):
    dataset = exported[kind]
    assert dataset.Modality == "OT"
    assert dataset.ImageType[0] == "DERIVED"
    assert dataset.FrameOfReferenceUID == case.frame
    assert dataset.BurnedInAnnotation == "NO"
    assert dataset.RecognizableVisualFeatures == "NO"
    assert dataset.LossyImageCompression == "00"
    assert "Not for primary diagnosis" in dataset.DerivationDescription
    assert "method average" in dataset.DerivationDescription
    assert dataset.DerivationCodeSequence[0].CodeMeaning == "Pixel by pixel addition"
    referenced = {item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence}
    series = {item.SeriesInstanceUID for item in dataset.ReferencedSeriesSequence}
    assert series == {reference.first.SeriesInstanceUID for reference in case.references}
    assert referenced <= {header.SOPInstanceUID for header in first_headers(case)}
    assert len(dataset.ContributingEquipmentSequence) == 2


def test_all_slices_of_a_series_share_it_and_are_numbered(case, tmp_path):
    export = export_result(case.result(), [case.anatomy], ["sc"], tmp_path)
    datasets = [pydicom.dcmread(entry["path"]) for entry in export.instances]
    assert [int(dataset.InstanceNumber) for dataset in datasets] == [1, 2, 3, 4, 5, 6]
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 1
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == 6


def test_grey_slices_state_a_rescale_without_a_physical_unit(exported):
    dataset = exported["sc-grey"]
    assert dataset.RescaleType == "US"
    assert float(dataset.RescaleSlope) == pytest.approx(1 / 65535, rel=1e-9)
    assert (dataset.BitsStored, dataset.PixelRepresentation) == (16, 0)
    low = float(dataset.WindowCenter) - 0.5 - (float(dataset.WindowWidth) - 1) / 2
    high = float(dataset.WindowCenter) - 0.5 + (float(dataset.WindowWidth) - 1) / 2
    assert (low, high) == (0, 1)


def test_a_parametric_map_is_marked_research_and_says_what_the_numbers_are(exported):
    dataset = exported["pm"]
    assert dataset.ContentQualification == "RESEARCH"
    assert "FloatPixelData" in dataset
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)


def test_a_segmentation_carries_terminology_and_never_claims_a_person_drew_it(exported):
    first = exported["seg"].SegmentSequence[0]
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Mass"
    assert first.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert first.SegmentAlgorithmName == "suv2.5"
    assert "RESEARCH" in exported["seg"].ContentDescription


def test_a_report_holds_the_measures_with_their_units(exported):
    report = hd.sr.Comprehensive3DSR.from_dataset(exported["sr"])
    group = report.content.get_volumetric_roi_measurement_groups()[0]
    found = {
        (m.name.meaning, m.derivation and m.derivation.meaning, m.unit.value): m.value for m in group.get_measurements()
    }
    assert found["SUVbw", "Maximum", "{SUVbw}g/ml"] == 9.5
    assert found["SUVbw", "Mean", "{SUVbw}g/ml"] == 4.25
    assert found["Volume", None, "ml"] == pytest.approx(0.432)
    assert found["Total Lesion Glycolysis", None, "g"] == pytest.approx(1.836)
    assert found["MR signal intensity", "Minimum", "[arb'U]"] == 1.0
    assert report.VerificationFlag == "UNVERIFIED"


@pytest.mark.parametrize("kinds", [("sr",), ("sr", "seg")])
@pytest.mark.parametrize("deidentify", [False, True])
def test_a_report_points_to_the_one_segmentation_that_is_written(case, tmp_path, kinds, deidentify):
    if deidentify:
        pytest.importorskip("dicomanonymizer", reason="needs the extra: pip install medfusion[deidentify]")
    options = ExportOptions(deidentify=deidentify)
    export = export_result(case.result(), case.references, kinds, tmp_path, options)
    mask, report = (pydicom.dcmread(entry["path"]) for entry in export.instances)
    group = hd.sr.Comprehensive3DSR.from_dataset(report).content.get_volumetric_roi_measurement_groups()[1]
    assert group.referenced_segment.referenced_sop_instance_uid == mask.SOPInstanceUID
    assert group.tracking_uid == mask.SegmentSequence[1].TrackingUID


def test_a_blending_state_refers_to_the_original_series_only(case, exported):
    dataset = exported["abps"]
    inputs = [item.SeriesInstanceUID for item in dataset.AdvancedBlendingSequence]
    assert inputs == [reference.first.SeriesInstanceUID for reference in case.references]
    assert "RescaleSlope" not in dataset.AdvancedBlendingSequence[1]
    assert "PixelData" not in dataset


def test_the_window_of_a_pet_series_is_given_in_the_numbers_of_its_files(tmp_path):
    case = ExportCase(tmp_path, tags=pet_tags())
    export = export_result(case.result(), case.references, ["abps"], tmp_path / "out")
    window = pydicom.dcmread(export.instances[0]["path"]).AdvancedBlendingSequence[1].SoftcopyVOILUTSequence[0]
    factor = case.references[1].suv_factor
    assert float(window.WindowWidth) * factor == pytest.approx(10, rel=1e-6)


def test_two_series_of_one_modality_keep_their_own_windows(case, tmp_path):
    tags = {**STUDY, "StudyInstanceUID": case.study}
    write_series(tmp_path / "t2", Recipe("MR", "oblique", tags=tags, frame=case.frame))
    second = read_reference(tmp_path / "t2")
    result = case.result(windows=(Window(0, 1000), Window(0, 70)))
    t2 = replace(result.sources[0], source=Origin(series=second.series))
    export = export_result(
        replace(result, sources=(result.sources[0], t2)), [case.reference, second], ["abps"], tmp_path / "out"
    )
    inputs = pydicom.dcmread(export.instances[0]["path"]).AdvancedBlendingSequence
    assert [float(item.SoftcopyVOILUTSequence[0].WindowWidth) for item in inputs] == [1000, 70]


def test_a_lossy_source_stays_lossy(tmp_path):
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 8.5,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    case = ExportCase(tmp_path, tags=lossy)
    export = export_result(case.result(), case.references, IMAGES, tmp_path / "out")
    for entry in export.instances:
        dataset = pydicom.dcmread(entry["path"], stop_before_pixels=True)
        assert dataset.LossyImageCompression == "01"
        assert float(dataset.LossyImageCompressionRatio) == 8.5


@pytest.mark.parametrize(("part", "expected"), [("HEAD", "YES"), ("", "YES"), ("PELVIS", "NO")])
def test_a_face_is_announced_where_one_may_be(tmp_path, part, expected):
    case = ExportCase(tmp_path, tags={"BodyPartExamined": part})
    export = export_result(case.result(), [case.anatomy], ["pm"], tmp_path / "out")
    assert pydicom.dcmread(export.instances[0]["path"]).RecognizableVisualFeatures == expected


def test_a_banner_is_drawn_and_stated(tmp_path):
    case = ExportCase(tmp_path)
    result = case.result(Geometry((6, 80, 200), case.reference.geometry.ijk_to_ras))
    result = replace(result, colour=np.full((6, 80, 200, 3), 77, np.uint8))
    export = export_result(result, [case.anatomy], ["sc"], tmp_path / "out", ExportOptions(banner=True))
    dataset = pydicom.dcmread(export.instances[0]["path"])
    assert dataset.BurnedInAnnotation == "YES"
    pixels = dataset.pixel_array
    assert (pixels[:20] != 77).any()
    assert (pixels[40:] == 77).all()


def test_text_in_the_pixels_of_a_source_stays_announced(tmp_path):
    case = ExportCase(tmp_path, tags={"BurnedInAnnotation": "YES"})
    export = export_result(case.result(), [case.anatomy], ["pm"], tmp_path / "out")
    assert pydicom.dcmread(export.instances[0]["path"]).BurnedInAnnotation == "YES"


def test_a_source_of_another_study_is_listed_under_its_study(case, tmp_path):
    other = ExportCase(tmp_path / "other", frame=case.frame)
    export = export_result(case.result(), [case.reference, other.function], ["sc", "pm"], tmp_path)
    for entry in export.instances:
        dataset = pydicom.dcmread(entry["path"])
        assert dataset.StudyInstanceUID == case.study
        assert len(dataset.ReferencedSeriesSequence) == 1
        studies = dataset.StudiesContainingOtherReferencedInstancesSequence
        assert [item.StudyInstanceUID for item in studies] == [other.study]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 144", "Люкceмбypг"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_names_in_any_alphabet_stay_the_same_names(tmp_path, encoding, name):
    tags = {"SpecificCharacterSet": encoding, "PatientName": name, "StudyDescription": "plain"}
    case = ExportCase(tmp_path, tags=tags)
    export = export_result(case.result(), case.references, KINDS, tmp_path / "out")
    for entry in export.instances:
        dataset = pydicom.dcmread(entry["path"])
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert str(dataset.PatientName) == name
