"""Who the patient is reaches nothing but DICOM of the same patient: every command, and every file that it leaves."""

import gzip

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

import MedFusionLib as mf
from dicom_structures import square, structure_set
from dicom_writer import Recipe, pet_tags, write_series
from export_cases import BIRTH_DATE
from MedFusionLib.batch.plan import Wishes
from MedFusionLib.batch.work import run_case
from MedFusionLib.cli import main
from MedFusionLib.io.dicom_export import KINDS
from MedFusionLib.io.identity import name_without_patient
from MedFusionLib.segmentation import Segment

WHO = (b"sentinel", BIRTH_DATE.encode(), b"1901-02-03")
SAID_OF = {
    "PatientBirthDate": BIRTH_DATE, "OtherPatientIDs": "sentinel-other", "ReferringPhysicianName": "Sentinel^Doctor",
    "OperatorsName": "Sentinel^Operator", "InstitutionName": "Sentinel House", "StudyDescription": "of Sentinel",
    "SeriesDescription": "Sentinel in the scanner", "ProtocolName": "Sentinel", "PatientComments": "Sentinel said",
    "AccessionNumber": "sentinel-17", "StudyDate": "20200101", "StudyTime": "101500", "StudyID": "17",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A CT and a PET in one frame of reference, a PET that is broken, and contours that bear the patient's name."""
    folder = tmp_path_factory.mktemp("study")
    frame, tags = generate_uid(), {**SAID_OF, "StudyInstanceUID": generate_uid()}
    write_series(folder / "ct", Recipe("CT", shape=(10, 16, 16), tags=tags, frame=frame))
    pet = Recipe("PT", shape=(10, 16, 16), tags={**tags, **pet_tags()}, frame=frame, slopes=(20.0,))
    write_series(folder / "pt", pet)
    write_series(folder / "unfit", Recipe("PT", shape=(1, 16, 16), tags=tags))
    (folder / "unfit" / "cut.dcm").write_bytes(next((folder / "pt").iterdir()).read_bytes()[:700])
    (folder / "rs").mkdir()
    structure_set(folder / "rs", [square(mf.read_volume(folder / "ct"), 4, 2, 9)], frame, "Sentinel_left")
    return folder


def commands(study, out):
    """Every command that meets DICOM, with its exit code; each finds what those before it wrote."""
    ct, pt, unfit, result = study / "ct", study / "pt", study / "unfit", out / "result"
    sources = ["--reference", ct, "--reference", pt]
    yield 0, ["inspect", study]
    yield 0, ["inspect", study, "--json"]
    yield 0, ["suv", pt, "--out", out / "suv.nii.gz"]
    yield 0, ["suv", pt, "--json"]
    yield 3, ["suv", unfit]
    yield 5, ["suv", ct, "--json"]
    yield 0, ["check", ct, pt, "--json"]
    yield 0, ["register", ct, pt, "--out", out / "moved.tfm"]
    yield 0, ["segment", ct, pt, "--method", "suv2.5", "--force", "--out", out / "found.seg.nrrd"]
    yield 0, ["fuse", ct, pt, "--method", "average", "--force", "--tumour", study / "rs", "--out", result]
    yield 3, ["fuse", ct, study, "--out", out / "never", "--json"]
    yield 0, ["export", result, *sources, "--as", ",".join(KINDS), "--out", out / "dicom", "--json"]
    yield 0, ["export", result, *sources, "--as", "pm,seg,sr", "--deidentify", "--out", out / "hidden"]
    yield 3, ["export", result, "--reference", unfit, "--as", "pm", "--out", out / "never"]
    yield 0, ["batch", study, out / "batch", "--dry-run"]
    yield 0, ["batch", study, out / "batch", "group"]
    yield 1, ["send", out / "dicom", "--to", "127.0.0.1:1"]


def run_batch_here(study, out):
    """What the workers of a batch do, in this process."""
    plan = mf.plan_batch(study, out, Wishes(("average",), tumour="suv2.5", force=True, export=("pm",)))
    return [run_case(plan, case, lambda done, total: None, lambda: False)["status"] for case in plan.cases]


def content(path) -> bytes:
    stored = path.read_bytes()
    return gzip.decompress(stored) if path.suffix == ".gz" else stored


def names_somebody(text: bytes) -> bool:
    return any(word in text.lower() for word in WHO)


def test_no_command_tells_who_the_patient_is(study, tmp_path, capfd, caplog, recwarn):
    pytest.importorskip("dicomanonymizer", reason="needs the extra: pip install medfusion[deidentify]")
    pytest.importorskip("pynetdicom", reason="needs the extra: pip install medfusion[pacs]")
    assert run_batch_here(study, tmp_path / "batch") == ["ok"]
    for code, arguments in commands(study, tmp_path):
        assert (main(list(map(str, arguments))), arguments) == (code, arguments)
        told = capfd.readouterr()
        assert not names_somebody((told.out + told.err).encode()), arguments
    assert not names_somebody((caplog.text + "".join(str(one.message) for one in recwarn)).encode())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    told = [path for path in written if names_somebody(content(path))]
    assert {path.suffix for path in told} == {".dcm"} and not any("hidden" in path.parts for path in told)
    assert not any(names_somebody(str(path.relative_to(tmp_path)).encode()) for path in tmp_path.rglob("*"))
    assert {".json", ".gz", ".tfm", ".nrrd", ".dcm", ".log", ".tsv", ".html"} <= {path.suffix for path in written}


@pytest.mark.parametrize("text, kept", [
    ("GTV left", True), ("Liver", True), ("liv_2", False), ("GTV of HAND", False), ("x-77ab", False), ("", False),
])  # fmt: skip
def test_a_region_that_bears_the_name_of_the_patient_gets_another(text, kept):
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Liv^Hand", "77ab", None
    assert name_without_patient(dataset, text, "Region 3") == (text if kept else "Region 3")


def test_the_name_of_a_segment_cannot_steer_a_terminal():
    assert Segment(1, "a\x1b[2Jb\nc").name == "a?[2Jb?c"
