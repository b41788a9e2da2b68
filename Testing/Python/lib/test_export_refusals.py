"""What the export refuses, what it never tells, and that it writes whole or not at all."""

import contextlib
import errno
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import generate_uid
from pydicom.valuerep import PersonName

import MedFusionLib as mf
from dicom_writer import SENTINEL
from export_cases import BIRTH_DATE, ExportCase
from MedFusionLib import cli
from MedFusionLib.errors import (
    Cancelled,
    MedFusionError,
    NotAligned,
    NotSupported,
    ResourcesExhausted,
    UnreadableFile,
    UsageError,
)
from MedFusionLib.io.dicom_export import KINDS, ExportOptions, export_result, read_reference
from MedFusionLib.result import Verdict
from MedFusionLib.volume import Geometry, Origin

HOSTILE = {
    "PatientName": "Sentinel\\Two\x1b[31m", "PatientID": "../../Sentinel\r\n", "PatientWeight": "Sentinel",
    "PatientSize": "1e999", "StudyDate": "99999999", "StudyTime": "sentinel", "StudyDescription": "x" * 5000,
    "BodyPartExamined": "Sentinel body", "Laterality": "Sentinel", "PositionReferenceIndicator": "Sentinel\0",
    "Manufacturer": "=Sentinel()", "SoftwareVersions": ["Sentinel"] * 50, "LossyImageCompressionRatio": "Sentinel",
    "LossyImageCompression": "01", "RecognizableVisualFeatures": "Sentinel", "SliceThickness": "Sentinel",
    "SpacingBetweenSlices": "-inf", "SamplesPerPixel": 1, "ReferringPhysicianName": "^^^^^^^Sentinel",
    "AccessionNumber": "Sentinel" * 9, "PregnancyStatus": 65535, "PatientBirthDate": "Sentinel",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return ExportCase(tmp_path_factory.mktemp("case"), "oblique")


def test_no_name_of_the_patient_leaves_the_objects(case, tmp_path, capfd, caplog):
    mf.save_result(case.result(), tmp_path / "result")
    references = ["--reference", str(case.anatomy), "--reference", str(case.function)]
    arguments = ["export", str(tmp_path / "result"), *references, "--as", ",".join(KINDS), "--out", str(tmp_path / "o")]
    assert cli.main([*arguments, "--json"]) == 0
    told = capfd.readouterr()
    document = json.loads(told.out)
    assert {entry["kind"] for entry in document["instances"]} == set(KINDS)
    names = "".join(str(path) for path in tmp_path.rglob("*"))
    for text in (told.out, told.err, caplog.text, names):
        assert not any(word in text for word in ("Sentinel", "sentinel", BIRTH_DATE))
    assert str(pydicom.dcmread(document["instances"][0]["path"]).PatientName) == SENTINEL


def test_a_name_that_libraries_complain_about_stays_out_of_every_message(tmp_path, capfd, caplog, recwarn):
    tags = {"PatientName": "Sentinel=a=b=c=d", "PatientSex": "Sentinel", "StudyTime": "Sentinel"}
    case = ExportCase(tmp_path, tags=tags)
    caplog.clear()
    recwarn.clear()
    capfd.readouterr()
    try:
        export_result(case.result(), case.references, KINDS, tmp_path / "out")
    except MedFusionError as error:
        assert "Sentinel" not in str(error)
    told = capfd.readouterr()
    assert "Sentinel" not in told.out + told.err + caplog.text + "".join(str(one.message) for one in recwarn)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("keyword", [*HOSTILE, "all of them"])
def test_hostile_header_values_end_in_readable_objects_or_one_quiet_error(tmp_path, capfd, caplog, keyword):
    tags = HOSTILE if keyword == "all of them" else {keyword: HOSTILE[keyword]}
    case = ExportCase(tmp_path)
    for file in [*case.anatomy.iterdir(), *case.function.iterdir()]:
        dataset = pydicom.dcmread(file)
        for name, value in tags.items():
            dataset[name] = pydicom.DataElement(tag_for_keyword(name), dictionary_VR(name), None)
            dataset[name]._value = PersonName(value) if dictionary_VR(name) == "PN" else value
        with contextlib.suppress(Exception):  # not everything can be written at all
            dataset.save_as(file)
    caplog.clear()
    capfd.readouterr()
    messages = []
    for kind in ("sc", "pm", "seg", "abps"):
        try:
            export = export_result(case.result(), [case.anatomy, case.function], [kind], tmp_path / "out")
        except MedFusionError as error:
            messages.append(str(error))
        else:
            messages.extend(export.warnings)
            assert all(pydicom.dcmread(entry["path"]).SOPInstanceUID for entry in export.instances)
    told = capfd.readouterr()
    assert "entinel" not in "".join(messages) + told.out + told.err + caplog.text
    assert not list(tmp_path.glob("out/.partial*"))


def test_a_second_export_needs_leave_and_leaves_nothing_of_the_first(case, tmp_path):
    export_result(case.result(), [case.anatomy], ["sc"], tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "sc").iterdir()}
    with pytest.raises(UsageError, match="holds an export already"):
        export_result(case.result(), [case.anatomy], ["sc"], tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "sc").iterdir()} == before
    options = ExportOptions(overwrite=True, multiframe=True)
    export_result(case.result(), [case.anatomy], ["sc"], tmp_path, options)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["sc.dcm"]


def test_a_folder_with_other_files_is_never_replaced(case, tmp_path):
    (tmp_path / "pm").mkdir()
    (tmp_path / "pm" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an export"):
        export_result(case.result(), [case.anatomy], ["pm"], tmp_path, ExportOptions(overwrite=True))


def test_a_stop_half_way_keeps_the_older_export_and_leaves_no_pieces(case, tmp_path):
    export_result(case.result(), [case.anatomy], ["sc"], tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        export_result(
            case.result(),
            [case.anatomy],
            ["sc"],
            tmp_path,
            ExportOptions(overwrite=True),
            cancelled=lambda: next(asked),
        )
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_another_frame_of_reference_is_refused(case, tmp_path):
    result = case.result()
    elsewhere = replace(result.sources[0], source=Origin(frame_of_reference="0123456789abcdef"))
    with pytest.raises(NotAligned, match="another frame of reference"):
        export_result(replace(result, sources=(elsewhere, result.sources[1])), [case.anatomy], ["pm"], tmp_path)


def test_another_grid_of_unknown_frame_is_refused_and_the_difference_named(case, tmp_path):
    geometry = case.reference.geometry
    result = case.result(Geometry((6, 8, 12), geometry.ijk_to_ras))
    unknown = tuple(replace(source, source=Origin()) for source in result.sources)
    with pytest.raises(NotAligned, match="12 x 8 x 6 instead of 10 x 8 x 6"):
        export_result(replace(result, sources=unknown), [case.anatomy], ["pm"], tmp_path)


def test_contours_off_the_reference_slices_are_refused(case, tmp_path):
    result = case.result(Geometry((6, 8, 12), case.reference.geometry.ijk_to_ras))
    with pytest.raises(NotSupported, match="12 x 8 x 6"):
        export_result(result, [case.anatomy], ["rtstruct"], tmp_path)


def test_a_series_that_was_resampled_when_read_is_no_series_to_put_slices_on(case, tmp_path):
    matrix = case.reference.geometry.ijk_to_ras.copy()
    matrix[:3, 2] *= 0.5
    upright = replace(case.reference, geometry=Geometry((11, 8, 10), matrix))
    export = export_result(case.result(upright.geometry), [upright], ["sc"], tmp_path)
    first = pydicom.dcmread(export.instances[1]["path"])
    assert {item.SpatialLocationsPreserved for item in first.SourceImageSequence} == {"NO"}
    assert any("resampled" in warning for warning in export.warnings)
    with pytest.raises(NotSupported, match="resampled"):
        export_result(case.result(upright.geometry), [upright], ["rtstruct"], tmp_path)


def test_a_tumour_on_the_grid_of_a_further_series_is_written_on_that_series(case, tmp_path):
    result, pet = case.result(), case.references[1]
    labels = np.zeros(pet.geometry.shape, np.uint8)
    labels[2, 3:5, 2:4] = 1
    tumour = replace(result.tumour, labels=labels, geometry=pet.geometry, measures=())
    export = export_result(replace(result, tumour=tumour), case.references, ["seg", "rtstruct"], tmp_path)
    for entry in export.instances:
        assert str(pet.first.SeriesInstanceUID) in str(pydicom.dcmread(entry["path"]))
    with pytest.raises(MedFusionError, match="further --reference"):
        export_result(replace(result, tumour=tumour), [case.anatomy], ["seg"], tmp_path / "alone")


@pytest.mark.parametrize(
    ("kind", "changes", "error", "message"),
    [
        ("sc", {"colour": None}, UsageError, "no colour volume"),
        ("seg", {"tumour": None}, UsageError, "no tumour"),
        ("sr", {"tumour": None}, UsageError, "no tumour"),
        ("abps", {"provenance": {"parameters": {"transforms": [True]}}}, NotSupported, "moved by a transform"),
    ],
)
def test_what_a_result_does_not_have_is_not_exported(case, tmp_path, kind, changes, error, message):
    with pytest.raises(error, match=message):
        export_result(case.result(**changes), case.references, [kind], tmp_path)
    assert not list(tmp_path.iterdir())


def test_blending_two_studies_or_one_series_is_refused(case, tmp_path):
    with pytest.raises(UsageError, match="over 1 series"):
        export_result(case.result(), [case.anatomy], ["abps"], tmp_path)
    other = ExportCase(tmp_path / "other", frame=case.frame)
    with pytest.raises(NotSupported, match="one study"):
        export_result(case.result(), [case.reference, other.function], ["abps"], tmp_path)


def test_series_of_two_patients_are_refused_without_naming_one(case, tmp_path):
    other = ExportCase(tmp_path / "other", tags={"PatientID": "sentinel-2"})
    with pytest.raises(NotAligned, match="differ in PatientID") as caught:
        export_result(case.result(), [case.reference, other.function], ["pm"], tmp_path)
    assert "sentinel" not in str(caught.value)


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_reference_that_does_not_identify_itself_is_refused(tmp_path, keyword):
    case = ExportCase(tmp_path)
    for file in case.anatomy.iterdir():
        dataset = pydicom.dcmread(file)
        delattr(dataset, keyword)
        dataset.save_as(file)
    with pytest.raises(UnreadableFile, match=keyword):
        read_reference(case.anatomy)


def test_a_reference_of_two_studies_is_refused(tmp_path):
    case = ExportCase(tmp_path)
    file = next(case.anatomy.iterdir())
    dataset = pydicom.dcmread(file)
    dataset.StudyInstanceUID = generate_uid()
    dataset.save_as(file)
    with pytest.raises(UnreadableFile, match="more than one study"):
        read_reference(case.anatomy)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_was_mended_in_the_headers_is_told_without_its_value(tmp_path):
    case = ExportCase(tmp_path, tags={"StudyID": "Sentinel too long for it", "PatientAge": "7Y"})
    export = export_result(case.result(), [case.anatomy], ["pm"], tmp_path / "out")
    assert "The MR series, StudyID: cut, being longer than DICOM allows" in export.warnings
    assert "The MR series, PatientAge: left empty, having no legal form" in export.warnings
    assert pydicom.dcmread(export.instances[0]["path"]).StudyID == "Sentinel too lon"


def test_a_doubtful_alignment_and_a_strange_series_are_told(case, tmp_path):
    result = case.result(alignment=Verdict("doubt"))
    export = export_result(result, case.references, ["pm"], tmp_path)
    assert any("doubt" in warning for warning in export.warnings)
    assert any("PT series given is not one of the sources" in warning for warning in export.warnings)


def test_an_unknown_kind_is_refused(case, tmp_path, capsys):
    mf.save_result(case.result(), tmp_path / "result")
    arguments = ["export", str(tmp_path / "result"), "--reference", str(case.anatomy), "--as", "pm,gif"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "gif" in capsys.readouterr().err


def test_a_large_volume_is_written_without_a_copy_of_it(case, tmp_path):
    result = case.result(Geometry((64, 512, 512), case.reference.geometry.ijk_to_ras))
    options = ExportOptions(multiframe=True)
    kinds = ["pm", "sc", "sc-grey"]
    export_result(case.result(), [case.reference], kinds, tmp_path / "small", options)  # the imports are not counted
    tracemalloc.start()
    try:
        export_result(result, [case.reference], kinds, tmp_path / "large", options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < result.fused.array.nbytes / 3


def test_a_full_disk_is_told_and_leaves_nothing(case, tmp_path, monkeypatch):
    def save(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pydicom.Dataset, "save_as", save)
    with pytest.raises(ResourcesExhausted):
        export_result(case.result(), [case.reference], ["sc"], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
