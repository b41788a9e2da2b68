"""A reference series on disk and a fusion result on its grid, for tests of the export."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from dicom_writer import Recipe, write_series
from MedFusionLib import units
from MedFusionLib.intensity import Window
from MedFusionLib.io.dicom_export import read_reference
from MedFusionLib.result import FusionResult, Verdict
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Origin, Volume

needs_validator = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="no dciodvfy here: install the Debian package dicom3tools"
)
BIRTH_DATE = "19010203"
STUDY = {
    "StudyDate": "20200101", "StudyTime": "101500", "StudyID": "17", "AccessionNumber": "A-99",
    "PatientBirthDate": BIRTH_DATE, "PatientSex": "F", "ReferringPhysicianName": "Sentinel^Doctor",
    "Manufacturer": "Maker", "ManufacturerModelName": "Scanner", "BodyPartExamined": "CHEST",
}  # fmt: skip


@dataclass
class ExportCase:
    """Folders of two series in one study and one frame of reference, and a result on the first one's grid."""

    folder: Path
    plane: str = "axial"
    study: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)
    tags: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        tags = {**STUDY, "StudyInstanceUID": self.study, **self.tags}
        self.anatomy = self.folder / "mr"
        self.function = self.folder / "pt"
        write_series(self.anatomy, Recipe("MR", self.plane, tags=tags, frame=self.frame))
        other = Recipe("PT", self.plane, (5, 7, 6), (2.5, 3.0, 4.0), tags=tags, frame=self.frame, slopes=(1.0, 2.0))
        write_series(self.function, other)
        self.reference = read_reference(self.anatomy)

    @property
    def references(self) -> tuple:
        return (self.reference, read_reference(self.function))

    def result(self, geometry: Geometry | None = None, **changes) -> FusionResult:
        """Voxels that differ everywhere; two lesions, one of them with a hole."""
        geometry = geometry or self.reference.geometry
        rng = np.random.default_rng(3)
        fused = Volume(rng.random(geometry.shape, np.float32), geometry, "OT", units.FUSION_INDEX, "fused")
        origin = Origin(series=self.reference.series, frame_of_reference=self.reference.frame_of_reference)
        sources = (
            Volume(1000 * fused.array, geometry, "MR", units.ARBITRARY, "mr", origin),
            Volume(10 * fused.array, geometry, "PT", units.SUV_BODY_WEIGHT, "pet"),
        )
        fields = {
            "fused": fused,
            "sources": sources,
            "windows": (Window(0, 1000, "[arb'U]"), Window(0, 10, "{SUVbw}g/ml")),
            "colour": rng.integers(0, 256, (*geometry.shape, 3), np.uint8),
            "contribution": None,
            "invention": None,
            "alignment": Verdict("pass"),
            "tumour": lesions(geometry),
            "provenance": {"parameters": {"method": "average", "mode": "volume", "tumour": "suv2.5"}},
        }
        return FusionResult(**{**fields, **changes})


def lesions(geometry: Geometry) -> Segmentation:
    """A ring in two slices (label 1) and a small block (label 5), with measures."""
    labels = np.zeros(geometry.shape, np.uint8)
    labels[1:3, 1:6, 2:7] = 1
    labels[1:3, 3, 4] = 0
    labels[4:5, 2:4, 1:3] = 5
    segments = (Segment(1, "Lesion 1"), Segment(5, "Lesion 2", (1.0, 0.3, 0.2)))
    statistics = {"modality": "MR", "unit": "[arb'U]", "voxels": 48, "min": 1.0, "max": 9.0, "mean": 4.0, "sd": 2.0}
    first = {"name": "Lesion 1", "volume_ml": 0.432, "suv_max": 9.5, "suv_mean": 4.25, "tlg_g": 1.836,
             "sources": [statistics]}  # fmt: skip
    return Segmentation(labels, geometry, segments, (first, {"name": "Lesion 2", "volume_ml": 0.036, "sources": []}))


def validator_errors(path) -> list[str]:
    """The errors, not the warnings, that dciodvfy reports for a file."""
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
    told = (done.stdout + done.stderr).decode(errors="replace")
    return [line for line in told.splitlines() if line.startswith("Error")]
