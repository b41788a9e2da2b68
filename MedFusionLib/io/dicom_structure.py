"""Count what a DICOM file consists of before a parser makes objects of it.

An element may be as short as eight bytes, and becomes some fifty times as much in a parser: a file of 50 MB would take
minutes and gigabytes. Counting them needs no more than their headers (DICOM PS3.5, section 7).
"""

from __future__ import annotations

import mmap
from pathlib import Path

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io.limits import MOST_ELEMENTS

LEAST_BYTES = 8
"""Of an element, and of an item of a sequence."""
_ITEM_COUNTS_AS = 3
"""In the time and memory that a parser takes."""
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_BEGIN = 128 + 4
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
          b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}  # fmt: skip
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_MARKS = (b"\xfe\xff", b"\xff\xfe")
_META = b"\x02\x00"
_UNDEFINED = b"\xff\xff\xff\xff"


def check_structure(path: Path, syntax: str) -> None:
    """Refuse a file of more elements than any image has; a small one cannot have so many and is not looked at.

    Parameters
    ----------
    path : Path
        A DICOM file.
    syntax : str
        Its transfer syntax UID; not deflated.

    Raises
    ------
    UnreadableFile
        When there are more than `MOST_ELEMENTS`.
    """
    if _ITEM_COUNTS_AS * path.stat().st_size > LEAST_BYTES * MOST_ELEMENTS:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            check_elements(path.name, content, _BEGIN, "big" if syntax == BIG_ENDIAN else "little")


def check_elements(label: str, content, place: int = 0, order: str = "little") -> None:
    """As `check_structure`, for bytes; `label` names the file, the others are as for `count_elements`."""
    if count_elements(content, place, order) > MOST_ELEMENTS:
        raise UnreadableFile(
            f"{label} consists of more than {MOST_ELEMENTS} elements", "an image with fewer",
            "Export it as single frames",
        )  # fmt: skip


def count_elements(content, place: int = 0, order: str = "little") -> int:
    """Number of elements, nested ones and marks of sequences included, where an item counts as three.

    Parameters
    ----------
    content : bytes or mmap
        Elements as DICOM stores them, explicit or implicit.
    place : int
        Where the first one begins.
    order : {"little", "big"}
        Of the bytes; those of the file meta information are always little-endian.

    Returns
    -------
    int
        Beyond `MOST_ELEMENTS` it is not counted on.
    """
    count, is_meta = 0, True
    while place <= len(content) - LEAST_BYTES and count <= MOST_ELEMENTS:
        head = content[place : place + 12]
        count += _ITEM_COUNTS_AS if head[:4] in _ITEMS else 1
        is_meta = is_meta and head[:2] == _META
        place += _step(content, place, head, "little" if is_meta else order)
    return count


def _step(content, place: int, head: bytes, order: str) -> int:
    """Bytes to the next element: what a sequence or an item holds is stepped into, other values are stepped over."""
    if head[:2] in _MARKS:
        return LEAST_BYTES
    kind = head[4:6]
    if kind in _LONG:
        size, length = 12, head[8:12]
    elif kind in _SHORT:
        size, length = 8, head[6:8]
    else:
        size, length = 8, head[4:8]
    if length == _UNDEFINED and kind in (b"OB", b"OW"):
        return _after_fragments(content, place + size, order) - place
    if length == _UNDEFINED or kind == b"SQ" or content[place + size : place + size + 4] in _ITEMS:
        return size
    return size + int.from_bytes(length, order)


def _after_fragments(content, place: int, order: str) -> int:
    """The end of pixels in pieces: items with a length each, up to one mark without content."""
    while content[place : place + 4] in _ITEMS:
        place += LEAST_BYTES + int.from_bytes(content[place + 4 : place + 8], order)
    return place
