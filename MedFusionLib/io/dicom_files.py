"""Find DICOM files and read their headers, distrusting every one of them."""

from __future__ import annotations

import logging
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.io.dicom_structure import check_elements, check_structure
from MedFusionLib.io.limits import MOST_FILES, MOST_INFLATED_BYTES, MOST_RATIO

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_TOUCHED = ("SeriesInstanceUID", "Modality", "Rows", "Columns", "FrameOfReferenceUID", "SegmentSequence")
_PREAMBLE = 128
_TIFF = (b"II*\0", b"MM\0*")
HARMLESS_BYTES = 16 << 20
"""A deflated file that unpacks to no more than this may do so from any size."""
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Header:
    """One DICOM file without its pixels.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset
        Its elements before the pixels.
    pixels_at : int or None
        Where the pixel data element begins in the file; None when it is not to be had without parsing the file again.
    kind, syntax : str
        SOP class UID and transfer syntax UID; empty when there is none.
    is_polyglot : bool
        Whether the preamble holds something else than zeros or a TIFF header, so that other programs may take the file
        for one of theirs.
    """

    path: Path
    dataset: Dataset
    pixels_at: int | None = None
    kind: str = ""
    syntax: str = ""
    is_polyglot: bool = False


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


def find_series(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Series]:
    """The image series in a folder (with its subfolders), or in one file.

    A DICOMDIR stands for the folder it lies in: the files are looked at themselves, and what the directory claims is
    never followed. Files that are not DICOM, and DICOM objects without an image matrix (structures, reports), are
    passed over.

    Parameters
    ----------
    path : Path
        A folder, a file or a DICOMDIR.
    progress : callable
        Called with the number of files looked at and their total.

    Raises
    ------
    UnreadableFile
        When a DICOM file is broken or cannot be opened (passing over it could shorten a series
        unnoticed), or there are more files than any study has.
    """
    return group(header for header in read_headers(path, progress) if has_image(header.dataset))


def read_headers(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Header]:
    """Headers of all DICOM files in a folder, images or not; arguments and errors as for `find_series`."""
    files = list_files(path)
    headers = []
    for number, file in enumerate(files, start=1):
        if is_dicom(file):
            headers.append(read_header(file))
        progress(number, len(files))
    return headers


def list_files(path: Path) -> list[Path]:
    """All files of a folder and its subfolders, or the one file.

    Raises
    ------
    UnreadableFile
        When there are too many.
    """
    path = path.parent if path.name.upper() == "DICOMDIR" else path
    files: list[Path] = [path] if path.is_file() else []
    for found in () if files else path.rglob("*"):
        if found.is_file():
            files.append(found)
        if len(files) > MOST_FILES:
            raise UnreadableFile(f"{path.name} holds more than {MOST_FILES} files", f"at most {MOST_FILES}")
    return sorted(files)


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark behind its preamble, and is no DICOMDIR.

    Raises
    ------
    UnreadableFile
        When the file cannot be opened.
    """
    return path.name.upper() != "DICOMDIR" and _start_of(path)[_PREAMBLE:] == b"DICM"


def read_header(path: Path) -> Header:
    """One DICOM file up to its pixels.

    Raises
    ------
    UnreadableFile
        Whatever the parser finds; its own message is left out, since it may quote the patient.
    NotSupported
        For a deflated file that unpacks to more than any image needs.
    """
    with _boundary(path):
        start = _start_of(path)[:_PREAMBLE]
        with open(path, "rb") as stream:
            dataset = _parse(path, stream, pixels=False)
            position = stream.tell()
        _check_not_cut_off(path, dataset)
        kind = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        is_polyglot = bool(start.strip(b"\0")) and not start.startswith(_TIFF)
        return Header(path, dataset, None if syntax == DEFLATED else position, kind, syntax, is_polyglot)


def read_dataset(path: Path) -> Dataset:
    """One DICOM dataset with its pixels; errors as for `read_header`."""
    with _boundary(path), open(path, "rb") as stream:
        return _parse(path, stream, pixels=True)


def has_image(dataset: Dataset) -> bool:
    """Whether a header describes an image matrix."""
    return "Rows" in dataset and "Columns" in dataset


def group(headers: Iterable[Header]) -> list[Series]:
    """Headers by their SeriesInstanceUID."""
    found: dict[str, list[Header]] = {}
    for header in headers:
        found.setdefault(str(header.dataset.get("SeriesInstanceUID", "")), []).append(header)
    return [Series(uid, tuple(members)) for uid, members in found.items()]


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


@contextmanager
def _boundary(path: Path) -> Iterator[None]:
    """Whatever the parser raises becomes one typed error that names the file."""
    try:
        with without_quotes():
            yield
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable DICOM file ({type(error).__name__})",
            "a valid DICOM file",
            "Export it again",
        ) from error


def _start_of(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_PREAMBLE + 4)
    except OSError as error:
        raise UnreadableFile(
            f"{path.name} cannot be opened ({type(error).__name__})", "a file that may be read", "Check its permissions"
        ) from error


def _parse(path: Path, stream: BinaryIO, *, pixels: bool) -> Dataset:
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(path)
    syntax = str(meta.get("TransferSyntaxUID", ""))
    if syntax == DEFLATED:
        _probe_deflated(path, stream)
    else:
        check_structure(path, syntax)
    stream.seek(0)
    dataset = pydicom.dcmread(stream, stop_before_pixels=not pixels)
    for keyword in _TOUCHED:
        dataset.get(keyword)  # values are parsed when touched: touch them inside the boundary
    return dataset


def _probe_deflated(path: Path, stream: BinaryIO) -> None:
    """Unpack up to the limit, and count the elements, before the parser does both without one."""
    import pydicom

    stream.seek(0)
    preamble = pydicom.filereader.read_preamble(stream, force=False)
    assert preamble is not None
    pydicom.filereader._read_file_meta_info(stream)
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    packed = path.stat().st_size
    most = min(MOST_INFLATED_BYTES, max(HARMLESS_BYTES, MOST_RATIO * packed))
    while block := (inflater.unconsumed_tail or stream.read(_BLOCK)):
        inflated += inflater.decompress(block, _BLOCK)
        if len(inflated) > most:
            raise NotSupported(
                f"{path.name} is deflated and unpacks to more than {len(inflated) / max(packed, 1):.0f} times its size",
                f"at most {MOST_RATIO} times and {MOST_INFLATED_BYTES >> 20} MB", "Export it without compression",
            )  # fmt: skip
        if inflater.eof:
            break
    check_elements(path.name, bytes(inflated))


def _check_not_cut_off(path: Path, dataset: Dataset) -> None:
    """An image without its matrix would be passed over as no image, and a series be short of a slice."""
    import pydicom

    if has_image(dataset):
        return
    kind = pydicom.uid.UID(str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
    if kind.name.endswith("Image Storage"):
        raise UnreadableFile(
            f"{path.name} is an image without Rows and Columns, probably cut off", "a complete DICOM file",
            "Send it again",
        )  # fmt: skip
