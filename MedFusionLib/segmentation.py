"""Segmentation: labelled voxels on a grid, with what each label means."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from MedFusionLib.errors import NotSupported, UsageError, printable
from MedFusionLib.volume import Geometry, Origin


@dataclass(frozen=True)
class Code:
    """A coded concept: value, coding scheme and meaning, as DICOM writes it."""

    value: str
    meaning: str
    scheme: str = "SCT"


MORPHOLOGICALLY_ABNORMAL_STRUCTURE = Code("49755003", "Morphologically Altered Structure")
MASS = Code("4147007", "Mass")
NEOPLASM = Code("108369006", "Neoplasm")
PRIMARY_NEOPLASM = Code("86049000", "Neoplasm, Primary")
SECONDARY_NEOPLASM = Code("14799000", "Neoplasm, Secondary")
OEDEMA = Code("79654002", "Edema")
NECROSIS = Code("6574001", "Necrosis")


@dataclass(frozen=True)
class Segment:
    """One label.

    Parameters
    ----------
    label : int
        Value in the label array, 1..255.
    name : str
        Name for people; control characters, which could steer a terminal, become question marks.
    colour : tuple of float
        Red, green, blue in 0..1.
    type_code, category_code : Code
        SNOMED CT concepts. The default type is Mass: "neoplasm" is a diagnosis that only a person
        or the source object may state.
    """

    label: int
    name: str
    colour: tuple[float, float, float] = (0.0, 0.9, 0.2)
    type_code: Code = MASS
    category_code: Code = MORPHOLOGICALLY_ABNORMAL_STRUCTURE

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labelled voxels.

    Parameters
    ----------
    labels : (K, J, I) array_like of uint8
        0 is background; every other value has its `Segment`.
    geometry : Geometry
        The grid of the labels.
    segments : tuple of Segment
        One per label value.
    measures : tuple of dict
        Per segment, filled by ``segment.measure_lesions``; keys carry their unit
        (``volume_ml``, ``suv_max`` ...).
    source : Origin
        Where the labels came from.
    evidence : dict
        What an automatic segmentation leans on, plain JSON types; empty for one made by hand.

    Raises
    ------
    UsageError
        When shapes differ, labels are not integers in 0..255, or a label has no segment.
    """

    labels: np.ndarray
    geometry: Geometry
    segments: tuple[Segment, ...]
    measures: tuple[dict, ...] = ()
    source: Origin = field(default_factory=Origin)
    evidence: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.asarray(self.labels)
        if values.shape != self.geometry.shape:
            raise UsageError(f"Labels of shape {values.shape}", f"the grid's shape {self.geometry.shape}")
        if values.size and (values.min() < 0 or values.max() > 255 or not np.array_equal(values, np.floor(values))):
            raise UsageError("Label values are not whole numbers in 0..255", "a label map")
        labels = values.astype(np.uint8, copy=False).view()
        missing = set(np.unique(labels).tolist()) - {0} - {segment.label for segment in self.segments}
        if missing:
            raise UsageError(f"Labels {sorted(missing)} have no segment", "one Segment per label value")
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "segments", tuple(self.segments))

    def mask(self, segment: Segment) -> np.ndarray:
        """(K, J, I) bool, True where the voxel belongs to the segment."""
        return self.labels == segment.label


@dataclass(frozen=True)
class SegmentType:
    """What a segment may mean: its codes and the colour it is shown in.

    Parameters
    ----------
    type_code, category_code : Code
        Coded concepts.
    colour : tuple of float
        Red, green, blue in 0..1.
    """

    type_code: Code
    category_code: Code
    colour: tuple[float, float, float]


@lru_cache(maxsize=1)
def segment_types() -> dict[str, SegmentType]:
    """The types of segments by short name: mass, neoplasm, primary, secondary, oedema, necrosis ..."""
    text = importlib.resources.files("MedFusionLib.resources").joinpath("terminology.json").read_text(encoding="utf-8")
    table = json.loads(text)
    categories = {name: _code(entry) for name, entry in table["categories"].items()}
    return {
        name: SegmentType(_code(entry), categories[entry["category"]], tuple(c / 255 for c in entry["colour"]))
        for name, entry in table["types"].items()
    }


def segment_type(name: str) -> SegmentType:
    """The type of a short name.

    Raises
    ------
    NotSupported
        For a name that is not in the table.
    """
    if name not in segment_types():
        raise NotSupported(f"The segment type {name!r}", "one of " + ", ".join(segment_types()))
    return segment_types()[name]


def _code(entry: dict) -> Code:
    return Code(entry["value"], entry["meaning"], entry["scheme"])
