"""Find DICOM files and read their headers, distrusting every one of them."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.io.limits import MOST_FILES_PER_SERIES

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"
_PREAMBLE = 128


@dataclass(frozen=True, eq=False)
class Header:
    """One DICOM file without its pixels."""

    path: Path
    dataset: Dataset


@dataclass(frozen=True, eq=False)
class Series:
    """The image files that share a SeriesInstanceUID."""

    uid: str
    headers: tuple[Header, ...]

    @property
    def modality(self) -> str:
        """DICOM modality of the first file; OT when it states none, or something else than a code."""
        stated = str(self.headers[0].dataset.get("Modality", "") or "")
        return stated if re.fullmatch("[A-Z]{2,8}", stated) else "OT"

    def describe(self) -> str:
        """A few words without anything that could name the patient."""
        return f"{len(self.headers)} files of {self.modality}"


def find_series(path: Path) -> list[Series]:
    """The image series in a folder (with its subfolders), or in one file.

    Files that are not DICOM, and DICOM objects without an image matrix (structures, reports), are
    passed over.

    Raises
    ------
    UnreadableFile
        When a DICOM file is broken or cannot be opened (passing over it could shorten a series
        unnoticed), or there are more files than any series has.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if len(files) > MOST_FILES_PER_SERIES:
        raise UnreadableFile(f"{path.name} holds {len(files)} files", f"at most {MOST_FILES_PER_SERIES}")
    headers = [Header(file, read_dataset(file, pixels=False)) for file in files if is_dicom(file)]
    return _group(header for header in headers if _has_image(header.dataset))


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark behind its preamble.

    Raises
    ------
    UnreadableFile
        When the file cannot be opened.
    """
    try:
        with open(path, "rb") as stream:
            stream.seek(_PREAMBLE)
            return stream.read(4) == b"DICM"
    except OSError as error:
        raise UnreadableFile(
            f"{path.name} cannot be opened ({type(error).__name__})", "a file that may be read", "Check its permissions"
        ) from error


def read_dataset(path: Path, *, pixels: bool) -> Dataset:
    """One DICOM dataset, with or without pixels.

    Raises
    ------
    UnreadableFile
        Whatever the parser finds; its own message is left out, since it may quote the patient.
    NotSupported
        For the deflated transfer syntax, which can unpack to any size.
    """
    try:
        with without_quotes():
            return _parse(path, pixels=pixels)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable DICOM file ({type(error).__name__})",
            "a valid DICOM file",
            "Export it again",
        ) from error


@contextmanager
def without_quotes() -> Iterator[None]:
    """Silence pydicom, whose warnings quote header values and so may name the patient."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _parse(path: Path, *, pixels: bool) -> Dataset:
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(path)
    if str(meta.get("TransferSyntaxUID", "")) == DEFLATED:
        raise NotSupported(f"{path.name} is deflated", "another transfer syntax", "Export it without compression")
    dataset = pydicom.dcmread(path, stop_before_pixels=not pixels)
    for keyword in ("SeriesInstanceUID", "Modality", "Rows", "Columns", "ImageOrientationPatient"):
        dataset.get(keyword)  # values are parsed when touched: touch them inside the boundary
    _check_not_cut_off(path, dataset)
    return dataset


def _check_not_cut_off(path: Path, dataset: Dataset) -> None:
    """An image without its matrix would be passed over as no image, and a series be short of a slice."""
    import pydicom

    kind = pydicom.uid.UID(str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
    if kind.name.endswith("Image Storage") and not _has_image(dataset):
        raise UnreadableFile(
            f"{path.name} is an image without Rows and Columns, probably cut off", "a complete DICOM file",
            "Send it again",
        )  # fmt: skip


def _has_image(dataset: Dataset) -> bool:
    return "Rows" in dataset and "Columns" in dataset


def _group(headers: Iterable[Header]) -> list[Series]:
    found: dict[str, list[Header]] = {}
    for header in headers:
        found.setdefault(str(header.dataset.get("SeriesInstanceUID", "")), []).append(header)
    return [Series(uid, tuple(members)) for uid, members in found.items()]
