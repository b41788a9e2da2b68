"""Real world values: what DICOM says that stored pixels measure, where it says so (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.units import Unit, parse_unit

if TYPE_CHECKING:
    from pydicom import Dataset

FUSION_INDEX_LABEL = "FUSION_INDEX"
"""How exported objects call the fusion index (LUTLabel); other dimensionless numbers are none."""
_FRACTION_FIRST = {"g/ml{": "g/ml", "cm2/ml{": "cm2/ml"}
"""DICOM once wrote the annotation of SUV units behind: ``g/ml{SUVbw}``."""


@dataclass(frozen=True)
class RealWorld:
    """Value = slope x stored pixel + intercept, in a unit that MedFusion knows."""

    slope: float
    intercept: float
    unit: Unit


def real_world_of(sequence, *, any_unit: bool = False) -> RealWorld | None:
    """The first item of a RealWorldValueMappingSequence that is linear and in a known unit; None without one.

    With `any_unit` the first linear item will do; its unit is then unknown.
    """
    found = [mapping for item in sequence or () if (mapping := _mapping(item)) is not None]
    known = [mapping for mapping in found if mapping.unit.is_known]
    return next(iter(known or (found if any_unit else ())), None)


def _mapping(item: Dataset) -> RealWorld | None:
    codes = item.get("MeasurementUnitsCodeSequence") or ()
    slope, intercept = item.get("RealWorldValueSlope"), item.get("RealWorldValueIntercept")
    if slope is None or intercept is None:
        return None
    numbers = np.array([float(slope), float(intercept)])
    return RealWorld(*numbers.tolist(), _unit(item, codes)) if np.isfinite(numbers).all() and slope else None


def _unit(item: Dataset, codes) -> Unit:
    """The unit where MedFusion knows it. A number without a unit is a fusion index only where it is called so."""
    if not codes or str(codes[0].get("CodingSchemeDesignator", "")) != "UCUM":
        return units.UNKNOWN
    try:
        unit = parse_unit(_annotation_first(str(codes[0].get("CodeValue", ""))))
    except UsageError:
        return units.UNKNOWN
    is_other = unit == units.FUSION_INDEX and str(item.get("LUTLabel", "")) != FUSION_INDEX_LABEL
    return units.UNKNOWN if is_other else unit


def _annotation_first(code: str) -> str:
    for start, unit in _FRACTION_FIRST.items():
        if code.startswith(start):
            return code.removeprefix(unit) + unit
    return code
