"""Archives, what they answer, and what can go wrong with them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile, UsageError
from MedFusionLib.io.dicom_files import is_dicom

STORED, WARNED, REFUSED = "stored", "stored with a warning", "refused"
SEARCHABLE = ("PatientID", "AccessionNumber", "StudyDate", "StudyInstanceUID")
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
_UID = re.compile(r"[0-9.]{1,64}")


class PacsError(MedFusionError):
    """An archive that cannot be reached, or does not do what was asked."""


@dataclass(frozen=True)
class Peer:
    """A DIMSE archive.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        1..65535.
    called_title, calling_title : str
        Application entity titles, of the archive and of this side; 1 to 16 characters.
    tls : bool
        Encrypt, checking the archive's certificate against the system's.
    timeout_s : float
        For every step of the network.
    """

    host: str
    port: int
    called_title: str = "ANY-SCP"
    calling_title: str = "MEDFUSION"
    tls: bool = False
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not self.host or not 1 <= self.port <= 65535:
            raise UsageError(f"The archive {self.host}:{self.port}", "a host and a port from 1 to 65535")
        for title in (self.called_title, self.calling_title):
            if not _TITLE.fullmatch(title) or not title.strip():
                raise UsageError(f"The application entity title {title!r}", "1 to 16 characters without a backslash")


@dataclass(frozen=True)
class WebPeer:
    """A DICOMweb archive.

    Parameters
    ----------
    url : str
        Base address; https, or http on this machine.
    headers : dict
        Sent with every request, for example an Authorization token.
    plain_http : bool
        Allow http to another machine, where anyone on the way can read what is sent.
    timeout_s : float
        For every request.
    """

    url: str
    headers: dict = field(default_factory=dict, repr=False)
    plain_http: bool = False
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError("The address of the DICOMweb archive", "https://host/path, without a user name in it")
        if parts.scheme == "http" and not self.plain_http and not _is_this_machine(parts.hostname):
            raise UsageError(
                f"http to {parts.hostname} would send patient data readable for anyone on the way", "https",
                "Use https, or allow plain http if the network is closed",
            )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `status` is stored, stored with a warning, or refused; `code` the archive's."""

    path: Path
    status: str
    code: int | None = None


@dataclass(frozen=True)
class FoundSeries:
    """One series that an archive holds; nothing of the patient."""

    study_uid: str
    series_uid: str
    modality: str
    instances: int | None


def dicom_files(paths: Sequence[str | Path]) -> list[Path]:
    """The DICOM files among paths and in folders.

    Raises
    ------
    UnreadableFile
        When there is none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found.extend(file for file in inside if is_dicom(file))
    if not found:
        raise UnreadableFile("Nothing to send", "DICOM files, or folders that hold them")
    return found


def checked_uid(uid: str) -> str:
    """A UID that may stand in a query.

    Raises
    ------
    UsageError
        For anything but digits and dots.
    """
    if not _UID.fullmatch(uid):
        raise UsageError("The UID asked for", "digits and dots, at most 64")
    return uid


def checked_keys(keys: dict[str, str]) -> dict[str, str]:
    """What to look for; an empty search would list every patient.

    Raises
    ------
    UsageError
        For unknown elements, or none.
    """
    unknown = [name for name in keys if name not in SEARCHABLE]
    if unknown or not any(keys.values()):
        raise UsageError(f"A search by {', '.join(unknown) or 'nothing'}", "at least one of " + ", ".join(SEARCHABLE))
    return keys


def missing_extra(library: str) -> NotSupported:
    """The error for a library that is not installed."""
    return NotSupported(f"Archives need the library {library}", "pip install medfusion[pacs]")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
