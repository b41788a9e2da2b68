"""medfusion segment: a tumour, outlined and measured."""

from __future__ import annotations

import time

from MedFusionLib.commands.base import (
    Command,
    add_marking_arguments,
    add_reading_arguments,
    parse_point,
    read_sources,
    table,
)
from MedFusionLib.errors import UsageError

_ROWS = (
    ("volume", "volume_ml", "ml"),
    ("SUVmax", "suv_max", ""),
    ("SUVpeak", "suv_peak", ""),
    ("SUVmean", "suv_mean", ""),
    ("TLG", "tlg_g", "g"),
    ("axial diameters", "axial_long_mm", "mm"),
    ("", "axial_short_mm", "mm"),
    ("longest diameter", "longest_3d_mm", "mm"),
)


def add_arguments(parser) -> None:
    """SRC... and what marks the tumour."""
    parser.add_argument("sources", nargs="+", metavar="SRC", help="one or more images; the first gives the grid")
    parser.add_argument("--out", required=True, metavar="FILE", help="segmentation to write: .seg.nrrd or .nii.gz")
    parser.add_argument(
        "--method", default="auto", metavar="M", help="auto, suvmax41, suv2.5, percist, model:FOLDER ..."
    )
    add_marking_arguments(parser)
    parser.add_argument("--keep", metavar="N[,N...]", help="of several candidates, keep these")
    parser.add_argument("--type", metavar="T", help="mass (as it is unless said), primary, secondary, oedema ...")
    parser.add_argument("--compare", action="store_true", help="also list what every PET rule would give")
    parser.add_argument("--force", action="store_true", help="go on although the sources do not line up")
    parser.add_argument("--overwrite", action="store_true", help="replace an older file")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Read, segment, measure, write."""
    from MedFusionLib.io.segmentation_file import check_segmentation_target, save_segmentation
    from MedFusionLib.segment import keep_segments, total_of, with_type
    from MedFusionLib.segment.measures import UNITS
    from MedFusionLib.segmentation import segment_type
    from MedFusionLib.tumour import as_region, segment_tumour
    from MedFusionLib.volume import Case

    started = time.perf_counter()
    check_segmentation_target(arguments.out, overwrite=arguments.overwrite)
    if arguments.type:
        segment_type(arguments.type)
    case = Case(read_sources(arguments.sources, arguments))
    marks = {
        "seed": parse_point(arguments.seed),
        "roi": as_region(arguments.roi),
        "liver": parse_point(arguments.liver),
        "blood_pool": parse_point(arguments.blood_pool),
    }
    found = segment_tumour(case, arguments.method, **marks, force=arguments.force)
    if arguments.keep:
        found = keep_segments(found, _numbers(arguments.keep))
    comparison = _comparison(case, marks) if arguments.compare else None
    if arguments.type:  # a model may know more than "mass"
        found = with_type(found, arguments.type)
    path = save_segmentation(found, arguments.out, overwrite=arguments.overwrite)
    return {
        "out": str(path),
        "method": arguments.method,
        "segments": [{"label": s.label, **measures} for s, measures in zip(found.segments, found.measures)],
        "total": total_of(found.measures),
        "units": UNITS,
        "evidence": found.evidence,
        "notes": list(found.source.notes),
        "comparison": comparison,
        "seconds": time.perf_counter() - started,
    }


def show(document: dict) -> str:
    """The lesions with their numbers, and what the result leans on."""
    lines = [f"Written: {document['out']}", *(f"  {note}" for note in document["notes"])]
    for measures in document["segments"]:
        lines.append("")
        lines.append(f"{measures['label']}: {measures['name']}")
        rows = [(words, f"{measures[key]:.2f} {unit}".rstrip()) for words, key, unit in _ROWS if key in measures]
        lines.extend(f"  {words:17} {value}" for words, value in rows)
    if document["comparison"]:
        lines.append("")
        lines.append(_comparison_table(document["comparison"]))
    return "\n".join(lines)


def _comparison(case, marks: dict) -> dict:
    from dataclasses import asdict

    from MedFusionLib.segment import compare_rules
    from MedFusionLib.segment.catalogue import first_pet

    pet = first_pet(case.sources, "--compare")
    region = None if marks["roi"] is None else marks["roi"].mask_on(pet.geometry)
    points = {key: marks[key] for key in ("seed", "liver", "blood_pool")}
    return asdict(compare_rules(pet, region=region, **points))


def _comparison_table(comparison: dict) -> str:
    rows = [
        (one["rule"], "-" if one["threshold_suv"] is None else f"{one['threshold_suv']:.2f}",
         one["refused"] or f"{one['volume_ml']:.2f}", "" if one["refused"] else f"{one['dice']:.2f}")
        for one in comparison["outcomes"]
    ]  # fmt: skip
    spread = (
        f"{comparison['smallest_ml']:.1f} to {comparison['largest_ml']:.1f} ml, median {comparison['median_ml']:.1f}"
    )
    return table(rows, ("rule", "SUV", "ml", "Dice with the vote")) + f"\nSpread: {spread} ml"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"The labels {text!r}", "whole numbers, for example 1,3") from error


COMMAND = Command("segment", "outline and measure a tumour", add_arguments, run, show)
