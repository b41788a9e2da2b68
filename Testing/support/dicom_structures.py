"""Write small RT Structure Sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicom_writer import SENTINEL
from MedFusionLib.volume import Volume


def structure_set(folder: Path, contours: Sequence[np.ndarray], frame: str, name: str = "Target") -> Path:
    """A structure set of one region, whose closed contours are (n, 3) points in LPS, mm."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.PatientName, dataset.PatientID, dataset.Modality = SENTINEL, "sentinel-id", "RTSTRUCT"
    roi, drawn = Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = 1, name, frame
    drawn.ReferencedROINumber, drawn.ROIDisplayColor, drawn.ContourSequence = 1, [255, 0, 0], []
    for points in contours:
        item = Dataset()
        item.ContourGeometricType = "CLOSED_PLANAR"
        item.ContourData = [f"{v:.4f}" for v in np.ravel(points)]
        drawn.ContourSequence.append(item)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [roi], [drawn]
    dataset.save_as(folder / "rs.dcm", enforce_file_format=True)
    return folder / "rs.dcm"


def square(volume: Volume, slice_number: int, low: float, high: float) -> np.ndarray:
    """Corners in LPS, mm, of a square between two voxel coordinates in a slice."""
    corners = [(low, low), (high, low), (high, high), (low, high)]
    return volume.geometry.to_ras([(i, j, slice_number) for i, j in corners]) * (-1, -1, 1)
