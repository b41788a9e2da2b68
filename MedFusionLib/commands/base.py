"""What a command is, and what commands share."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedFusionLib.errors import UsageError

if TYPE_CHECKING:
    from MedFusionLib.volume import Volume


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    name, summary : str
        As typed, and one line for the help.
    add_arguments : callable
        Adds its arguments to an argparse parser.
    run : callable
        Takes the parsed arguments and returns the JSON document.
    show : callable
        Turns the document into text for a person.
    exit_code : callable
        Exit code of a document; 0 unless a command says otherwise.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], dict[str, Any]]
    show: Callable[[dict[str, Any]], str]
    exit_code: Callable[[dict[str, Any]], int] = lambda document: 0


def add_meaning_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what files do not say themselves."""
    parser.add_argument("--modality", metavar="M[,M...]", help="modalities in source order: CT, MR, PT, NM or OT")
    parser.add_argument("--unit", metavar="U[,U...]", help="units in source order, for example HU or {SUVbw}g/ml")


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that reads volumes."""
    add_meaning_arguments(parser)
    parser.add_argument(
        "--series", metavar="H[,H...]", help="of folders with several series, in source order: hashes as inspect lists"
    )
    parser.add_argument("--part", metavar="N[,N...]", help="of series with several volumes, in source order")


def add_marking_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say where a tumour lies."""
    parser.add_argument("--seed", metavar="R,A,S", help="a point in the tumour, in mm")
    parser.add_argument(
        "--roi", metavar="FILE", help="region that holds the tumour: a label map, or a Slicer markups ROI (.mrk.json)"
    )
    parser.add_argument("--liver", metavar="R,A,S", help="percist: a point in the right lobe of the liver, in mm")
    parser.add_argument("--blood-pool", metavar="R,A,S", help="percist: a point in the descending aorta, in mm")


def read_sources(paths: Sequence[str], arguments: argparse.Namespace) -> list[Volume]:
    """Volumes of a command's paths, by the arguments of `add_reading_arguments`.

    Raises
    ------
    UsageError
        When more modalities, units, series or parts are given than paths.
    """
    from MedFusionLib.io import read_volume

    modalities, units, series, parts = (
        spread(getattr(arguments, name), len(paths), name) for name in ("modality", "unit", "series", "part")
    )
    numbers = [None if text is None else _whole(text) for text in parts]
    return [read_volume(path, m, u, series=s, part=n)
            for path, m, u, s, n in zip(paths, modalities, units, series, numbers)]  # fmt: skip


def spread(text: str | None, count: int, what: str) -> list[str | None]:
    """Comma-separated values in source order; an empty or missing one is None."""
    values = [part.strip() or None for part in text.split(",")] if text else []
    if len(values) > count:
        raise UsageError(f"{len(values)} values of --{what} for {count} sources", "at most one per source")
    return values + [None] * (count - len(values))


def parse_point(text: str | None) -> tuple[float, float, float] | None:
    """R,A,S in mm.

    Raises
    ------
    UsageError
        For anything but three numbers.
    """
    if text is None:
        return None
    try:
        r, a, s = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"The point {text!r}", "three numbers R,A,S in mm, for example 12.5,-30,44") from error
    return r, a, s


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE parameters of a method; numbers and comma-separated numbers are converted.

    Raises
    ------
    UsageError
        Without an equals sign.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"The parameter {text!r}", "NAME=VALUE, for example levels=3")
        parts = [_number(part) for part in value.split(",")]
        found[name] = parts[0] if len(parts) == 1 else tuple(parts)
    return found


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a polite stop; a second one ends the process."""
    stop = threading.Event()

    def ask_to_stop(number, frame):
        stop.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return
    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error where that is a terminal and rich is installed."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield lambda done, total: print(f"\r{title}: {100 * done // max(total, 1)} %", end="", file=sys.stderr)
        print(file=sys.stderr)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Plain text in columns."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def metric_rows(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of the metrics that are single numbers."""
    return [(name, f"{value:.4g}") for name, value in metrics.items() if isinstance(value, (int, float))]


def existing_folder(path: str) -> Path:
    """A folder that exists.

    Raises
    ------
    UsageError
        When it does not.
    """
    if not Path(path).is_dir():
        raise UsageError(f"No folder {path}", "an existing folder")
    return Path(path)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"The part {text!r}", "a number from 1") from error


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
