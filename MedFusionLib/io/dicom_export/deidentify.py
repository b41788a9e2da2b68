"""De-identified export: the basic profile of PS3.15, with the rules of the library dicom-anonymizer."""

from __future__ import annotations

import copy
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from MedFusionLib.errors import NotSupported

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

EDITION = "2024b"
OWN_TEXT = (
    "SeriesDescription", "DerivationDescription", "ImageComments", "ContentDescription", "ContentLabel",
    "StructureSetLabel", "StructureSetName", "StructureSetDescription", "ROIName", "ROIDescription", "SegmentLabel",
    "DeviceSerialNumber", "SoftwareVersions", "TextValue",
)  # fmt: skip
"""Text that this software wrote itself and that holds no identity: the research mark must stay."""

_NO_TIME = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
"""The same for every object; the library's year 1 is no valid date for some receivers."""
_EMPTIED = ("PatientBirthDate", "PatientBirthTime", "StudyDate", "StudyTime")


class Deidentifier:
    """Removes identity from instances; UIDs are replaced consistently within one of these.

    dicom-anonymizer knows what PS3.15 table E.1-1 asks for each element, but applies it to the
    outermost elements only; so its rules are applied here to every level, and sequences, all of
    which this software wrote, are cleaned rather than emptied.

    Raises
    ------
    NotSupported
        When the library is not installed.
    """

    def __init__(self) -> None:
        try:
            from dicomanonymizer import simpledicomanonymizer
        except ImportError as error:
            raise NotSupported(
                "De-identified export needs the library dicom-anonymizer", "pip install medfusion[deidentify]"
            ) from error
        self._rules = simpledicomanonymizer.initialize_actions(f"dicomfields_{EDITION}")
        self._replaces_uid = simpledicomanonymizer.replace_UID
        self._key = secrets.token_bytes(32)
        self._made: set[str] = set()

    def all(self, instances: Iterable[tuple[str, Dataset]]) -> Iterator[tuple[str, Dataset]]:
        """Clean instances one after the other."""
        for name, dataset in instances:
            self.clean(dataset)
            yield name, dataset

    def clean(self, dataset: Dataset) -> None:
        """Clean one instance in place and state how."""
        from highdicom.sr import CodedConcept

        self._clean_level(dataset, set())
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        for keyword in ("PatientIdentityRemoved", "DeidentificationMethod"):
            dataset.pop(keyword, None)  # never change an element that the reference header shares
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = f"PS3.15 {EDITION} Basic Profile"
        dataset.DeidentificationMethodCodeSequence = [
            CodedConcept("113100", "DCM", "Basic Application Confidentiality Profile"),
            CodedConcept("113105", "DCM", "Clean Descriptors Option"),
        ]
        dataset.LongitudinalTemporalInformationModified = "REMOVED"

    def new_uid(self, uid: str) -> str:
        """The UID that stands for another one (a new one for itself); it cannot be turned back."""
        if uid in self._made:
            return uid
        digest = hmac.new(self._key, str(uid).encode("ascii", "replace"), hashlib.sha256).digest()
        self._made.add(new := f"2.25.{int.from_bytes(digest[:15], 'big')}")
        return new

    def _clean_level(self, dataset: Dataset, done: set[int]) -> None:
        if id(dataset) in done:  # one item may stand in several sequences
            return
        done.add(id(dataset))
        dataset.remove_private_tags()
        for element in list(dataset):
            if element.VR == "SQ":
                self._clean_sequence(dataset, element, done)
            elif element.keyword not in OWN_TEXT:
                self._apply(dataset, element)

    def _clean_sequence(self, dataset: Dataset, element: DataElement, done: set[int]) -> None:
        if element.keyword == "ContributingEquipmentSequence":  # the hospital's scanners
            del dataset[element.tag]
            return
        for item in element.value:
            self._clean_level(item, done)

    def _apply(self, dataset: Dataset, element: DataElement) -> None:
        tag = (element.tag.group, element.tag.element)
        rule = self._rules.get(tag)
        if rule is None:
            return
        dataset[element.tag] = copy.copy(element)  # it may be the reference header's own
        if element.VR in _NO_TIME:
            dataset[element.tag].value = _NO_TIME[element.VR] if element.keyword not in _EMPTIED else ""
        elif rule is self._replaces_uid:
            values = [element.value] if isinstance(element.value, str) else list(element.value)
            new = [self.new_uid(value) for value in values]
            dataset[element.tag].value = new if len(new) > 1 else new[0]
        else:
            rule(dataset, tag)
