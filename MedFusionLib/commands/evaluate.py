"""medfusion evaluate: metrics of one fused image or volume."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, add_reading_arguments, metric_rows, read_sources, spread, table
from MedFusionLib.errors import UsageError


def add_arguments(parser) -> None:
    """--source A --source B --fused F [--metrics SET] [--mask M]."""
    parser.add_argument("--source", action="append", required=True, metavar="A", help="a source; give two or more")
    parser.add_argument("--fused", required=True, metavar="F", help="the fused image or volume")
    parser.add_argument("--metrics", default="standard", metavar="SET",
                        help="standard (default), all, or names separated by commas")  # fmt: skip
    parser.add_argument("--mask", metavar="M",
                        help="measure inside a label map or picture; auto: where any source has signal")  # fmt: skip
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Metric names and values."""
    from MedFusionLib.metrics import evaluate, roles_of

    paths = [*arguments.source, arguments.fused]
    metrics = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
    if all(_is_picture(path) for path in paths):
        images = [_grey(path) for path in paths]
        modalities = [modality or "OT" for modality in spread(arguments.modality, len(paths), "modality")]
        return evaluate(images[:-1], images[-1], data_range=255, metrics=metrics, mask=_mask(arguments.mask, None),
                        roles=roles_of(modalities[:-1]))  # fmt: skip
    *sources, fused = read_sources(paths, arguments)
    if fused.array.min() < -1e-3 or fused.array.max() > 1 + 1e-3:
        raise UsageError(f"{fused.name} holds values outside 0..1", "a fusion index, as medfusion fuse writes it")
    for source in sources:
        difference = fused.geometry.describe_difference(source.geometry)
        if difference:
            raise UsageError(f"{source.name} is not on the grid of the fused volume: {difference}",
                             "sources on the fused grid, as source_*.nii.gz in a result folder")  # fmt: skip
    return evaluate(sources, fused.array, metrics=metrics, mask=_mask(arguments.mask, fused.geometry))


def show(document: dict) -> str:
    """A table."""
    return table(metric_rows(document), ("metric", "value"))


def _is_picture(path: str) -> bool:
    from MedFusionLib.io.picture import SUFFIXES

    return Path(path).name.lower().endswith(SUFFIXES)


def _mask(path: str | None, geometry):
    """The mask as evaluate takes it; a label map must lie on the grid of the fused volume."""
    if path in (None, "auto"):
        return path
    if _is_picture(path):
        return _grey(path) > 0
    from MedFusionLib.io import read_labels

    labels, own = read_labels(path)
    difference = geometry.describe_difference(own) if geometry else "Pictures have no grid in space."
    if difference:
        raise UsageError(f"The mask is not on the grid of the images: {difference}", "a mask on the fused grid")
    return labels > 0


def _grey(path: str):
    """Grey levels 0..255 of a picture; colours by their luma."""
    from MedFusionLib.commands.fuse_folder import as_unit_range
    from MedFusionLib.io.picture import read_pixels

    return as_unit_range(read_pixels(Path(path)))[0] * 255


COMMAND = Command("evaluate", "measure a fused image against its sources", add_arguments, run, show)
