"""STOW-RS, QIDO-RS and WADO-RS with dicomweb-client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from MedFusionLib.errors import Cancelled, MedFusionError
from MedFusionLib.io.dicom_export.files import check_folder, write_instances
from MedFusionLib.io.dicom_export.quiet import quiet
from MedFusionLib.io.dicom_files import read_dataset
from MedFusionLib.io.limits import MOST_FILES
from MedFusionLib.io.pacs.peer import (
    REFUSED,
    STORED,
    FoundSeries,
    Outcome,
    PacsError,
    WebPeer,
    checked_keys,
    checked_uid,
    dicom_files,
    missing_extra,
)

_STUDY_UID, _SERIES_UID, _INSTANCE_UID = "0020000D", "0020000E", "00080018"
_MODALITY, _COUNT = "00080060", "00201209"


def stow(
    paths: Sequence[str | Path],
    peer: WebPeer,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Send files by STOW-RS, one request each; arguments and errors as for `dimse.send`."""
    files, outcomes = dicom_files(paths), []
    with _client(peer) as client:
        for number, file in enumerate(files, start=1):
            if cancelled():
                raise Cancelled("Sending was stopped", hint=f"{number - 1} of {len(files)} files were sent")
            answer = client.store_instances([read_dataset(file)])
            stored = bool(answer.get("ReferencedSOPSequence")) and not answer.get("FailedSOPSequence")
            outcomes.append(Outcome(file, STORED if stored else REFUSED))
            progress(number, len(files))
    return outcomes


def search_studies(peer: WebPeer, **keys: str) -> list[str]:
    """StudyInstanceUIDs of the studies that match, by QIDO-RS.

    Raises
    ------
    UsageError
        Without a key of `SEARCHABLE`.
    PacsError
        When the archive does not answer.
    """
    with _client(peer) as client:
        found = client.search_for_studies(search_filters=checked_keys(keys))
    return [uid for uid in (_value(entry, _STUDY_UID) for entry in found) if uid]


def search_series(peer: WebPeer, study_uid: str) -> list[FoundSeries]:
    """The series of a study, by QIDO-RS; errors as for `search_studies`."""
    with _client(peer) as client:
        found = client.search_for_series(checked_uid(study_uid))
    return [
        FoundSeries(study_uid, _value(entry, _SERIES_UID), _value(entry, _MODALITY), _number(_value(entry, _COUNT)))
        for entry in found
        if _value(entry, _SERIES_UID)
    ]


def retrieve_series(
    peer: WebPeer,
    study_uid: str,
    series_uid: str,
    folder: str | Path,
    *,
    overwrite: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Fetch a series by WADO-RS into a folder, one instance at a time.

    Files are numbered: nothing that the archive says becomes part of a path.

    Raises
    ------
    UsageError
        When the folder must not be replaced.
    PacsError
        When the archive does not answer, or holds no such series.
    Cancelled, ResourcesExhausted
        Nothing is left behind.
    """
    study_uid, series_uid = checked_uid(study_uid), checked_uid(series_uid)
    check_folder(Path(folder), overwrite=overwrite)
    with _client(peer) as client:
        found = [_value(entry, _INSTANCE_UID) for entry in client.search_for_instances(study_uid, series_uid)]
        uids = [checked_uid(uid) for uid in found if uid]
        if not uids or len(uids) > MOST_FILES:
            raise PacsError(f"The archive lists {len(uids)} instances", f"1 to {MOST_FILES}")
        instances = (
            (f"{number:05d}.dcm", _without_preamble(client.retrieve_instance(study_uid, series_uid, uid)))
            for number, uid in enumerate(uids, start=1)
        )
        written = write_instances(instances, Path(folder), cancelled)
    return [path for path, _ in written]


def _without_preamble(dataset):
    dataset.preamble = b"\0" * 128
    return dataset


def _value(entry: dict, tag: str) -> str:
    """First value of an element in DICOM JSON, or nothing."""
    values = (entry.get(tag) or {}).get("Value") or [""]
    return str(values[0])


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


@contextmanager
def _client(peer: WebPeer) -> Iterator:
    """A client whose errors are typed and quote nothing."""
    try:
        from dicomweb_client.api import DICOMwebClient
    except ImportError as error:
        raise missing_extra("dicomweb-client") from error
    with quiet():
        try:
            yield DICOMwebClient(peer.url, headers=dict(peer.headers) or None, timeout=peer.timeout_s)
        except (MedFusionError, MemoryError):
            raise
        except Exception as error:
            code = getattr(getattr(error, "response", None), "status_code", None)
            raise PacsError(
                f"The DICOMweb archive failed ({f'HTTP {code}' if code else type(error).__name__})",
                "an archive that answers", "Check the address and the access rights",
            ) from error  # fmt: skip
