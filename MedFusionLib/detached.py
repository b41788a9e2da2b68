"""Fuse in a process of its own: when that one crashes or runs out of memory, this one lives on.

Parent and child share a folder: ``request.json`` with ``source_N.npy`` and, where given,
``transform_N.h5`` and ``tumour.seg.nrrd`` go in, a result folder comes out. The child (``python -m
MedFusionLib.detached FOLDER``) tells JSON lines, ``{"progress": [done, total]}`` and then one of
``{"done": true}``, ``{"cancelled": true}`` or ``{"error": {...}}``; any line on its standard input
cancels, and so does its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from MedFusionLib import errors
from MedFusionLib.errors import Cancelled, MedFusionError, ResourcesExhausted, UsageError
from MedFusionLib.result import FusionResult
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.units import parse_unit
from MedFusionLib.volume import Case, Geometry, Origin, Volume

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 0.6
"""A child that has not stopped by then after a cancel is killed."""
_REQUEST, _RESULT = "request.json", "result"
_PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def fuse_detached(
    case: Case,
    *,
    transforms: Sequence | None = None,
    tumour: Segmentation | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    python: str | None = None,
    **options,
) -> FusionResult:
    """Fuse in a separate process.

    Parameters
    ----------
    case : Case
        The sources.
    transforms : sequence or None
        Per further source: a SimpleITK transform, a file, or None.
    tumour : Segmentation or None
        The tumour to measure.
    progress, cancelled
        As for `fuse`.
    python : str or None
        The interpreter; None takes the one that runs.
    options
        Further arguments of `fuse` that are plain numbers, texts, lists or dicts.

    Raises
    ------
    ResourcesExhausted
        When the process was killed or crashed.
    MedFusionError
        As `fuse` does.
    """
    cancelled = cancelled or (lambda: False)
    with tempfile.TemporaryDirectory(prefix="medfusion-") as name:
        folder = Path(name)
        _write_request(folder, case, transforms, tumour, options)
        _talk(folder, python or sys.executable, progress or (lambda done, total: None), cancelled)
        return _read_result(folder, case)


def _write_request(folder: Path, case: Case, transforms, tumour, options: dict) -> None:
    from MedFusionLib.align import write_transform
    from MedFusionLib.align.transform import as_transform
    from MedFusionLib.io.segmentation_file import write_segmentation

    sources = []
    for number, source in enumerate(case.sources):
        np.save(folder / f"source_{number}.npy", source.array, allow_pickle=False)
        sources.append({
            "ijk_to_ras": source.geometry.ijk_to_ras.tolist(), "modality": source.modality, "unit": source.unit.code,
            "name": source.name, "source": asdict(source.source),
        })  # fmt: skip
    given = list(transforms) if transforms is not None else [None] * (len(case.sources) - 1)
    for number, transform in enumerate(given, start=1):
        if transform is not None:
            write_transform(as_transform(transform), folder / f"transform_{number}.h5")
    if tumour is not None:
        write_segmentation(tumour, folder / "tumour.seg.nrrd")
    try:
        text = json.dumps({"sources": sources, "options": options})
    except TypeError as error:
        raise UsageError(f"An option cannot be handed to another process ({error})", "numbers and texts") from error
    (folder / _REQUEST).write_text(text, encoding="utf-8")


def _talk(folder: Path, python: str, progress, cancelled) -> None:
    """Start the child and listen until it is done; raises what it could not do."""
    paths = [str(_PACKAGE_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [python, "-m", "MedFusionLib.detached", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    answers: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(process.stdout, answers), daemon=True).start()
    try:
        while True:
            if cancelled():
                raise Cancelled()
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=POLL_SECONDS)
                if answer is None:
                    raise _died(process.wait())
                if "done" in answer:
                    return
                if "error" in answer:
                    raise _error_from(answer["error"])
                if "progress" in answer:
                    progress(*answer["progress"])
    finally:
        _end(process)


def _listen(lines, answers: queue.SimpleQueue) -> None:
    for line in lines:
        with contextlib.suppress(ValueError):  # the last line of a process that dies may be cut off
            answers.put(json.loads(line))
    answers.put(None)


def _end(process: subprocess.Popen) -> None:
    """Let the child end by itself, for a moment."""
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _died(code: int) -> ResourcesExhausted:
    how = f"ended with code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = f"was ended by {signal.Signals(-code).name}"
    return ResourcesExhausted(
        f"The separate process {how}", "a fusion that ends by itself",
        "Most likely its memory did not suffice: fuse slice by slice, crop the sources, or close other programs",
    )  # fmt: skip


def _error_from(told: dict) -> MedFusionError:
    """The child's error, as the kind it was there."""
    kind = getattr(errors, told["type"], MedFusionError)
    return kind(told["what"], told["expected"], told["hint"])


def _read_result(folder: Path, case: Case) -> FusionResult:
    """The result, with the sources' names and origins as they are here."""
    from MedFusionLib.io.results import load_result

    result = load_result(folder / _RESULT)
    sources = tuple(
        replace(got, name=source.name, source=replace(source.source, native_spacing_mm=got.source.native_spacing_mm))
        for got, source in zip(result.sources, case.sources)
    )
    origin = Origin(frame_of_reference=case.reference.source.frame_of_reference)
    return replace(result, sources=sources, fused=replace(result.fused, source=origin))


def main(folder: Path) -> int:
    """Work off one request: the child's side."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not end up between the answers
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    told = [0.0]

    def progress(done: int, total: int) -> None:
        if time.monotonic() - told[0] > POLL_SECONDS:
            told[0] = time.monotonic()
            _say(out, {"progress": [done, total]})

    try:
        _fuse(folder, progress, stop.is_set)
        _say(out, {"done": True})
    except MedFusionError as error:
        told_error = {"type": type(error).__name__, "what": error.what, "expected": error.expected, "hint": error.hint}
        _say(out, {"cancelled": True} if isinstance(error, Cancelled) else {"error": told_error})
    return 0


def _fuse(folder: Path, progress, cancelled) -> None:
    from MedFusionLib.io.results import save_result
    from MedFusionLib.io.segmentation_file import read_segmentation
    from MedFusionLib.pipeline import fuse

    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    case = Case([_read_source(folder / f"source_{number}.npy", told) for number, told in enumerate(request["sources"])])
    transforms = [folder / f"transform_{number}.h5" for number in range(1, len(case.sources))]
    drawn = folder / "tumour.seg.nrrd"
    result = fuse(
        case, transform=[path if path.exists() else None for path in transforms],
        tumour=read_segmentation(drawn) if drawn.exists() else None,
        progress=progress, cancelled=cancelled, **request["options"],
    )  # fmt: skip
    save_result(result, folder / _RESULT, maps="float")


def _read_source(path: Path, told: dict) -> Volume:
    array = np.load(path, allow_pickle=False)
    origin = told["source"]
    spacing = origin["native_spacing_mm"]
    source = Origin(**{
        **origin, "files": tuple(origin["files"]), "notes": tuple(origin["notes"]),
        "native_spacing_mm": None if spacing is None else tuple(spacing),
    })  # fmt: skip
    geometry = Geometry(array.shape, np.array(told["ijk_to_ras"]))
    return Volume(array, geometry, told["modality"], parse_unit(told["unit"]), told["name"], source)


def _say(out, message: dict) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
