"""Sending to archives and querying them, on this machine only."""

import json

import pydicom
import pytest

from archives_dicom import orthanc, orthanc_is_here, store_server
from export_cases import ExportCase
from MedFusionLib import cli
from MedFusionLib.errors import Cancelled, NotSupported, UnreadableFile, UsageError
from MedFusionLib.io import pacs
from MedFusionLib.io.dicom_export import KINDS, export_result

SC, MR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    case = ExportCase(tmp_path_factory.mktemp("pacs"))
    export_result(case.result(), case.references, KINDS, case.folder / "out")
    return case


@pytest.fixture(scope="module")
def needs_pynetdicom():
    pytest.importorskip("pynetdicom", reason="needs the extra: pip install medfusion[pacs]")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A real Orthanc that holds every exported object, sent by C-STORE."""
    pytest.importorskip("pynetdicom", reason="needs the extra: pip install medfusion[pacs]")
    pytest.importorskip("dicomweb_client", reason="needs the extra: pip install medfusion[pacs]")
    if not orthanc_is_here():
        pytest.skip("no Orthanc here: install the Debian packages orthanc and orthanc-dicomweb")
    with orthanc(tmp_path_factory.mktemp("orthanc")) as (dicom, http):
        yield pacs.Peer("127.0.0.1", dicom, "ORTHANC"), pacs.WebPeer(f"http://127.0.0.1:{http}/dicom-web")


@pytest.mark.usefixtures("needs_pynetdicom")
def test_files_arrive_unchanged(case):
    with store_server([SC]) as (port, held):
        outcomes = pacs.send([case.folder / "out" / "sc"], pacs.Peer("127.0.0.1", port, "ARCHIVE"))
    assert [outcome.status for outcome in outcomes] == ["stored"] * 6
    for outcome, dataset in zip(outcomes, held):
        sent = pydicom.dcmread(outcome.path)
        assert {element.tag: element.value for element in dataset} == {element.tag: element.value for element in sent}


@pytest.mark.usefixtures("needs_pynetdicom")
def test_a_class_that_the_archive_does_not_take_is_refused_and_the_rest_goes_on(case):
    paths = [case.folder / "out" / kind for kind in ("pm", "sc")]
    with store_server([SC]) as (port, held):
        outcomes = pacs.send(paths, pacs.Peer("127.0.0.1", port, "ARCHIVE"))
    assert [outcome.status for outcome in outcomes] == ["refused"] + ["stored"] * 6
    assert len(held) == 6


@pytest.mark.usefixtures("needs_pynetdicom")
@pytest.mark.parametrize(("status", "told"), [(0xB000, "stored with a warning"), (0xA700, "refused")])
def test_what_the_archive_answers_is_told(case, status, told):
    with store_server([SC], status=status) as (port, _):
        outcomes = pacs.send([case.folder / "out" / "sc"], pacs.Peer("127.0.0.1", port, "ARCHIVE"))
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {(told, status)}


@pytest.mark.usefixtures("needs_pynetdicom")
def test_an_archive_is_searched_for_studies_and_their_series(case):
    with store_server([MR]) as (port, _):
        peer = pacs.Peer("127.0.0.1", port, "ARCHIVE")
        pacs.echo(peer)
        pacs.send([case.anatomy], peer)
        assert set(pacs.find_studies(peer, PatientID="sentinel-id")) == {case.study}
        assert pacs.find_studies(peer, PatientID="nobody") == []
        assert pacs.find_series(peer, case.study)[0].series_uid == case.reference.first.SeriesInstanceUID


@pytest.mark.usefixtures("needs_pynetdicom")
def test_a_wrong_title_and_a_closed_port_are_told_apart_from_success(case):
    with store_server([SC]) as (port, held), pytest.raises(pacs.PacsError, match="refuses this side"):
        pacs.send([case.folder / "out" / "sc"], pacs.Peer("127.0.0.1", port, "SOMEONE"))
    assert held == []
    with pytest.raises(pacs.PacsError, match="cannot be reached"):
        pacs.echo(pacs.Peer("127.0.0.1", port, "ARCHIVE", timeout_s=2))


@pytest.mark.usefixtures("needs_pynetdicom")
def test_sending_stops_between_files(case):
    asked = iter([False, False, True])
    with store_server([SC]) as (port, held), pytest.raises(Cancelled, match="2 of 6"):
        pacs.send([case.folder / "out" / "sc"], pacs.Peer("127.0.0.1", port, "ARCHIVE"), cancelled=lambda: next(asked))
    assert len(held) == 2


@pytest.mark.usefixtures("needs_pynetdicom")
def test_the_command_line_sends_and_names_no_patient(case, capfd, caplog):
    with store_server([SC]) as (port, _):
        folder = str(case.folder / "out" / "sc")
        assert cli.main(["send", folder, "--to", f"127.0.0.1:{port}", "--title", "ARCHIVE", "--json"]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["sent"] == 6
    assert "entinel" not in told.out + told.err + caplog.text


def test_orthanc_takes_every_object_and_gives_the_series_back(case, archive, tmp_path):
    peer, web = archive
    outcomes = pacs.send([case.folder / "out"], peer)
    assert {outcome.status for outcome in outcomes} == {"stored"}
    assert pacs.find_studies(peer, AccessionNumber="A-99") == pacs.search_studies(web, AccessionNumber="A-99")
    found = {series.series_uid: series for series in pacs.search_series(web, case.study)}
    by_dimse = {series.series_uid for series in pacs.find_series(peer, case.study)}
    assert set(found) == by_dimse
    sent = pydicom.dcmread(case.folder / "out" / "pm" / "pm.dcm")
    assert found[sent.SeriesInstanceUID].modality == "OT"
    files = pacs.retrieve_series(web, case.study, sent.SeriesInstanceUID, tmp_path / "back")
    assert [file.name for file in files] == ["00001.dcm"]
    assert pydicom.dcmread(files[0]).FloatPixelData == sent.FloatPixelData
    with pytest.raises(UsageError, match="holds an export already"):
        pacs.retrieve_series(web, case.study, sent.SeriesInstanceUID, tmp_path / "back")


def test_orthanc_takes_files_over_dicomweb(case, archive):
    outcomes = pacs.stow([case.folder / "out" / "sc-grey"], archive[1])
    assert [outcome.status for outcome in outcomes] == ["stored"] * 6


def test_a_series_that_orthanc_does_not_hold_is_an_error(archive, tmp_path):
    with pytest.raises(pacs.PacsError):
        pacs.retrieve_series(archive[1], "1.2.3", "1.2.3.4", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "url", ["ftp://archive/x", "http://archive.example/x", "https://me:secret@archive/x", "archive"]
)
def test_an_unsafe_address_is_refused_and_not_quoted_with_its_password(url):
    with pytest.raises(UsageError) as caught:
        pacs.WebPeer(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("fields", [{"port": 0}, {"called_title": "much too long a title"}, {"called_title": "a\\b"}])
def test_a_wrong_address_is_refused(fields):
    with pytest.raises(UsageError):
        pacs.Peer(**{"host": "archive", "port": 104, **fields})


def test_searching_for_everybody_is_refused():
    peer = pacs.Peer("127.0.0.1", 104)
    for keys in ({}, {"PatientID": ""}, {"PatientName": "A*"}):
        with pytest.raises(UsageError):
            pacs.find_studies(peer, **keys)
    with pytest.raises(UsageError):
        pacs.find_series(peer, "1.2/../3")


def test_nothing_to_send_is_an_error(tmp_path):
    (tmp_path / "note.txt").write_text("no DICOM")
    with pytest.raises(UnreadableFile, match="Nothing to send"):
        pacs.send([tmp_path], pacs.Peer("127.0.0.1", 104))


@pytest.mark.parametrize("library", ["pynetdicom", "dicomweb_client.api"])
def test_without_the_library_the_extra_is_named(monkeypatch, case, library):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(NotSupported, match=r"medfusion\[pacs\]"):
        if library == "pynetdicom":
            pacs.echo(pacs.Peer("127.0.0.1", 104))
        else:
            pacs.stow([case.anatomy], pacs.WebPeer("http://127.0.0.1:1/x"))
