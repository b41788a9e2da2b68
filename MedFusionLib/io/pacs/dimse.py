"""C-ECHO, C-STORE and C-FIND with pynetdicom."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from MedFusionLib.errors import Cancelled, UnreadableFile
from MedFusionLib.io.dicom_export.quiet import quiet
from MedFusionLib.io.pacs.peer import (
    REFUSED,
    STORED,
    WARNED,
    FoundSeries,
    Outcome,
    PacsError,
    Peer,
    checked_keys,
    checked_uid,
    dicom_files,
    missing_extra,
)

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
VERIFICATION = "1.2.840.10008.1.1"
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_PENDING = (0xFF00, 0xFF01)
_MOST_ANSWERS = 1000


def echo(peer: Peer) -> None:
    """Ask an archive whether it is there.

    Raises
    ------
    PacsError
        When it is not, or does not know this side.
    """
    with _association(peer, [(VERIFICATION, _UNCOMPRESSED)]) as association:
        answer = association.send_c_echo()
        if answer.get("Status") != 0:
            raise PacsError("The archive does not answer an echo", "status 0")


def send(
    paths: Sequence[str | Path],
    peer: Peer,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Send files by C-STORE, one after the other.

    Parameters
    ----------
    paths : sequence of path
        DICOM files, or folders that hold them.
    peer : Peer
        The archive.
    progress, cancelled : callable
        ``progress(done, total)`` after each file; asked before each file.

    Returns
    -------
    list of Outcome
        One per file. A refused file does not stop the others.

    Raises
    ------
    PacsError
        When the archive cannot be reached or breaks off.
    Cancelled
        Between two files; what was sent stays sent.
    """
    files = dicom_files(paths)
    outcomes = []
    with _association(peer, _contexts([_kind_of(file) for file in files])) as association:
        for number, file in enumerate(files, start=1):
            if cancelled():
                raise Cancelled("Sending was stopped", hint=f"{number - 1} of {len(files)} files were sent")
            outcomes.append(_store(association, file))
            progress(number, len(files))
    return outcomes


def find_studies(peer: Peer, **keys: str) -> list[str]:
    """StudyInstanceUIDs of the studies that match, by C-FIND.

    Raises
    ------
    UsageError
        Without a key of `SEARCHABLE`.
    PacsError
        When the archive does not answer.
    """
    answers = _find(peer, "STUDY", {"StudyInstanceUID": "", **checked_keys(keys)})
    return [str(answer.StudyInstanceUID) for answer in answers if answer.get("StudyInstanceUID")]


def find_series(peer: Peer, study_uid: str) -> list[FoundSeries]:
    """The series of a study, by C-FIND; errors as for `find_studies`."""
    wanted = {"StudyInstanceUID": checked_uid(study_uid), "SeriesInstanceUID": "", "Modality": "",
              "NumberOfSeriesRelatedInstances": ""}  # fmt: skip
    return [
        FoundSeries(study_uid, str(answer.SeriesInstanceUID), str(answer.get("Modality") or ""), _count(answer))
        for answer in _find(peer, "SERIES", wanted)
        if answer.get("SeriesInstanceUID")
    ]


def _find(peer: Peer, level: str, keys: dict[str, str]) -> list:
    from pydicom import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    found = []
    with _association(peer, [(STUDY_ROOT_FIND, _UNCOMPRESSED)]) as association:
        for status, answer in association.send_c_find(query, STUDY_ROOT_FIND):
            code = status.get("Status")
            if code in _PENDING and answer is not None:
                found.append(answer)
            elif code != 0:
                raise PacsError(
                    "The archive broke off the query" if code is None else f"The query failed ({code:#06x})"
                )
            if len(found) > _MOST_ANSWERS:
                raise PacsError(f"More than {_MOST_ANSWERS} answers", "a narrower search")
    return found


def _store(association, file: Path) -> Outcome:
    try:
        status = association.send_c_store(file)
    except ValueError:  # the archive does not take this class, or this transfer syntax
        return Outcome(file, REFUSED)
    if "Status" not in status:
        raise PacsError(
            f"The archive broke off at {file.name}", "an answer", "Send again: what was stored stays stored"
        )
    code = int(status.Status)
    warned = code == 0x0001 or 0xB000 <= code <= 0xBFFF
    return Outcome(file, STORED if code == 0 else WARNED if warned else REFUSED, code)


def _kind_of(file: Path) -> tuple[str, str]:
    """SOP class and transfer syntax."""
    import pydicom

    try:
        meta = pydicom.filereader.read_file_meta_info(file)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except Exception as error:
        raise UnreadableFile(
            f"{file.name} is not a readable DICOM file ({type(error).__name__})", "a valid DICOM file"
        ) from error


def _contexts(kinds: list[tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """One proposal per class and compression; uncompressed files may be sent in any uncompressed syntax."""
    return sorted({(kind, _UNCOMPRESSED if syntax in _UNCOMPRESSED else (syntax,)) for kind, syntax in kinds})


def _count(answer) -> int | None:
    text = str(answer.get("NumberOfSeriesRelatedInstances") or "")
    return int(text) if text.isdigit() else None


@contextmanager
def _association(peer: Peer, contexts: Sequence[tuple[str, Sequence[str]]]) -> Iterator:
    """An association that is released at the end, whatever happens."""
    try:
        from pynetdicom import AE, build_context
    except ImportError as error:
        raise missing_extra("pynetdicom") from error
    with quiet():
        entity = AE(ae_title=peer.calling_title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = peer.timeout_s
        entity.connection_timeout = peer.timeout_s
        asked = [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in contexts]
        secured = (ssl.create_default_context(), peer.host) if peer.tls else None
        association = entity.associate(peer.host, peer.port, asked, peer.called_title, tls_args=secured)
        if not association.is_established:
            why = (
                "refuses this side"
                if association.is_rejected
                else "cannot be reached, or offers nothing that was asked"
            )
            raise PacsError(
                f"The archive {peer.called_title} at {peer.host}:{peer.port} {why}", "an archive that knows this side",
                f"Check address and titles (this side calls itself {peer.calling_title})",
            )  # fmt: skip
        try:
            yield association
        finally:
            association.release()
