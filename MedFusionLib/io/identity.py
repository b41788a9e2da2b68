"""Identify data without naming the patient: hashes of UIDs and of file contents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from MedFusionLib.errors import printable

if TYPE_CHECKING:
    from pydicom import Dataset

_BLOCK = 1 << 20
_MOST_DESCRIBED = 64
_WHO = ("PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "OtherPatientNames")


def hashed_uid(uid: str | None) -> str:
    """Sixteen hexadecimal digits that stand for a DICOM UID; empty for none."""
    if not uid:
        return ""
    return hashlib.sha256(b"medfusion" + str(uid).encode("ascii", "replace")).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_of_all(digests: Iterable[str]) -> str:
    """One SHA-256 for a set of files, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode("ascii")).hexdigest()


def description_of(dataset: Dataset) -> str:
    """SeriesDescription for a person who chooses a series; withheld where it repeats who the patient is.

    Words of the name, the identifier and the birth date are looked for. Free text is for the screen only: nothing
    stores it.
    """
    text = printable(str(dataset.get("SeriesDescription", "") or "")).strip()[:_MOST_DESCRIBED]
    known = set(re.findall(r"\w{3,}", _who(dataset)))
    return "(withheld: it repeats who the patient is)" if any(word in text.lower() for word in known) else text


def name_without_patient(dataset: Dataset, text: str, otherwise: str) -> str:
    """The name of a region or segment, unless a word of it is one of the patient's name, identifier or birth date.

    Unlike a description it is stored with results, so another name takes its place.
    """
    known, words = (set(re.findall(r"[^\W_]{3,}", one.lower())) for one in (_who(dataset), text))
    return otherwise if not text or known & words else text


def _who(dataset: Dataset) -> str:
    return " ".join(str(dataset.get(keyword) or "") for keyword in _WHO).lower()
