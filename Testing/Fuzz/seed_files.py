"""Sound files to start from: a mutation of nothing finds nothing.

Compressed pixels are left out: each would start the process of the codecs, which ends on its own limits.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom

from dicom_multiframe import write_enhanced, write_spect
from dicom_structures import registration
from dicom_writer import Recipe, pet_tags, write_series
from export_cases import ExportCase
from MedFusionLib.io import write_volume
from MedFusionLib.io.dicom_export import export_result
from MedFusionLib.io.segmentation_file import save_segmentation
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Volume

SHAPE = (2, 3, 4)
ROI = {"markups": [{"type": "ROI", "roiType": "Box", "coordinateUnits": "mm", "coordinateSystem": "LPS",
                    "center": [1.0, 2.0, 3.0], "size": [4.0, 5.0, 6.0], "orientation": [1, 0, 0, 0, 1, 0, 0, 0, 1],
                    "insideOut": False}]}  # fmt: skip


def write_seeds(folder: Path) -> list[tuple[str, Path]]:
    """Write the files; suffix and path of each."""
    volume = Volume(np.arange(24, dtype=np.float32).reshape(SHAPE), Geometry(SHAPE, np.eye(4)))
    found = [(suffix, write_volume(volume, folder / f"a{suffix}")) for suffix in (".nii", ".nii.gz", ".nrrd", ".mha")]
    for name, recipe in {
        "ct": Recipe("CT", shape=(1, 3, 4)), "pet": Recipe("PT", shape=(1, 3, 4), tags=pet_tags()),
    }.items():  # fmt: skip
        write_series(folder / name, recipe)
        found.append((".dcm", next((folder / name).iterdir())))
    write_enhanced(folder / "mr.dcm", Recipe("MR", shape=SHAPE))
    write_spect(folder / "nm.dcm", Recipe("MR", shape=SHAPE), 3.0)
    found += [(".dcm", folder / "mr.dcm"), (".dcm", folder / "nm.dcm"), *_derived(folder)]
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "nm.dcm", "a.dcm")
    labels = np.arange(24, dtype=np.uint8).reshape(SHAPE) % 3
    segmentation = Segmentation(labels, Geometry(SHAPE, np.eye(4)), (Segment(1, "one"), Segment(2, "two")))
    found.append((".seg.nrrd", save_segmentation(segmentation, folder / "a.seg.nrrd")))
    (folder / "a.mrk.json").write_text(json.dumps(ROI), encoding="utf-8")
    return [*found, (".zip", folder / "a.zip"), (".mrk.json", folder / "a.mrk.json")]


def _derived(folder: Path) -> list[tuple[str, Path]]:
    """What other programs make of images, and a deflated image."""
    case = ExportCase(folder / "case")
    export_result(case.result(), case.references, ("pm", "seg", "rtstruct"), folder / "out")
    deflated = pydicom.dcmread(folder / "nm.dcm")
    deflated.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    deflated.save_as(folder / "deflated.dcm")
    matrix = registration(folder, [np.eye(4)])
    return [(".dcm", path) for path in (*sorted((folder / "out").rglob("*.dcm")), folder / "deflated.dcm", matrix)]
