"""DICOM archives on this machine only: pynetdicom's own server, and Orthanc where it is installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextmanager
def store_server(classes, *, title: str = "ARCHIVE", status: int = 0) -> Iterator[tuple[int, list]]:
    """A server that takes these classes and finds what it took: its port, and the datasets it holds."""
    from pynetdicom import AE, evt

    held: list = []

    def store(event):
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        held.append(dataset)
        return status

    def find(event):
        wanted = event.identifier
        for dataset in held:
            answer = type(wanted)()
            answer.QueryRetrieveLevel = wanted.QueryRetrieveLevel
            asked = [element for element in wanted if element.keyword != "QueryRetrieveLevel"]
            if all(not e.value or str(dataset.get(e.keyword)) == str(e.value) for e in asked):
                for element in asked:
                    setattr(answer, element.keyword, dataset.get(element.keyword, ""))
                yield 0xFF00, answer

    entity = AE(ae_title=title)
    entity.require_called_aet = True
    for sop_class in (*classes, "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1"):
        entity.add_supported_context(sop_class)
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_C_FIND, find), (evt.EVT_C_ECHO, lambda event: 0)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1], held
    finally:
        server.shutdown()


def orthanc_is_here() -> bool:
    """Whether Orthanc and its DICOMweb plug-in are installed."""
    return shutil.which("Orthanc") is not None and DICOMWEB_PLUGIN.exists()


@contextmanager
def orthanc(folder: Path) -> Iterator[tuple[int, int]]:
    """A fresh Orthanc: its DICOM port and its HTTP port."""
    dicom, http = _free_port(), _free_port()
    settings = {
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "Plugins": [str(DICOMWEB_PLUGIN)], "HttpPort": http, "DicomPort": dicom, "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowFind": True, "DicomCheckCalledAet": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = open(folder / "orthanc.log", "wb")  # noqa: SIM115
    process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{http}/system", process)
        yield dicom, http
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _wait_for(url: str, process) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("Orthanc did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
