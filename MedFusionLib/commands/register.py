"""medfusion register: find the transform that brings one image onto another."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, add_reading_arguments, interruptible, progress_bar, read_sources
from MedFusionLib.errors import UsageError

MODELS = ("rigid", "affine", "bspline")


def add_arguments(parser) -> None:
    """REF MOVING --model --out T.h5."""
    parser.add_argument("reference", metavar="REF", help="image that stays where it is")
    parser.add_argument("moving", metavar="MOVING", help="image to bring onto it")
    parser.add_argument("--model", choices=MODELS, default="rigid")
    parser.add_argument("--out", required=True, metavar="T.h5", help="transform to write: .h5 or .tfm")
    parser.add_argument("--transform", metavar="T.h5", help="ITK transform to start from; the result contains it")
    parser.add_argument("--reference-mask", metavar="FILE", help="label map: what of REF counts")
    parser.add_argument("--moving-mask", metavar="FILE", help="label map: what of MOVING counts")
    parser.add_argument("--overwrite", action="store_true", help="replace an older transform")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Read, register, write."""
    from MedFusionLib.align import read_transform, register, write_transform
    from MedFusionLib.interrupt import asking

    out = Path(arguments.out)
    _check_out(out, overwrite=arguments.overwrite)
    initial = None if arguments.transform is None else read_transform(arguments.transform)
    reference, moving = read_sources([arguments.reference, arguments.moving], arguments)
    masks = [_mask(path, volume) for path, volume in
             ((arguments.reference_mask, reference), (arguments.moving_mask, moving))]  # fmt: skip
    with interruptible() as cancelled, progress_bar("Registering") as progress, asking(cancelled):
        found = register(
            reference, moving, arguments.model, initial=initial,
            reference_mask=masks[0], moving_mask=masks[1], progress=progress,
        )  # fmt: skip
    write_transform(found.transform, out)
    return {**found.as_json(), "transform": str(out)}


def show(document: dict) -> str:
    """Whether it helped, the verdict, and where the transform is."""
    before, after = (f"{m:.4f}" if m is not None else "undefined" for m in
                     (document["metric_before"], document["metric_after"]))  # fmt: skip
    lines = [
        f"{document['model']}: similarity {before} before, {after} after"
        + ("" if document["applied"] else "; NOT applied"),
        f"Verdict: {document['status']}",
        *(f"  {reason}" for reason in document["reasons"]),
        f"Transform: {document['transform']}",
    ]
    return "\n".join(lines)


def _mask(path: str | None, volume):
    from MedFusionLib.align import resample_labels_to
    from MedFusionLib.io import read_labels

    if path is None:
        return None
    labels, geometry = read_labels(path)
    return resample_labels_to(labels, geometry, volume.geometry) > 0


def _check_out(out: Path, *, overwrite: bool) -> None:
    from MedFusionLib.align.transform import SUFFIXES

    if out.suffix not in SUFFIXES:
        raise UsageError(f"A transform named {out.name}", "a name that ends in .h5 or .tfm")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already", "a new file", "Choose another name or allow overwriting")


COMMAND = Command("register", "find the transform that brings one image onto another", add_arguments, run, show)
