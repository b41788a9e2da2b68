"""medfusion fuse-folder: 2-D pairs of pictures with equal names."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from MedFusionLib.commands.base import Command, existing_folder, interruptible, parse_parameters, progress_bar
from MedFusionLib.errors import Cancelled, NotSupported, UsageError


def add_arguments(parser) -> None:
    """--first DIR --second DIR --out DIR."""
    parser.add_argument("--first", required=True, metavar="DIR", help="pictures of the first source (PNG)")
    parser.add_argument("--second", required=True, metavar="DIR", help="pictures of the second source, same names")
    parser.add_argument("--method", metavar="M", default="laplacian", help="a name from: medfusion methods")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of the method"
    )
    parser.add_argument("--colour", choices=("palette", "luminance"), default="palette",
                        help="what to fuse of a colour picture: the scalar behind its palette (not supported yet), "
                        "or its luminance")  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the fused pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures that exist")


def run(arguments) -> dict:
    """Fuse every pair."""
    if arguments.colour == "palette":
        raise NotSupported("Recovering the palette of a colour picture is not supported yet", "--colour luminance")
    started = time.perf_counter()
    first, second = existing_folder(arguments.first), existing_folder(arguments.second)
    names = _pairs(first, second)
    out = Path(arguments.out)
    _check_out(out, names, overwrite=arguments.overwrite)
    out.mkdir(parents=True, exist_ok=True)
    parameters = parse_parameters(arguments.parameter)
    with interruptible() as cancelled, progress_bar("Fusing") as progress:
        for number, name in enumerate(names):
            if cancelled():
                raise Cancelled(hint=f"{number} of {len(names)} pairs were written")
            _fuse_pair(first / name, second / name, out, arguments.method, parameters)
            progress(number + 1, len(names))
    seconds = time.perf_counter() - started
    return {"pairs": len(names), "seconds": seconds, "method": arguments.method, "palette": None, "out": str(out)}


def show(document: dict) -> str:
    """One line."""
    return (
        f"{document['pairs']} pairs fused with {document['method']} in {document['seconds']:.1f} s: {document['out']}"
    )


def as_unit_range(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey values (H, W) float32 in 0..1, and the colours (H, W, 3) in 0..1 if there are any."""
    from MedFusionLib.colour import LUMA_WEIGHTS

    white = 65535.0 if pixels.dtype.itemsize > 1 else 255.0
    values = pixels.astype(np.float32) / np.float32(white)
    if values.min() < 0 or values.max() > 1:
        raise UsageError("A picture with values outside its range", "8-bit or 16-bit pictures")
    if values.ndim == 2:
        return values, None
    return (values @ LUMA_WEIGHTS).astype(np.float32), values


def _fuse_pair(first: Path, second: Path, out: Path, method: str, parameters: dict) -> None:
    from MedFusionLib.colour import replace_luma
    from MedFusionLib.engine import EngineOptions, run
    from MedFusionLib.io.picture import read_pixels
    from MedFusionLib.methods.catalogue import create_method

    greys, colours = zip(*(as_unit_range(read_pixels(path)) for path in (first, second)))
    if greys[0].shape != greys[1].shape:
        raise UsageError(f"{first.name}: {greys[0].shape} and {greys[1].shape} pixels", "pictures of one size")
    output = run(create_method(method, parameters), np.stack(greys)[:, None], options=EngineOptions(mode="slice"))
    fused = np.clip(output.fused[0], 0, 1)
    colour = next((c for c in (colours[1], colours[0]) if c is not None), None)
    if colour is None:
        _write(fused, out / first.name)
    else:
        _write(replace_luma(colour, fused), out / first.name)
        _write(fused, out / f"{first.stem}_y.png")


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
