"""Identify data without naming the patient: hashes of UIDs and of file contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20


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
