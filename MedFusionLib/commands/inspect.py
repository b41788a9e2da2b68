"""medfusion inspect: what is in files, folders and archives."""

from __future__ import annotations

from MedFusionLib.commands.base import Command, add_meaning_arguments, progress_bar, spread


def add_arguments(parser) -> None:
    """PATH..."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="image files, folders of DICOM series, a DICOMDIR, or zip archives"
    )
    add_meaning_arguments(parser)


def run(arguments) -> dict:
    """Describe every volume."""
    from MedFusionLib.io import inspect_path

    count = len(arguments.paths)
    modalities, units = spread(arguments.modality, count, "modality"), spread(arguments.unit, count, "unit")
    found = zip(arguments.paths, modalities, units)
    with progress_bar("Reading headers") as progress:
        return {"volumes": [entry for path, m, u in found for entry in inspect_path(path, m, u, progress)]}


def show(document: dict) -> str:
    """A paragraph per volume."""
    paragraphs = []
    for volume in document["volumes"]:
        lines = [volume["path"]]
        if volume["kind"] != "image" or volume["files"] > 1:
            part = f", part {volume['part']}" if volume["part"] else ""
            series = f", series {volume['series']}" if volume["series"] else ""
            lines.append(f"  {volume['kind']} of {volume['files']} files, {volume['modality']}{series}{part}")
        if volume["description"]:
            lines.append(f"  {volume['description']}")
        if volume["shape_kji"]:
            voxels = " x ".join(str(n) for n in reversed(volume["shape_kji"]))
            spacing = " x ".join(f"{s:.4g}" for s in volume["spacing_mm"])
            lines.append(f"  {volume['modality']}, {volume['unit'] or 'unit unknown'}, {voxels} voxels of {spacing} mm")
        if volume["min"] is not None:
            lines.append(f"  values {volume['min']:.6g} to {volume['max']:.6g}")
        lines.extend(f"  ! {problem}" for problem in volume["problems"])
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


COMMAND = Command("inspect", "say what is in files, folders and archives", add_arguments, run, show)
