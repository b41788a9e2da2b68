"""Read a marked region, however it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io.dicom_contours import STRUCTURE_SET, read_contours
from MedFusionLib.io.dicom_files import SEGMENTATIONS, Header, is_dicom, read_headers
from MedFusionLib.io.dicom_seg import read_dicom_segmentation
from MedFusionLib.io.identity import hashed_uid
from MedFusionLib.io.read import has_reader
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Volume


def read_dicom_marks(path: str | Path, volumes: Sequence[Volume]) -> Segmentation | None:
    """The DICOM Segmentation or RT Structure Set in a file or folder; None for files of other kinds.

    Parameters
    ----------
    path : path
        A DICOM file, or a folder that holds one such object.
    volumes : sequence of Volume
        What contours may have been drawn on: the one whose series the structure set names, else the first in its frame
        of reference, else the first.

    Raises
    ------
    UnreadableFile
        When a folder holds no such object or several, or the object is broken.
    NotSupported
        When contours do not lie in the slices of the volume, or segments overlap.
    """
    path = Path(path)
    if path.is_file() and (has_reader(path) or not is_dicom(path)):
        return None
    found = [header for header in read_headers(path) if header.kind in (STRUCTURE_SET, *SEGMENTATIONS)]
    if len(found) != 1:
        raise UnreadableFile(
            f"{path.name} holds {len(found)} DICOM Segmentations and RT Structure Sets", "one", "Give the file itself"
        )
    if found[0].kind in SEGMENTATIONS:
        return read_dicom_segmentation(found[0].path)
    return read_contours(found[0].path, _drawn_on(found[0], volumes))


def _drawn_on(header: Header, volumes: Sequence[Volume]) -> Volume:
    series = {hashed_uid(uid) for uid in _referenced_series(header.dataset)}
    frames = {
        hashed_uid(roi.get("ReferencedFrameOfReferenceUID"))
        for roi in header.dataset.get("StructureSetROISequence") or ()
    }
    named = [volume for volume in volumes if volume.source.series in series - {""}]
    near = [volume for volume in volumes if volume.source.frame_of_reference in frames - {""}]
    return (named or near or list(volumes))[0]


def _referenced_series(dataset) -> list[str]:
    return [
        str(series.get("SeriesInstanceUID", ""))
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
    ]
