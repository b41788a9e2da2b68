"""medfusion evaluate: metrics of one fused image or volume."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, add_reading_arguments, metric_rows, read_sources, table
from MedFusionLib.errors import UsageError


def add_arguments(parser) -> None:
    """--source A --source B --fused F."""
    parser.add_argument("--source", action="append", required=True, metavar="A", help="a source; give two or more")
    parser.add_argument("--fused", required=True, metavar="F", help="the fused image or volume")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Metric names and values."""
    from MedFusionLib.metrics import evaluate

    paths = [*arguments.source, arguments.fused]
    if all(_is_picture(path) for path in paths):
        images = [_grey(path) for path in paths]
        return evaluate(images[:-1], images[-1], data_range=255)
    *sources, fused = read_sources(paths, arguments.modality, arguments.unit)
    if fused.array.min() < -1e-3 or fused.array.max() > 1 + 1e-3:
        raise UsageError(f"{fused.name} holds values outside 0..1", "a fusion index, as medfusion fuse writes it")
    for source in sources:
        difference = fused.geometry.describe_difference(source.geometry)
        if difference:
            raise UsageError(f"{source.name} is not on the grid of the fused volume: {difference}",
                             "sources on the fused grid, as source_*.nii.gz in a result folder")  # fmt: skip
    return evaluate(sources, fused.array)


def show(document: dict) -> str:
    """A table."""
    return table(metric_rows(document), ("metric", "value"))


def _is_picture(path: str) -> bool:
    from MedFusionLib.io.picture import SUFFIXES

    return Path(path).name.lower().endswith(SUFFIXES)


def _grey(path: str):
    """Grey levels 0..255 of a picture; colours by their luma."""
    from MedFusionLib.commands.fuse_folder import as_unit_range
    from MedFusionLib.io.picture import read_pixels

    return as_unit_range(read_pixels(Path(path)))[0] * 255


COMMAND = Command("evaluate", "measure a fused image against its sources", add_arguments, run, show)
