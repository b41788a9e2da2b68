"""Real world values: what DICOM says that stored pixels measure, where it says so (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.units import Unit, parse_unit

if TYPE_CHECKING:
    from pydicom import Dataset

_FRACTION_FIRST = {"g/ml{": "g/ml", "cm2/ml{": "cm2/ml"}
"""DICOM once wrote the annotation of SUV units behind: ``g/ml{SUVbw}``."""


@dataclass(frozen=True)
class RealWorld:
    """Value = slope x stored pixel + intercept, in a unit that MedFusion knows."""

    slope: float
    intercept: float
    unit: Unit


def real_world_of(sequence) -> RealWorld | None:
    """The first item of a RealWorldValueMappingSequence that is linear and in a known unit; None without one."""
    return next((mapping for item in sequence or () if (mapping := _mapping(item)) is not None), None)


def _mapping(item: Dataset) -> RealWorld | None:
    codes = item.get("MeasurementUnitsCodeSequence") or ()
    slope, intercept = item.get("RealWorldValueSlope"), item.get("RealWorldValueIntercept")
    if not codes or slope is None or intercept is None or str(codes[0].get("CodingSchemeDesignator", "")) != "UCUM":
        return None
    numbers = np.array([float(slope), float(intercept)])
    try:
        unit = parse_unit(_annotation_first(str(codes[0].get("CodeValue", ""))))
    except UsageError:
        return None
    return RealWorld(*numbers.tolist(), unit) if unit.is_known and np.isfinite(numbers).all() and slope else None


def _annotation_first(code: str) -> str:
    for start, unit in _FRACTION_FIRST.items():
        if code.startswith(start):
            return code.removeprefix(unit) + unit
    return code
