"""Write small RT Structure Sets and Spatial Registrations."""

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
    dataset = _object("1.2.840.10008.5.1.4.1.1.481.3")
    dataset.Modality = "RTSTRUCT"
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


def registration(
    folder: Path,
    matrices: Sequence[np.ndarray],
    kind: str = "RIGID",
    sop: str = "1.2.840.10008.5.1.4.1.1.66.1",
    frames: tuple[str, str] = ("1.2.3", "1.2.4"),
) -> Path:
    """A registration from the second frame of reference into the first: (4, 4) matrices in LPS, in their order."""
    dataset = _object(sop)
    dataset.FrameOfReferenceUID = frames[0]
    item, inner = Dataset(), Dataset()
    item.FrameOfReferenceUID, inner.MatrixSequence = frames[1], []
    for matrix in matrices:
        step = Dataset()
        step.FrameOfReferenceTransformationMatrixType = kind
        step.FrameOfReferenceTransformationMatrix = [f"{v:.12g}" for v in np.ravel(matrix)]
        inner.MatrixSequence.append(step)
    item.MatrixRegistrationSequence = [inner]
    dataset.RegistrationSequence = [item]
    dataset.save_as(folder / "reg.dcm", enforce_file_format=True)
    return folder / "reg.dcm"


def _object(sop: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.PatientName, dataset.PatientID = sop, SENTINEL, "sentinel-id"
    return dataset
