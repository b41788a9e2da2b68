"""medfusion fuse-folder: 2-D pairs of pictures with equal names."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.commands.base import Command, existing_folder, interruptible, parse_parameters, progress_bar
from MedFusionLib.errors import Cancelled, UsageError
from MedFusionLib.io.picture import read_pixels

logger = logging.getLogger(__name__)

METHOD = "convex"
"""In slices the worse of function and anatomy is better kept than by the default for volumes, and nothing can appear
that no source shows (Docs/networks.md)."""
MOST_PICTURES = 300
"""Pictures of a folder that palettes are found from."""


def add_arguments(parser) -> None:
    """--first DIR --second DIR --out DIR."""
    parser.add_argument("--first", required=True, metavar="DIR", help="pictures of the first source (PNG)")
    parser.add_argument("--second", required=True, metavar="DIR", help="pictures of the second source, same names")
    parser.add_argument(
        "--method", metavar="M", default=METHOD, help=f"a name from: medfusion methods (without one: {METHOD})"
    )
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of the method"
    )
    parser.add_argument("--colour", choices=("palette", "luminance"), default="palette",
                        help="what to fuse of a colour picture: the scalar behind its palette (luminance where the "
                        "colours are no palette), or its luminance")  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the fused pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures that exist")


def run(arguments) -> dict:
    """Fuse every pair."""
    from MedFusionLib.methods.catalogue import create_method

    started = time.perf_counter()
    first, second = existing_folder(arguments.first), existing_folder(arguments.second)
    names = _pairs(first, second)
    warning = create_method(arguments.method, parse_parameters(arguments.parameter)).info.warning
    if warning:
        logger.warning(warning)
    out = Path(arguments.out)
    _check_out(out, names, overwrite=arguments.overwrite)
    out.mkdir(parents=True, exist_ok=True)
    parameters = parse_parameters(arguments.parameter)
    palettes = [_Scalars(folder, names, arguments.colour) for folder in (first, second)]
    with interruptible() as cancelled, progress_bar("Fusing") as progress:
        for number, name in enumerate(names):
            if cancelled():
                raise Cancelled(hint=f"{number} of {len(names)} pairs were written")
            _fuse_pair(name, palettes, out, arguments.method, parameters)
            progress(number + 1, len(names))
    found = {side: each.report() for side, each in zip(("first", "second"), palettes)}
    seconds = time.perf_counter() - started
    return {
        "pairs": len(names),
        "seconds": seconds,
        "method": arguments.method,
        "warnings": [warning] if warning else [],
        "palette": None if arguments.colour == "luminance" else found,
        "out": str(out),
    }


def show(document: dict) -> str:
    """One line."""
    return (
        f"{document['pairs']} pairs fused with {document['method']} in {document['seconds']:.1f} s: {document['out']}"
    )


@dataclass(frozen=True, eq=False)
class _Picture:
    """Grey values (H, W) float32 in 0..1, colours (H, W, 3) in 0..1 if there are any, and whether by a palette."""

    values: np.ndarray
    colours: np.ndarray | None
    by_palette: bool = False

    def coloured(self, fused: np.ndarray) -> np.ndarray:
        """The colours with other grey values."""
        from MedFusionLib.colour import replace_luma, shaded

        return shaded(self.colours, self.values, fused) if self.by_palette else replace_luma(self.colours, fused)


class _Scalars:
    """Grey values of the pictures of one folder.

    Parameters
    ----------
    folder : Path
        Where the pictures are.
    names : list of str
        Those that are fused.
    colour : {"palette", "luminance"}
        What becomes of colour.
    """

    def __init__(self, folder: Path, names: list[str], colour: str) -> None:
        self.folder, self.colour = folder, colour
        self.palettes, self.by_palette, self.by_luminance = [], 0, []
        if colour == "palette":
            self.palettes = _palettes(folder, names)

    def read(self, name: str) -> _Picture:
        """One of the pictures."""
        from MedFusionLib.palette import matching

        pixels = read_pixels(self.folder / name)
        values, colours = as_unit_range(pixels)
        if colours is None or self.colour == "luminance":
            return _Picture(values, colours)
        palette = matching(self.palettes, pixels) if pixels.dtype == np.uint8 else None
        if palette is None:
            if not self.by_luminance:
                logger.warning("%s: its colours are no palette, so its luminance is fused", name)
            self.by_luminance.append(name)
            return _Picture(values, colours)
        self.by_palette += 1
        return _Picture(palette.to_scalar(pixels), colours, by_palette=True)

    def report(self) -> dict:
        """Number of colours of each palette, of pictures fused by it, and which were fused by luminance."""
        sizes = [len(palette.colours) for palette in self.palettes]
        return {"colours": sizes, "pictures": self.by_palette, "luminance": self.by_luminance}


def _palettes(folder: Path, names: list[str]) -> list:
    """The palettes of a folder, found from evenly chosen pictures."""
    from MedFusionLib.palette import find_palettes

    chosen = names[:: max(1, -(-len(names) // MOST_PICTURES))]
    pictures = [pixels for pixels in (read_pixels(folder / name) for name in chosen)
                if pixels.ndim == 3 and pixels.dtype == np.uint8]  # fmt: skip
    found = find_palettes(pictures)
    return list({id(palette): palette for palette in found if palette is not None}.values())


def as_unit_range(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey values (H, W) float32 in 0..1, and the colours (H, W, 3) in 0..1 if there are any."""
    from MedFusionLib.colour import LUMA_WEIGHTS

    white = 65535.0 if pixels.dtype.itemsize > 1 else 255.0
    values = pixels.astype(np.float32) / np.float32(white)
    if values.min() < 0 or values.max() > 1:
        raise UsageError("A picture with values outside its range", "8-bit or 16-bit pictures")
    if values.ndim == 2 or not np.ptp(values, axis=2).any():
        return (values if values.ndim == 2 else values[..., 0]), None
    return (values @ LUMA_WEIGHTS).astype(np.float32), values


def _fuse_pair(name: str, sides: list[_Scalars], out: Path, method: str, parameters: dict) -> None:
    from MedFusionLib.engine import EngineOptions, run
    from MedFusionLib.methods.catalogue import create_method

    pictures = [side.read(name) for side in sides]
    greys = [picture.values for picture in pictures]
    if greys[0].shape != greys[1].shape:
        raise UsageError(f"{name}: {greys[0].shape} and {greys[1].shape} pixels", "pictures of one size")
    output = run(create_method(method, parameters), np.stack(greys)[:, None], options=EngineOptions(mode="slice"))
    fused = np.clip(output.fused[0], 0, 1)
    coloured = next((picture for picture in reversed(pictures) if picture.colours is not None), None)
    if coloured is None:
        _write(fused, out / name)
    else:
        _write(coloured.coloured(fused), out / name)
        _write(fused, out / f"{Path(name).stem}_y.png")


def _write(values: np.ndarray, path: Path) -> None:
    from PIL import Image

    from MedFusionLib.io.write import atomic

    with atomic(path) as temporary:
        Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(temporary, format="PNG")


def _pairs(first: Path, second: Path) -> list[str]:
    names = sorted(path.name for path in first.iterdir() if path.suffix.lower() == ".png")
    if not names:
        raise UsageError(f"{first} holds no PNG pictures", "one PNG per slice")
    missing = [name for name in names if not (second / name).is_file()]
    if missing:
        raise UsageError(f"{second} lacks {missing[0]} and {len(missing) - 1} more", "equal file names in both folders")
    return names


def _check_out(out: Path, names: list[str], *, overwrite: bool) -> None:
    taken = [name for name in names if (out / name).exists()]
    if taken and not overwrite:
        raise UsageError(f"{out} holds {taken[0]} already", "a new folder", "Choose another one or allow overwriting")


COMMAND = Command("fuse-folder", "fuse 2-D pairs of pictures", add_arguments, run, show)
