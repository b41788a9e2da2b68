"""RT Structure Set: the tumour as closed planar contours on the reference slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import NotSupported
from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.contours import slice_contours
from MedFusionLib.io.dicom_export.planes import Placement, Planes
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.segmentation_object import present_segments, renumbered
from MedFusionLib.io.dicom_export.stamp import RESEARCH, Stamp
from MedFusionLib.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom import Dataset

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"


def structure_set(
    segmentation: Segmentation, placement: Placement, references: tuple[Reference, ...], stamp: Stamp
) -> Dataset:
    """The segments as an RT Structure Set, one ROI per segment, unapproved.

    Parameters
    ----------
    segmentation : Segmentation
        On the grid that was placed, which must be the reference's own.
    placement : Placement
        From `planes.place` with ``same_grid_only``.
    references : tuple of Reference
        The first one is contoured.
    stamp : Stamp
        Kind ``"rtstruct"``.

    Raises
    ------
    NotSupported
        On a grid that is not the reference's.
    UsageError
        When no voxel is labelled.
    """
    if not placement.planes.on_reference:
        raise NotSupported("Contours off the slices of the series", "the grid of the reference series")
    reference = references[0]
    present = present_segments(segmentation)
    labels = renumbered(placement.apply(segmentation.labels), present)
    dataset = objects.empty_object(STRUCTURE_SET, "RTSTRUCT", reference, stamp)
    dataset.OperatorsName = ""
    dataset.StructureSetLabel = "TUMOUR"
    dataset.StructureSetName = RESEARCH
    dataset.StructureSetDescription = stamp.derivation
    dataset.StructureSetDate, dataset.StructureSetTime = stamp.made.date(), stamp.made.time()
    dataset.ApprovalStatus = "UNAPPROVED"
    objects.add_frame_of_reference(dataset, reference)
    objects.add_equipment(dataset, references)
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_frame(reference)]
    dataset.StructureSetROISequence = [_roi(s, n, reference) for n, s in enumerate(present, start=1)]
    dataset.ROIContourSequence = [
        _contours(segment, number, labels == number, placement.planes, reference)
        for number, segment in enumerate(present, start=1)
    ]
    dataset.RTROIObservationsSequence = [_observation(n) for n in range(1, len(present) + 1)]
    return dataset


def _referenced_frame(reference: Reference) -> Dataset:
    from pydicom import Dataset

    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = reference.first.SeriesInstanceUID
    series.ContourImageSequence = [objects.instance_item(header) for header in reference.headers]
    study.ReferencedSOPClassUID = DETACHED_STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = reference.first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = reference.first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(segment: Segment, number: int, reference: Reference) -> Dataset:
    from pydicom import Dataset

    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = reference.first.FrameOfReferenceUID
    roi.ROIName = segment.name[:64]
    roi.ROIDescription = "Contours halfway between voxels; " + RESEARCH
    roi.ROIGenerationAlgorithm = "SEMIAUTOMATIC"
    return roi


def _contours(segment: Segment, number: int, mask: np.ndarray, planes: Planes, reference: Reference) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ROIDisplayColor = [round(255 * part) for part in segment.colour]
    item.ReferencedROINumber = number
    item.ContourSequence = [
        _contour(ring, k, planes, reference)
        for k in np.flatnonzero(mask.any(axis=(1, 2)))
        for ring in slice_contours(mask[k])
    ]
    return item


def _contour(ring: np.ndarray, k: int, planes: Planes, reference: Reference) -> Dataset:
    """One closed planar contour; points in LPS mm to a ten-thousandth."""
    from pydicom import Dataset

    points = (
        planes.positions[k]
        + ring[:, :1] * planes.spacing[1] * planes.orientation[:3]
        + ring[:, 1:] * planes.spacing[0] * planes.orientation[3:]
    )
    contour = Dataset()
    contour.ContourImageSequence = [reference.image(int(k))]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points)
    contour.ContourData = [f"{value:.4f}" for value in points.ravel()]
    return contour


def _observation(number: int) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType = ""
    item.ROIInterpreter = ""
    return item
