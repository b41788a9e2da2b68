"""medfusion inspect: what is in files and folders."""

from __future__ import annotations

from MedFusionLib.commands.base import Command, add_reading_arguments, spread


def add_arguments(parser) -> None:
    """PATH..."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image files, or folders of DICOM series")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """Describe every volume."""
    from MedFusionLib.io import inspect_path

    count = len(arguments.paths)
    modalities, units = spread(arguments.modality, count, "modality"), spread(arguments.unit, count, "unit")
    found = zip(arguments.paths, modalities, units)
    return {"volumes": [entry for path, m, u in found for entry in inspect_path(path, m, u)]}


def show(document: dict) -> str:
    """A paragraph per volume."""
    paragraphs = []
    for volume in document["volumes"]:
        lines = [volume["path"]]
        if volume["shape_kji"]:
            voxels = " x ".join(str(n) for n in reversed(volume["shape_kji"]))
            spacing = " x ".join(f"{s:.4g}" for s in volume["spacing_mm"])
            lines.append(f"  {volume['modality']}, {volume['unit'] or 'unit unknown'}, {voxels} voxels of {spacing} mm")
            lines.append(f"  values {volume['min']:.6g} to {volume['max']:.6g}")
        lines.extend(f"  ! {problem}" for problem in volume["problems"])
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


COMMAND = Command("inspect", "say what is in files and folders", add_arguments, run, show)
