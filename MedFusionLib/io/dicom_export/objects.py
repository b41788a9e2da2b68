"""Parts that several kinds of exported objects share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.io.dicom_export.planes import Planes
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.stamp import (
    Stamp,
    add_lossy_history,
    derivation_codes,
    shows_recognisable_features,
)
from MedFusionLib.io.dicom_real_world import FUSION_INDEX_LABEL

if TYPE_CHECKING:
    from pydicom import Dataset

UNPAIRED_PARTS = (
    "HEAD", "BRAIN", "SKULL", "NECK", "HEADNECK", "CHEST", "ABDOMEN", "PELVIS", "CHESTABDOMEN", "ABDOMENPELVIS",
    "CHESTABDPELVIS", "WHOLEBODY", "HEART", "LIVER", "PROSTATE", "PANCREAS", "SPINE", "CSPINE", "TSPINE", "LSPINE",
)  # fmt: skip

FUSION_INDEX = ("fusion-index", "99MEDFUSION", "Fusion index")
"""What the numbers are; DICOM has no code for it. The unit is UCUM ``1``."""


def empty_object(sop_class: str, modality: str, reference: Reference, stamp: Stamp, number: int = 1) -> Dataset:
    """A new object with the patient and study of the reference, in a series of its own."""
    import highdicom as hd
    from pydicom.uid import ExplicitVRLittleEndian

    first = reference.first
    dataset = hd.SOPClass(
        study_instance_uid=first.StudyInstanceUID,
        sop_class_uid=sop_class,
        modality=modality,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=first.PatientID,
        patient_name=first.PatientName,
        patient_birth_date=first.PatientBirthDate or None,
        patient_sex=first.PatientSex or None,
        accession_number=first.AccessionNumber,
        study_id=first.StudyID,
        study_date=first.StudyDate or None,
        study_time=first.StudyTime or None,
        referring_physician_name=first.ReferringPhysicianName,
        **stamp.series(number),
        **stamp.equipment(),
    )
    stamp.mark(dataset)
    dataset.copy_patient_and_study_information(first)
    return dataset


def add_equipment(dataset: Dataset, references: tuple[Reference, ...]) -> None:
    """The scanners that the sources come from, as far as they name themselves."""
    from highdicom import ContributingEquipment

    named = [reference.first for reference in references if reference.first.get("Manufacturer")]
    if named:
        dataset.ContributingEquipmentSequence = [ContributingEquipment.for_image_acquisition(one) for one in named]
    elif "ContributingEquipmentSequence" in dataset:
        del dataset.ContributingEquipmentSequence


def finish_image(dataset: Dataset, references: tuple[Reference, ...], stamp: Stamp, *, burned_in: bool) -> None:
    """Add what every derived image states: derivation, lossy history, burned-in text, recognisable features."""
    dataset.DerivationDescription = stamp.derivation
    if codes := derivation_codes(stamp):
        dataset.DerivationCodeSequence = codes
    stated = any(str(reference.first.get("BurnedInAnnotation") or "") == "YES" for reference in references)
    dataset.BurnedInAnnotation = "YES" if burned_in or stated else "NO"
    dataset.RecognizableVisualFeatures = "YES" if shows_recognisable_features(references) else "NO"
    add_equipment(dataset, references)
    add_body_part(dataset, references[0])
    add_lossy_history(dataset, references)


def add_body_part(dataset: Dataset, reference: Reference, *, with_laterality: bool = True) -> None:
    """BodyPartExamined of the reference, and its laterality: empty means unknown, absent an unpaired part."""
    part = str(reference.first.get("BodyPartExamined") or "")
    if part:
        dataset.BodyPartExamined = part
    if side := str(reference.first.get("Laterality") or ""):
        dataset.Laterality = side
    elif with_laterality and part.upper() not in UNPAIRED_PARTS:
        dataset.Laterality = ""


def add_frame_of_reference(dataset: Dataset, reference: Reference) -> None:
    """The frame of reference of the series: viewers link what shares it."""
    dataset.FrameOfReferenceUID = reference.first.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = reference.first.get("PositionReferenceIndicator") or ""


def add_plane(dataset: Dataset, planes: Planes, number: int) -> None:
    """Image plane of a single-frame object."""
    dataset.ImagePositionPatient = decimals(planes.positions[number])
    dataset.ImageOrientationPatient = decimals(planes.orientation)
    dataset.PixelSpacing = decimals(planes.spacing)
    dataset.PatientOrientation = [towards(planes.orientation[:3]), towards(planes.orientation[3:])]
    dataset.SliceThickness, dataset.SpacingBetweenSlices = decimals([planes.step, planes.step])


def towards(direction: np.ndarray) -> str:
    """Letters of the patient directions that a vector in LPS points to, the main one first."""
    letters = [("R", "L"), ("A", "P"), ("H", "F")[::-1]]
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    return "".join(letters[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) > 0.05)


def decimals(values) -> list[str]:
    """Numbers as decimal strings of at most 16 characters, as exact as those allow."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in np.asarray(values, float).ravel()]


def source_items(planes: Planes, number: int, references: tuple[Reference, ...]) -> list[tuple[Reference, Dataset]]:
    """What plane `number` was computed from: its own reference slice, and the slices nearby of the others."""
    own = []
    if planes.on_reference:
        own = [(references[0], source_item(references[0], number, preserved=True))]
    others = references[1:] if planes.on_reference else references
    frame = references[0].frame_of_reference
    return own + [
        (other, source_item(other, index, preserved=False))
        for other in others
        for index in _slices_near(other, planes, number, same_frame=other.frame_of_reference == frame)
    ]


def source_item(reference: Reference, number: int, *, preserved: bool) -> Dataset:
    """An item of SourceImageSequence for slice `number` of a series."""
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    item = reference.image(number)
    item.SpatialLocationsPreserved = "YES" if preserved else "NO"
    purpose, code = Dataset(), codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = code.value, "DCM", code.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def instance_item(source: Dataset) -> Dataset:
    """A reference to an instance, given its header or another reference to it."""
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = source.get("ReferencedSOPClassUID") or source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.get("ReferencedSOPInstanceUID") or source.SOPInstanceUID
    return item


def all_source_items(planes: Planes, references: tuple[Reference, ...]) -> list[tuple[Reference, Dataset]]:
    """What any of the planes was computed from, each instance or frame once."""
    found = {}
    for number in range(len(planes.positions)):
        for reference, item in source_items(planes, number, references):
            found[str(item.ReferencedSOPInstanceUID), item.get("ReferencedFrameNumber")] = reference, item
    return list(found.values())


def add_references(dataset: Dataset, items: list[tuple[Reference, Dataset]]) -> None:
    """SourceImageSequence, and the same instances by series and study (common instance reference)."""
    from pydicom import Dataset

    if items:
        dataset.SourceImageSequence = [item for _, item in items]
    own, others = [], {}
    for reference, members in _by_series(items):
        entry = Dataset()
        entry.SeriesInstanceUID = reference.first.SeriesInstanceUID
        entry.ReferencedInstanceSequence = members
        study = str(reference.first.StudyInstanceUID)
        (own if study == dataset.StudyInstanceUID else others.setdefault(study, [])).append(entry)
    for keyword in ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence"):
        if keyword in dataset:
            del dataset[keyword]
    if own:
        dataset.ReferencedSeriesSequence = own
    if others:
        dataset.StudiesContainingOtherReferencedInstancesSequence = [_study(*entry) for entry in others.items()]


def _by_series(items: list[tuple[Reference, Dataset]]) -> list[tuple[Reference, list[Dataset]]]:
    """Every instance once, by series."""
    found: dict[str, tuple[Reference, dict]] = {}
    for reference, item in items:
        _, members = found.setdefault(str(reference.first.SeriesInstanceUID), (reference, {}))
        members[str(item.ReferencedSOPInstanceUID)] = instance_item(item)
    return [(reference, list(members.values())) for reference, members in found.values()]


def _study(uid: str, series: list[Dataset]) -> Dataset:
    from pydicom import Dataset

    entry = Dataset()
    entry.StudyInstanceUID, entry.ReferencedSeriesSequence = uid, series
    return entry


def _slices_near(reference: Reference, planes: Planes, number: int, *, same_frame: bool) -> list[int]:
    """Slices of a series within one step of a plane; all where planes are not parallel or frames differ."""
    places = reference.positions
    across = reference.geometry.directions[:, 2] * (-1, -1, 1)
    if not same_frame or abs(across @ planes.normal) < 0.999:
        return list(range(len(places)))
    distance = np.abs((places - planes.positions[number]) @ planes.normal)
    return np.flatnonzero(distance < max(planes.step, reference.geometry.spacing_mm[2])).tolist()


def fusion_index_mapping(value_range: tuple[float, float], slope: float = 1.0, intercept: float = 0.0):
    """Item of RealWorldValueMappingSequence: what stored values of a fused volume mean, and in which unit.

    Parameters
    ----------
    value_range : tuple of int or float
        Smallest and largest stored value, integers where integers are stored.
    slope, intercept : float
        From stored values to the fusion index.
    """
    from highdicom.pm import RealWorldValueMapping
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    return RealWorldValueMapping(
        lut_label=FUSION_INDEX_LABEL, lut_explanation="Fusion index, dimensionless, 0 to 1", unit=codes.UCUM.NoUnits,
        value_range=value_range, slope=slope, intercept=intercept, quantity_definition=CodedConcept(*FUSION_INDEX),
    )  # fmt: skip
