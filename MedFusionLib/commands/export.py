"""medfusion export: a result as standard DICOM."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, existing_folder, interruptible, table
from MedFusionLib.io.dicom_export.stamp import KINDS


def add_arguments(parser) -> None:
    """RESULT_DIR, the reference series, and what to write."""
    parser.add_argument("result", metavar="RESULT_DIR", help="result folder of: medfusion fuse")
    parser.add_argument(
        "--reference", metavar="DICOM_DIR", action="append", required=True,
        help="series of the first source; give it again for the series of further sources",
    )  # fmt: skip
    parser.add_argument(
        "--as", dest="kinds", required=True, metavar="KIND[,KIND...]", help="one or more of " + ", ".join(KINDS)
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder; each kind gets a folder of its own in it")
    parser.add_argument("--multi-frame", action="store_true", help="sc and sc-grey as one object")
    parser.add_argument("--banner", action="store_true", help="draw the research mark into colour pictures")
    parser.add_argument("--deidentify", action="store_true", help="PS3.15 basic profile (extra: deidentify)")
    parser.add_argument("--overwrite", action="store_true", help="replace an older export of the same kind")


def run(arguments) -> dict:
    """Read the result and the series, write the objects."""
    from MedFusionLib.io.dicom_export.facade import check_kinds, export_result
    from MedFusionLib.io.dicom_export.kinds import ExportOptions
    from MedFusionLib.io.results import load_result

    kinds = [kind.strip() for kind in arguments.kinds.split(",")]
    check_kinds(kinds)
    folder = existing_folder(arguments.result)
    options = ExportOptions(
        overwrite=arguments.overwrite, multiframe=arguments.multi_frame, banner=arguments.banner,
        deidentify=arguments.deidentify,
    )  # fmt: skip
    with interruptible() as cancelled:
        export = export_result(
            load_result(folder), arguments.reference, kinds, arguments.out, options, cancelled=cancelled
        )
    return export.as_json()


def show(document: dict) -> str:
    """Where the objects are, and warnings."""
    found: dict[tuple, list[dict]] = {}
    for entry in document["instances"]:
        found.setdefault((entry["kind"], str(Path(entry["path"]).parent)), []).append(entry)
    rows = [
        (kind, len(entries), sum(e["frames"] for e in entries), folder) for (kind, folder), entries in found.items()
    ]
    lines = [table(rows, ("kind", "files", "frames", "folder"))]
    lines.extend(f"! {warning}" for warning in document["warnings"])
    return "\n".join(lines)


COMMAND = Command("export", "write a result as standard DICOM", add_arguments, run, show)
