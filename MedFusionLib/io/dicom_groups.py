"""Elements of one frame of a multi-frame object: its functional groups, those of all frames, and the top.

After DICOM PS3.3: multi-frame functional groups (C.7.6.16) and legacy converted objects (A.70 to A.72), which keep what
single images said and functional groups have no place for in sequences of "unassigned" attributes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

LEGACY_CONVERTED = (
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.128.1",
)
"""CT, MR and PET objects that were made of single images."""
_PER_FRAME, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
_UNASSIGNED = ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence")
_SEQUENCES = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "NominalPercentageOfCardiacPhase": "CardiacSynchronizationSequence",
    "NominalPercentageOfRespiratoryPhase": "RespiratorySynchronizationSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "StackID": "FrameContentSequence",
}
_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence",
                "ParametricMapFrameTypeSequence")  # fmt: skip


def has_groups(dataset: Dataset) -> bool:
    """Whether an object describes its frames one by one."""
    return _PER_FRAME in dataset


def lookup(dataset: Dataset, number: int, keyword: str):
    """An element of one frame: from its functional groups, the shared ones, or the top; None when absent."""
    if has_groups(dataset):
        for name in _FRAME_TYPES if keyword == "FrameType" else (_SEQUENCES.get(keyword), *_UNASSIGNED):
            items = item_list(dataset, number, name) if name else None
            if items and items[0].get(keyword) not in (None, ""):
                return items[0].get(keyword)
    value = dataset.get(keyword)
    return None if value == "" else value


def item_list(dataset: Dataset, number: int, name: str):
    """A sequence of the functional groups: of the frame, else of all frames; None when absent."""
    shared = dataset.get(_SHARED) or ()
    groups = (dataset[_PER_FRAME].value[number], *shared[:1])
    return next((group.get(name) for group in groups if group.get(name)), None)


def single_image(dataset: Dataset, number: int) -> Dataset:
    """What the header of one frame of a legacy converted object said when the frame was an image of its own."""
    from pydicom import Dataset

    found = Dataset()
    for element in dataset:
        if element.keyword not in (_PER_FRAME, _SHARED, "NumberOfFrames"):
            found.add(copy.copy(element))
    for group in (*(dataset.get(_SHARED) or ())[:1], dataset[_PER_FRAME].value[number]):
        for sequence in group:
            if sequence.VR == "SQ" and sequence.value:
                for element in sequence.value[0]:
                    found.add(copy.copy(element))
    _restore_times(found)
    return found


def _restore_times(image: Dataset) -> None:
    """Single images state date, time and duration of the acquisition in elements of their own."""
    moment = str(image.get("FrameAcquisitionDateTime", "") or "")
    if len(moment) > 8:
        image.AcquisitionDate, image.AcquisitionTime = moment[:8], moment[8:].split("+")[0].split("-")[0]
    duration = image.get("FrameAcquisitionDuration")
    if duration is not None and "ActualFrameDuration" not in image:
        image.ActualFrameDuration = round(float(duration))
