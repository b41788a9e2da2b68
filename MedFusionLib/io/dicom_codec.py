"""Decompress DICOM pixels in a process of their own, with limits on time and memory.

JPEG codecs are old C code that meets data from anywhere. A crash, a hang or a hunger for memory in there ends the
helper, not the program: `decoded` starts ``python -m MedFusionLib.io.dicom_codec``, sends paths, and gets back pixels.
What no codec of pydicom reads, lossless JPEG above all, the GDCM within SimpleITK does. It is given the pixels and
their description, and nothing else of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from MedFusionLib.errors import UnreadableFile

CODEC_HINT = "Send the image again, or install the codec: pip install pylibjpeg-libjpeg pylibjpeg-openjpeg"
SECONDS_PER_FILE = 30.0
SPARE_BYTES = 320 << 20
"""Beyond what the interpreter with its libraries takes, and beyond the pixels themselves."""
BY_GDCM = ("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
"""JPEG of 12 bits, and lossless JPEG: transfer syntaxes that GDCM decodes where pydicom cannot."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"
_DESCRIPTION = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
                "BitsStored", "HighBit", "PixelRepresentation")  # fmt: skip
_KINDS = {"u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "<f8"}


def decoded(paths: Sequence[Path], counts: Sequence[int], *, by_gdcm: bool = False) -> Generator[np.ndarray]:
    """Pixels of compressed files, one flat array per file.

    Parameters
    ----------
    paths : sequence of Path
        DICOM files.
    counts : sequence of int
        Number of pixels that each must have.
    by_gdcm : bool
        Whether some have a transfer syntax of `BY_GDCM`.

    Raises
    ------
    UnreadableFile
        When a file cannot be decoded, or not within the limits.
    """
    if not paths:
        return
    most = 16 * max(counts) + SPARE_BYTES
    command = [sys.executable, "-m", "MedFusionLib.io.dicom_codec", str(most)]
    # the folder is ours, since a helper that is killed cleans up nothing
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*command, folder] if by_gdcm else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_library_root(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as helper,
    ):
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


def _serve(most_bytes: int, folder: str = "") -> None:
    """Decode the files named on standard input, one JSON string per line, until it ends.

    With a folder to write to, GDCM decodes what pydicom cannot.
    """
    import logging
    import warnings

    import pydicom
    import pydicom.pixels

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if folder:
        import SimpleITK  # noqa: F401  it takes much memory, which is not to count

    limit_memory(most_bytes)
    for line in sys.stdin.buffer:
        try:
            pixels = np.ascontiguousarray(_pixels(pydicom.dcmread(json.loads(line)), folder))
            kind = pixels.dtype.newbyteorder("<").str.replace("|", "")
            answer = {"kind": kind, "count": int(pixels.size)}
        except Exception as error:
            pixels, answer = np.empty(0, "u1"), {"error": type(error).__name__}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + pixels.tobytes())
        sys.stdout.buffer.flush()


def _pixels(dataset, folder: str) -> np.ndarray:
    if folder and dataset.file_meta.TransferSyntaxUID in BY_GDCM:
        try:
            return dataset.pixel_array
        except Exception:  # without a decoder, or with one for 8 bits only
            return _pixels_by_gdcm(dataset, Path(folder) / "pixels.dcm")
    return dataset.pixel_array


def _pixels_by_gdcm(dataset, path: Path) -> np.ndarray:
    """Stored pixels by way of a file that holds nothing but them: no rescale is applied, and no name is written."""
    import pydicom
    import SimpleITK as sitk

    bare = pydicom.Dataset()
    for keyword in _DESCRIPTION:
        if keyword in dataset:
            setattr(bare, keyword, dataset.get(keyword))
    bare.SOPClassUID, bare.SOPInstanceUID = _SECONDARY_CAPTURE, pydicom.uid.generate_uid()
    bare.file_meta = pydicom.dataset.FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    bare.add_new("PixelData", "OB", dataset.PixelData)
    bare["PixelData"].is_undefined_length = True
    bare.save_as(path, enforce_file_format=True)
    image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    return sitk.GetArrayFromImage(image)


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
    _serve(int(sys.argv[1]), *sys.argv[2:])
