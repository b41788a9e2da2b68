"""medfusion fuse: one case."""

from __future__ import annotations

import time
from pathlib import Path

from MedFusionLib.commands.base import (
    Command,
    add_marking_arguments,
    add_reading_arguments,
    interruptible,
    metric_rows,
    parse_parameters,
    parse_point,
    progress_bar,
    read_sources,
    table,
)
from MedFusionLib.engine import DEVICES, MODES, PRECISIONS


def add_arguments(parser) -> None:
    """SRC SRC... and how to fuse them."""
    parser.add_argument("sources", nargs="+", metavar="SRC", help="two or more images; the first gives the grid")
    parser.add_argument("--out", required=True, metavar="DIR", help="result folder to make")
    parser.add_argument("--method", metavar="M", help="a name from: medfusion methods (default by modality pair)")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of the method"
    )
    parser.add_argument("--mode", choices=("auto", *MODES), default="auto", help="true 3-D, or slice by slice")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="exact")
    parser.add_argument("--register", choices=("none", "rigid", "affine", "bspline"), default="none")
    parser.add_argument(
        "--transform", metavar="T", action="append", help="ITK transform or DICOM registration, one per moving source"
    )
    parser.add_argument(
        "--tumour", metavar="MASK|METHOD",
        help="label map, DICOM Segmentation or RT Structure Set; or auto, suvmax41 ... (see segment)",
    )  # fmt: skip
    add_marking_arguments(parser)
    parser.add_argument("--force", action="store_true", help="fuse although the sources do not line up (recorded)")
    parser.add_argument("--overwrite", action="store_true", help="replace an older result")
    parser.add_argument("--maps", choices=("uint8", "float"), default="uint8", help="how contribution is stored")
    parser.add_argument("--trust", metavar="MAP[,MAP]", default="", help="further maps: loss, stability")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Read, fuse, write."""
    from MedFusionLib.io.results import check_target, save_result
    from MedFusionLib.pipeline import fuse
    from MedFusionLib.volume import Case

    started = time.perf_counter()
    check_target(arguments.out, overwrite=arguments.overwrite)
    case = Case(read_sources(arguments.sources, arguments))
    with interruptible() as cancelled, progress_bar("Fusing") as progress:
        result = fuse(
            case,
            arguments.method,
            arguments.mode,
            arguments.device,
            arguments.precision,
            register=arguments.register,
            transform=arguments.transform,
            tumour=arguments.tumour,
            progress=progress,
            cancelled=cancelled,
            parameters=parse_parameters(arguments.parameter),
            seed=parse_point(arguments.seed),
            roi=arguments.roi,
            liver=parse_point(arguments.liver),
            blood_pool=parse_point(arguments.blood_pool),
            force=arguments.force,
            maps=[name for name in arguments.trust.split(",") if name],
        )
    folder = save_result(result, arguments.out, overwrite=arguments.overwrite, maps=arguments.maps)
    return describe_folder(folder, seconds=time.perf_counter() - started)


def describe_folder(folder: Path, *, seconds: float) -> dict:
    """The JSON document of a result folder."""
    import json

    from MedFusionLib.provenance import peak_memory_mb

    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    files = record["files"]
    paths = {key: str(folder / files[key]) if files[key] else None
             for key in ("fused", "colour", "contribution", "invention", "tumour")}  # fmt: skip
    return {
        **paths,
        "alignment": record["alignment"],
        "metrics": record["metrics"],
        "measures": record["tumour"]["segments"] if record["tumour"] else [],
        "seconds": seconds,
        "timings": record["timings"],
        "peak_mb": peak_memory_mb(),
        "device": record["provenance"]["run"]["device"],
        "provenance": record["provenance"],
    }


def show(document: dict) -> str:
    """Where the result is, the verdict, and the numbers."""
    fused = Path(document["fused"])
    lines = [f"Result folder: {fused.parent}", f"Alignment: {document['alignment']['status']}"]
    lines.extend(f"  {reason}" for reason in document["alignment"]["reasons"])
    lines.extend(f"Warning: {warning}" for warning in document["metrics"].get("trust", {}).get("warnings", []))
    lines.append("")
    lines.append(table(metric_rows(document["metrics"]), ("metric", "value")))
    for measures in document["measures"]:
        lines.append("")
        lines.append(f"{measures['name']}: {measures['volume_ml']:.2f} ml")
        if "suv_max" in measures:
            lines.append(f"  SUVmax {measures['suv_max']:.2f}, SUVmean {measures['suv_mean']:.2f} (native PET grid)")
    lines.append("")
    lines.append(f"{document['seconds']:.1f} s on {document['device']}, peak memory {document['peak_mb'] or 0:.0f} MB")
    return "\n".join(lines)


COMMAND = Command("fuse", "fuse one case", add_arguments, run, show)
