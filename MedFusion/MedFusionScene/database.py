"""What Slicer's DICOM database knows of a volume node that was loaded from it."""

from __future__ import annotations

from pathlib import Path

import slicer

from MedFusionLib.io.identity import hashed_uid

INSTANCES = "DICOM.instanceUIDs"
"""Attribute in which Slicer keeps the instances that a node was loaded from."""
_FRAME_OF_REFERENCE = "0020,0052"


def files_of(node) -> list[Path]:
    """The files that a volume node was loaded from; empty where the database does not know every one of them."""
    files = [_file_of(instance) for instance in _instances(node)]
    return [Path(file) for file in files] if all(files) else []


def knows(node) -> bool:
    """Whether the database knows the first file of a volume node: quick enough to be asked at every change."""
    return bool(_first_file(node))


def frame_of_reference_of(node) -> str:
    """The hashed frame of reference of a volume node's series; empty where the database does not know it."""
    file = _first_file(node)
    return hashed_uid(slicer.dicomDatabase.fileValue(file, _FRAME_OF_REFERENCE)) if file else ""


def _instances(node) -> list[str]:
    return list(dict.fromkeys((node.GetAttribute(INSTANCES) or "").split()))


def _first_file(node) -> str:
    return next(map(_file_of, _instances(node)), "")


def _file_of(instance: str) -> str:
    database = getattr(slicer, "dicomDatabase", None)  # not without the application
    return database.fileForInstance(instance) if database is not None and database.isOpen else ""
