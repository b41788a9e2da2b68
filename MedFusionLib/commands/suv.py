"""medfusion suv: a PET series to SUV, with its audit."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, table

VARIANTS = ("bw", "lbm", "lbm-james", "lbm-janma", "bsa", "ibw")


def add_arguments(parser) -> None:
    """SERIES and what uptake is divided by."""
    parser.add_argument("series", metavar="SERIES", help="folder or archive with a DICOM PET series")
    parser.add_argument("--series", dest="chosen", metavar="H", help="which PET series of several, as inspect lists it")
    parser.add_argument("--variant", choices=VARIANTS, default="bw", help="what uptake is divided by (default bw)")
    parser.add_argument("--tracer", type=int, metavar="N", help="which radiopharmaceutical, where there are several")
    parser.add_argument("--out", metavar="FILE", help="write the SUV volume as NIfTI, NRRD or MHA")
    parser.add_argument("--overwrite", action="store_true", help="replace an older file")


def run(arguments) -> dict:
    """Read, account, and write if asked."""
    import numpy as np

    from MedFusionLib.errors import UnreadableFile, UsageError
    from MedFusionLib.io import write_volume
    from MedFusionLib.io.dicom import read_suv

    path, out = Path(arguments.series), Path(arguments.out) if arguments.out else None
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path}", "a folder with one DICOM PET series")
    if out and out.exists() and not arguments.overwrite:  # said before the series is read
        raise UsageError(f"{out} exists", "a new file", "Give another name, or --overwrite")
    volume, audit = read_suv(path, arguments.variant, tracer=arguments.tracer, series=arguments.chosen)
    if out:
        write_volume(volume, out, overwrite=arguments.overwrite)
    values = volume.array
    return {
        **audit.as_json(),
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
        "shape_kji": list(volume.geometry.shape),
        "spacing_mm": list(volume.geometry.spacing_mm),
        "notes": [note for note in volume.source.notes if note not in audit.remarks()],
        "out": str(out) if out else None,
    }


def show(document: dict) -> str:
    """The factor, its inputs, and every time it could have been referred to."""
    factors = [document["factor"]] if "factor" in document else document["factors"]
    span = f"{factors[0]:.9g}" if len(factors) == 1 else f"{min(factors):.9g} to {max(factors):.9g}, slice by slice"
    lines = [
        f"SUV{document['variant']} = stored value x rescale slope x {span}",
        f"minimum {document['min']:.4g}, median {document['median']:.4g}, maximum {document['max']:.4g}",
        "",
        table([(name, entry["tag"], _value(entry)) for name, entry in document["inputs"].items()],
              ("input", "tag", "value")),
    ]  # fmt: skip
    if document["reference_times"]:
        rows = [(time["name"], time["tag"], _seconds(time), f"{time['factor']:.9g}" if time["factor"] else "-",
                 "used" if time["used"] else time["remark"]) for time in document["reference_times"]]  # fmt: skip
        lines += ["", table(rows, ("decay corrected to", "tag", "after administration", "factor", ""))]
    lines += [f"! {warning}" for warning in (*document["warnings"], *document["notes"])]
    if document["out"]:
        lines += ["", f"Written to {document['out']}"]
    return "\n".join(lines)


def _value(entry: dict) -> str:
    value = entry["value"]
    if isinstance(value, list):
        return f"{min(value):.9g} to {max(value):.9g}"
    text = f"{value:.9g}" if isinstance(value, float) else "-" if value is None else str(value)
    return f"{text} {entry['unit']}".strip()


def _seconds(time: dict) -> str:
    seconds = time["seconds_after_administration"]
    return "-" if seconds is None else f"{seconds:.2f} s"


COMMAND = Command("suv", "convert a PET series to SUV, with an account of its inputs", add_arguments, run, show)
