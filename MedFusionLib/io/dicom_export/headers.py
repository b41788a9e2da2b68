"""Headers of a reference series, cut down to what an export needs and mended where they are illegal."""

from __future__ import annotations

import copy
import datetime
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from MedFusionLib.errors import UnreadableFile

if TYPE_CHECKING:
    from pydicom import Dataset

PATIENT_AND_STUDY = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "OtherPatientIDs", "EthnicGroup", "PatientComments", "PatientSpeciesDescription", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber", "StudyDescription", "PatientAge", "PatientSize", "PatientWeight", "PregnancyStatus",
)  # fmt: skip
_IMAGE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality",
    "BodyPartExamined", "Laterality", "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition",
    "InstanceNumber", "ImageType", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "PixelRepresentation", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "RecognizableVisualFeatures", "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
)  # fmt: skip
_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "Manufacturer",
)  # fmt: skip
_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_FORMS = {
    "PatientBirthDate": _DATE,
    "PatientAge": r"\d{3}[DWMY]",
    "PatientSex": "[MFO]",
    "StudyDate": _DATE,
    "StudyTime": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
}
_LONGEST = {"SH": 16, "CS": 16, "LO": 64}
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def trimmed(dataset: Dataset) -> Dataset:
    """Known elements only, decoded; values that no object may carry are emptied."""
    from pydicom import Dataset

    kept = Dataset()
    for keyword in (*PATIENT_AND_STUDY, *_IMAGE):
        if keyword in dataset:
            kept[keyword] = copy.copy(dataset[keyword])
    for keyword in _MAY_BE_EMPTY:
        if keyword not in kept:
            setattr(kept, keyword, "")
    for keyword, form in _FORMS.items():
        if keyword in kept and not _has_form(str(kept[keyword].value or ""), form):
            kept.pop(keyword)
            setattr(kept, keyword, "")
    kept.SpecificCharacterSet = "ISO_IR 192"
    if hasattr(dataset, "file_meta"):
        kept.file_meta = dataset.file_meta
    return kept


def illegal(dataset: Dataset) -> list[str]:
    """Elements that are stated in no legal form."""
    stated = {keyword: str(dataset.get(keyword) or "") for keyword in _FORMS}
    return [keyword for keyword, text in stated.items() if text and not _has_form(text, _FORMS[keyword])]


def _has_form(text: str, form: str) -> bool:
    """Whether text has the form, and a date exists."""
    if not re.fullmatch(form, text):
        return False
    try:
        return form is not _DATE or bool(datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])))
    except ValueError:
        return False


def state_spacing(header: Dataset, step_mm: float) -> None:
    """SpacingBetweenSlices as the positions have it, and a SliceThickness that is a positive number."""
    thickness = str(header.get("SliceThickness") or "")
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        header.pop(keyword, None)
    is_number = re.fullmatch(r"\s*\+?\d+(\.\d*)?\s*", thickness) and float(thickness) > 0
    header.SliceThickness = round(float(thickness), 6) if is_number else round(step_mm, 6)
    header.SpacingBetweenSlices = round(step_mm, 6)


def shorten(dataset: Dataset) -> list[str]:
    """Cut text that is longer than its kind of element may be; returns the keywords."""
    cut = []
    for element in dataset:
        longest = _LONGEST.get(element.VR)
        if longest and isinstance(element.value, str) and len(element.value) > longest:
            element.value = element.value[:longest]
            cut.append(element.keyword)
    return cut


def check_uids(label: str, headers: Sequence[Dataset]) -> None:
    """Refuse headers without valid UIDs of instance, series, study and frame of reference.

    Raises
    ------
    UnreadableFile
        Naming the element.
    """
    for header in headers:
        for keyword in (*_REQUIRED, "FrameOfReferenceUID"):
            value = str(header.get(keyword) or "")
            if not _UID.fullmatch(value) or len(value) > 64:
                raise UnreadableFile(
                    f"{label} has no valid {keyword}", "a UID in every file",
                    "An object can only refer to a series that identifies itself: choose the original series",
                )  # fmt: skip
