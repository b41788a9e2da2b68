"""Decompress DICOM pixels in a process of their own, with limits on time and memory.

JPEG codecs are old C code that meets data from anywhere. A crash, a hang or a hunger for memory in there ends the
helper, not the program: `decoded` starts ``python -m MedFusionLib.io.dicom_codec``, sends paths, and gets back pixels.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from MedFusionLib.errors import UnreadableFile

CODEC_HINT = "Send the image again, or install the codec: pip install pylibjpeg-libjpeg pylibjpeg-openjpeg"
SECONDS_PER_FILE = 30.0
SPARE_BYTES = 320 << 20
"""Beyond what the interpreter with its libraries takes, and beyond the pixels themselves."""
_KINDS = {"u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "<f8"}


def decoded(paths: Sequence[Path], counts: Sequence[int]) -> Generator[np.ndarray]:
    """Pixels of compressed files, one flat array per file.

    Parameters
    ----------
    paths : sequence of Path
        DICOM files.
    counts : sequence of int
        Number of pixels that each must have.

    Raises
    ------
    UnreadableFile
        When a file cannot be decoded, or not within the limits.
    """
    if not paths:
        return
    most = 16 * max(counts) + SPARE_BYTES
    command = [sys.executable, "-m", "MedFusionLib.io.dicom_codec", str(most)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_library_root(),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as helper:
        try:
            for path, count in zip(paths, counts):
                yield _ask(helper, path, count)
        finally:
            helper.kill()


def _ask(helper: subprocess.Popen, path: Path, count: int) -> np.ndarray:
    late = threading.Event()
    watch = threading.Timer(SECONDS_PER_FILE, lambda: (late.set(), helper.kill()))
    watch.start()
    try:
        helper.stdin.write(json.dumps(str(path.resolve())).encode() + b"\n")
        helper.stdin.flush()
        answer = json.loads(helper.stdout.readline(1 << 12) or b"{}")
        if answer.get("kind") in _KINDS and answer.get("count") == count:
            pixels = np.frombuffer(helper.stdout.read(count * np.dtype(answer["kind"]).itemsize), answer["kind"])
            if len(pixels) == count:
                return pixels
    except (OSError, ValueError):
        answer = {}
    finally:
        watch.cancel()
    why = f"not within {SECONDS_PER_FILE:g} s" if late.is_set() else answer.get("error", "the codec gave up")
    raise UnreadableFile(
        f"The pixels of {path.name} cannot be decoded ({why})", "complete pixel data",
        CODEC_HINT,
    )  # fmt: skip


def _library_root() -> str:
    return str(Path(__file__).resolve().parents[2])


def _serve(most_bytes: int) -> None:
    """Decode the files named on standard input, one JSON string per line, until it ends."""
    import logging
    import warnings

    import pydicom
    import pydicom.pixels

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    limit_memory(most_bytes)
    for line in sys.stdin.buffer:
        try:
            pixels = np.ascontiguousarray(pydicom.dcmread(json.loads(line)).pixel_array)
            kind = pixels.dtype.newbyteorder("<").str.replace("|", "")
            answer = {"kind": kind, "count": int(pixels.size)}
        except Exception as error:
            pixels, answer = np.empty(0, "u1"), {"error": type(error).__name__}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + pixels.tobytes())
        sys.stdout.buffer.flush()


def limit_memory(most_bytes: int) -> None:
    """Allow so many bytes more than are in use now, where the system can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):  # Windows and macOS know no such limit
        pass


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
