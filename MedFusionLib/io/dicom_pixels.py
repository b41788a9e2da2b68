"""Stored pixels of frames as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io.dicom_codec import BY_GDCM, CODEC_HINT, decoded
from MedFusionLib.io.dicom_files import Header, read_dataset, without_quotes
from MedFusionLib.io.dicom_frames import Frame, number_of_frames
from MedFusionLib.io.limits import check_size
from MedFusionLib.units import AIR_HU

NATIVE = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}
"""Transfer syntaxes without compression, with their byte order; the element's header tells whether it names its VR."""
_WHOLE, _FLOAT, _DOUBLE = (0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)
"""Tags of PixelData, and of the FloatPixelData and DoubleFloatPixelData of parametric maps."""
_BITS = {_WHOLE: (8, 16, 32), _FLOAT: (32,), _DOUBLE: (64,)}
_MOST_TRAILING_BYTES = 1024


def read_values(label: str, frames: Sequence[Frame], *, is_ct: bool) -> tuple[np.ndarray, list[str], int, bool]:
    """Rescaled pixels of frames in their order.

    Parameters
    ----------
    label : str
        The series, for errors.
    frames : sequence of Frame
        Of one matrix.
    is_ct : bool
        Whether pixels marked as padding become air.

    Returns
    -------
    array : (K, J, I) float32
    digests : list of str
        SHA-256 of every file.
    padded : int
        Number of padding voxels.
    is_inverted : bool
        Whether the pixels are stored as MONOCHROME1, small is bright.

    Raises
    ------
    UnreadableFile
        When the pixels of a file are incomplete or cannot be decoded.
    """
    shape = (len(frames), *frames[0].matrix)
    check_size(label, shape)
    array, digests, padded, inverted = np.empty(shape, np.float32), [], 0, False
    places: dict[int, list[int]] = {}
    for place, frame in enumerate(frames):
        places.setdefault(id(frame.header), []).append(place)
    headers = [frames[members[0]].header for members in places.values()]
    for header, (stored, digest) in zip(headers, _stored(headers)):
        digests.append(digest)
        padding = _padding(header.dataset) if is_ct else None
        for place in places[id(header)]:
            frame, image = frames[place], array[place]
            pixels = stored[frame.number]
            image[...] = pixels
            if frame.slope != 1:
                image *= np.float32(frame.slope)
            if frame.intercept:
                image += np.float32(frame.intercept)
            if padding is not None:
                outside = (pixels >= padding[0]) & (pixels <= padding[1])
                image[outside] = AIR_HU
                padded += int(outside.sum())
        inverted |= str(header.dataset.get("PhotometricInterpretation", "") or "").upper() == "MONOCHROME1"
    return array, digests, padded, inverted


def _stored(headers: Iterable[Header]) -> Iterator[tuple[np.ndarray, str]]:
    """Stored pixels (frames, J, I) and the file's digest, for every file; the next file may take their place."""
    headers = list(headers)
    compressed = [header for header in headers if header.syntax not in NATIVE and header.pixels_at is not None]
    for header in compressed:
        _check_codec(header)
    by_gdcm = any(header.syntax in BY_GDCM for header in compressed)
    others = decoded([header.path for header in compressed], [_count(h) for h in compressed], by_gdcm=by_gdcm)
    room = _room_for(headers)
    with closing(others):
        for header in headers:
            yield _of_file(header, others if header in compressed else None, room)


def _of_file(header: Header, others: Iterator[np.ndarray] | None, room: memoryview) -> tuple[np.ndarray, str]:
    """Stored pixels and digest of one file; `others` gives the pixels of compressed ones."""
    try:
        with without_quotes():
            content = _content(header.path, room)
            if others is not None:
                pixels = _shaped(header, next(others))
            elif header.pixels_at is None:
                pixels = _shaped(header, read_dataset(header.path).pixel_array)
            else:
                pixels = _native(header, content)
            return pixels, sha256(content).hexdigest()
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"The pixels of {header.path.name} cannot be decoded ({type(error).__name__})", "complete pixel data",
            CODEC_HINT,
        ) from error  # fmt: skip


def _room_for(headers: Iterable[Header]) -> memoryview:
    """Memory for the largest file; it serves one after the other, since fresh pages for each would take time."""
    most = 0
    for header in headers:
        with suppress(OSError):  # it is told when the file is opened
            most = max(most, header.path.stat().st_size)
    return memoryview(np.empty(most, np.uint8))


def _content(path: Path, room: memoryview) -> memoryview:
    """Bytes of a file, in the room."""
    filled = 0
    with open(path, "rb", buffering=0) as stream:
        while filled < len(room) and (count := stream.readinto(room[filled:])):
            filled += count
    return room[:filled]


def _check_codec(header: Header) -> None:
    """Refuse what no decoder on this machine can read, before a process is started for it."""
    from pydicom.pixels import get_decoder

    try:
        if header.syntax in BY_GDCM or get_decoder(header.syntax).is_available:
            return
    except NotImplementedError:
        pass
    raise UnreadableFile(
        f"The pixels of {header.path.name} cannot be decoded (no codec for their transfer syntax)",
        "a transfer syntax without compression, RLE, JPEG (lossless, too), JPEG-LS or JPEG 2000", CODEC_HINT,
    )  # fmt: skip


def _native(header: Header, content: memoryview) -> np.ndarray:
    """Pixels of a file without compression, straight from its bytes."""
    dataset, order = header.dataset, NATIVE[header.syntax]
    tag, start, length = _element(header, content, order)
    bits = int(dataset.BitsAllocated)
    if bits not in _BITS[tag]:
        raise UnreadableFile(f"{header.path.name} allocates {bits} bits per pixel", " or ".join(map(str, _BITS[tag])))
    count = _count(header)
    expected = count * bits // 8
    if not expected <= length <= expected + _MOST_TRAILING_BYTES or start + expected > len(content):
        raise UnreadableFile(
            f"{header.path.name} holds {min(length, len(content) - start)} bytes of pixels",
            f"{expected}",
            "Send it again",
        )
    letter = "f" if tag != _WHOLE else "i" if int(dataset.PixelRepresentation) else "u"
    pixels = np.frombuffer(content, f"{order}{letter}{bits // 8}", count, start)
    return _shaped(header, _without_overlays(dataset, pixels) if tag == _WHOLE else pixels)


def _element(header: Header, content: memoryview, order: str) -> tuple[tuple[int, int], int, int]:
    """Tag of the pixels, where they begin, and how many bytes they say they are."""
    at, by = header.pixels_at, "little" if order == "<" else "big"
    tag = tuple(int.from_bytes(content[at + n : at + n + 2], by) for n in (0, 2))
    if tag not in _BITS:
        raise UnreadableFile(f"{header.path.name} holds no pixel data", "an image with its pixels", "Send it again")
    if header.syntax == "1.2.840.10008.1.2":
        return tag, at + 8, int.from_bytes(content[at + 4 : at + 8], by)
    return tag, at + 12, int.from_bytes(content[at + 8 : at + 12], by)


def _without_overlays(dataset, pixels: np.ndarray) -> np.ndarray:
    """Old scanners keep drawings in the bits above BitsStored: cut them off, and extend the sign."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored", dataset.BitsAllocated))
    if not 1 <= stored <= allocated or int(dataset.get("HighBit", stored - 1)) != stored - 1:
        raise UnreadableFile(f"An image stores {stored} of {allocated} bits", "BitsStored within BitsAllocated")
    if stored == allocated or not pixels.size:
        return pixels
    signed = pixels.dtype.kind == "i"
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    if low <= pixels.min() and pixels.max() <= high:
        return pixels
    spare = allocated - stored
    return (pixels.astype(pixels.dtype.newbyteorder("=")) << spare) >> spare


def _count(header: Header) -> int:
    """Number of pixels in all frames of a file, within the cap."""
    rows, columns, frames = int(header.dataset.Rows), int(header.dataset.Columns), number_of_frames(header.dataset)
    check_size(header.path.name, (frames, rows, columns))
    return frames * rows * columns


def _shaped(header: Header, pixels: np.ndarray) -> np.ndarray:
    """(frames, rows, columns), or a refusal."""
    dataset = header.dataset
    wanted = (number_of_frames(dataset), int(dataset.Rows), int(dataset.Columns))
    if pixels.size != np.prod(wanted, dtype=np.int64):
        raise UnreadableFile(f"{header.path.name} has pixels of shape {pixels.shape}", f"{wanted}")
    return pixels.reshape(wanted)


def _padding(dataset) -> tuple[int, int] | None:
    value, limit = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    ends = int(value), int(value if limit is None else limit)
    return min(ends), max(ends)
