"""Pixels of many frames as a stream that the DICOM writer reads frame by frame."""

from __future__ import annotations

import io
import os
from collections.abc import Callable


class FrameStream(io.BufferedIOBase):
    """A read-only stream over frames that are encoded when they are reached.

    One frame is held at a time, so that a volume is never copied whole to be written.

    Parameters
    ----------
    frame : callable
        ``frame(number)`` gives the bytes of one frame.
    frame_bytes : int
        Length of every frame.
    count : int
        Number of frames; a byte of padding follows where the total is odd.
    """

    def __init__(self, frame: Callable[[int], bytes], frame_bytes: int, count: int) -> None:
        self._frame, self._frame_bytes, self._count = frame, frame_bytes, count
        self._size = frame_bytes * count + frame_bytes * count % 2
        self._position = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in bytes."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = min(max(start + offset, 0), self._size)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes from the position on; all that is left for None or a negative size."""
        left = self._size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        parts = []
        while wanted:
            part = self._from_frame(wanted)
            parts.append(part)
            wanted -= len(part)
            self._position += len(part)
        return b"".join(parts)

    def _from_frame(self, wanted: int) -> bytes:
        number, offset = divmod(self._position, self._frame_bytes)
        if number == self._count:
            return b"\0"
        if self._held[0] != number:
            self._held = number, self._frame(number)
        return self._held[1][offset : offset + wanted]
