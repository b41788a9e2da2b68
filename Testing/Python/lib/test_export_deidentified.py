"""A de-identified export holds nothing of the patient and stays consistent and valid."""

from pathlib import Path

import pydicom
import pytest

from dicom_writer import SENTINEL
from export_cases import BIRTH_DATE, STUDY, ExportCase, needs_validator, validator_errors
from MedFusionLib.errors import NotSupported
from MedFusionLib.io.dicom_export import KINDS, ExportOptions, export_result
from MedFusionLib.segmentation import Segment

HIDDEN = ("Sentinel", "sentinel", BIRTH_DATE, STUDY["AccessionNumber"], STUDY["StudyDate"], "Maker")


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    """The case, and the exported datasets by kind."""
    pytest.importorskip("dicomanonymizer", reason="needs the extra: pip install medfusion[deidentify]")
    case = ExportCase(tmp_path_factory.mktemp("hidden"))
    result = case.result()
    named = tuple(Segment(segment.label, f"{SENTINEL} left", segment.colour) for segment in result.tumour.segments)
    object.__setattr__(result.tumour, "segments", named)
    export = export_result(result, case.references, KINDS, case.folder / "out", ExportOptions(deidentify=True))
    return case, {entry["kind"]: entry["path"] for entry in export.instances}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_patient_is_left_in_any_byte(hidden, kind):
    case, paths = hidden
    with open(paths[kind], "rb") as stream:
        content = stream.read()
    words = [*HIDDEN, case.study, case.frame, *(str(header.SOPInstanceUID) for header in case.reference.headers)]
    assert [word for word in words if word.encode() in content] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_research_mark_and_the_profile_are_stated(hidden, kind):
    dataset = pydicom.dcmread(hidden[1][kind])
    assert "RESEARCH" in dataset.SeriesDescription
    assert dataset.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105"]
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID


def test_all_objects_stay_in_one_study_and_refer_to_the_same_renamed_images(hidden):
    _, paths = hidden
    datasets = {kind: pydicom.dcmread(path) for kind, path in paths.items()}
    assert len({dataset.StudyInstanceUID for dataset in datasets.values()}) == 1
    assert len({datasets[kind].FrameOfReferenceUID for kind in ("sc", "pm", "seg", "rtstruct")}) == 1
    slices = {item.ReferencedSOPInstanceUID for item in datasets["pm"].SourceImageSequence}
    assert {item.ReferencedSOPInstanceUID for item in datasets["sc"].SourceImageSequence} <= slices


@needs_validator
@pytest.mark.parametrize("kind", KINDS)
def test_a_validator_finds_no_error_afterwards(hidden, kind):
    assert validator_errors(hidden[1][kind]) == []


@needs_validator
def test_multi_frame_objects_are_cleaned_and_valid_as_well(hidden, tmp_path):
    case, _ = hidden
    options = ExportOptions(deidentify=True, multiframe=True, banner=True)
    export = export_result(case.result(), case.references, ("sc", "sc-grey"), tmp_path / "out", options)
    for path in (Path(entry["path"]) for entry in export.instances):
        assert validator_errors(path) == []
        assert [word for word in (*HIDDEN, case.study, case.frame) if word.encode() in path.read_bytes()] == []


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dicomanonymizer", None)
    case = ExportCase(tmp_path)
    with pytest.raises(NotSupported, match=r"medfusion\[deidentify\]"):
        export_result(case.result(), [case.anatomy], ["pm"], tmp_path / "out", ExportOptions(deidentify=True))
    assert not (tmp_path / "out").exists()
