"""A DICOM validator finds no error in what is exported."""

import tarfile
from dataclasses import replace

import pydicom
import pytest

from export_cases import ExportCase, needs_validator, validator_errors
from MedFusionLib.io.dicom_export import KINDS, ExportOptions, export_result, read_reference
from MedFusionLib.volume import Geometry, Origin


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return ExportCase(tmp_path_factory.mktemp("case"), "oblique")


@needs_validator
@pytest.mark.parametrize("plane", ["axial", "sagittal", "oblique"])
@pytest.mark.parametrize(
    "tags", [{}, {"BodyPartExamined": "", "StudyID": "much too long for an SH", "PatientSex": "?"}]
)
def test_a_validator_finds_no_error_in_any_object(tmp_path, plane, tags):
    case = ExportCase(tmp_path, plane, tags=tags)
    result = case.result()
    export_result(result, case.references, KINDS, tmp_path / "out")
    several = ExportOptions(multiframe=True, banner=True)
    export_result(result, case.references, ("sc", "sc-grey"), tmp_path / "multi", several)
    found = {str(path): validator_errors(path) for out in ("out", "multi") for path in (tmp_path / out).rglob("*.dcm")}
    assert len(found) == 2 * 6 + 5 + 2
    assert not any(found.values()), found


@needs_validator
def test_slices_beyond_the_reference_name_no_source_and_are_valid(case, tmp_path):
    result = case.result(Geometry((9, 8, 10), case.reference.geometry.ijk_to_ras))
    export = export_result(result, [case.reference], ["sc", "pm"], tmp_path)
    assert "SourceImageSequence" not in pydicom.dcmread(export.instances[8]["path"])
    assert not any(validator_errors(entry["path"]) for entry in export.instances)


@needs_validator
def test_a_validator_finds_no_error_on_real_series(data_folder, tmp_path):
    with tarfile.open(data_folder / "sts_001" / "raw_MR_T1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = next(tmp_path.rglob("image"))
    reference = read_reference(folder)
    case = ExportCase(tmp_path / "small")
    step = Geometry((40, 64, 64), reference.geometry.ijk_to_ras)
    origin = Origin(series=reference.series, frame_of_reference=reference.frame_of_reference)
    result = case.result(step)
    sources = tuple(replace(source, source=origin) for source in result.sources)
    export_result(replace(result, sources=sources), [reference], ("sc", "sc-grey", "pm"), tmp_path / "out")
    found = {path.name: validator_errors(path) for path in (tmp_path / "out").rglob("*.dcm")}
    assert len(found) == 81
    assert not any(found.values()), found
