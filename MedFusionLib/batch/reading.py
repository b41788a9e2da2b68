"""Read the sources of a case, and tell their bytes apart by hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from MedFusionLib.batch.plan import PlannedCase, Source, Wishes
from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io import read_volume
from MedFusionLib.io.dicom import one_series, read_series_audited
from MedFusionLib.io.dicom_files import find_series
from MedFusionLib.io.identity import digest_of_all, file_digest, hashed_uid
from MedFusionLib.io.meaning import stem_of
from MedFusionLib.io.suv_audit import SuvAudit
from MedFusionLib.methods.base import weights_of
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.provenance import recorded_versions
from MedFusionLib.volume import Volume


def read_source(source: Source) -> tuple[Volume, SuvAudit | None]:
    """The volume of a source, and the account of its SUV where it was made from DICOM.

    Raises
    ------
    MedFusionError
        As `read_volume` does; UnreadableFile when the series is no longer there.
    """
    path = Path(source.path)
    if source.series is None and not path.is_dir():
        return read_volume(path, source.modality, source.unit, part=source.part), None
    series = one_series(path) if source.series is None else _series(source)
    return read_series_audited(series, source.modality, source.unit, part=source.part)


def fingerprint(case: PlannedCase, wishes: Wishes) -> str:
    """SHA-256 of everything that the results of a case depend on: input bytes, wishes, versions, weights.

    Raises
    ------
    UnreadableFile
        When an input is not there.
    UsageError
        For a method that is not in the catalogue, or parameters that it does not take.
    """
    files = [source.path for source in case.sources]
    named = [path for path in (case.tumour, case.roi, *case.transforms) if path and Path(path).is_file()]
    facts = {
        "inputs": [_digest(source) for source in case.sources],
        "named": [file_digest(Path(path)) for path in named],
        "sources": [{**asdict(source), "path": "", "voxels": 0} for source in case.sources],
        "case": [case.seed, None if case.tumour in files else case.tumour if case.tumour not in named else "file"],
        "wishes": asdict(wishes),
        "versions": recorded_versions(),
        "weights": _weights(wishes),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _weights(wishes: Wishes) -> dict[str, str]:
    used = {name: weights_of(create_method(name, wishes.parameters)) for name in wishes.methods}
    return {name: digest for name, digest in used.items() if digest}


def _digest(source: Source) -> str:
    path = Path(source.path)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path.name}", "the sources of the plan")
    if source.series is not None:
        return digest_of_all(file_digest(header.path) for header in _series(source).headers)
    if path.is_dir():
        return digest_of_all(file_digest(file) for file in sorted(path.rglob("*")) if file.is_file())
    beside = path.with_name(stem_of(path) + ".json")
    return digest_of_all(file_digest(file) for file in (path, beside) if file.is_file())


def _series(source: Source):
    for series in find_series(Path(source.path)):
        if hashed_uid(series.uid) == source.series:
            return series
    raise UnreadableFile("A series of the plan is no longer there", "the same files as when the plan was made")
