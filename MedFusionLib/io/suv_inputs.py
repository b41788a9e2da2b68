"""What a SUV is computed from: read from the headers, checked for sense, and written down with its tag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from MedFusionLib.errors import SuvUnavailable, UsageError
from MedFusionLib.io.isotopes import isotope_of
from MedFusionLib.io.suv_body import Body, Variant

if TYPE_CHECKING:
    from pydicom import Dataset

LEAST_BQ, MOST_BQ = 1e6, 1e10
"""Activities that are given to patients; hospitals write 4e8 (Bq) or, wrongly, 4e2 (MBq)."""
MOST_MBQ = 1e5
HEAVIEST_KG, TALLEST_M, SMALLEST_M = 1000.0, 3.0, 0.2
KEEP_ACTIVITY = "Read the series with unit Bq/ml to go on without SUV"
_OF_THE_TRACER = (
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime",
)  # fmt: skip


@dataclass
class Ledger:
    """Every input with its tag, and what a physicist should look at.

    Parameters
    ----------
    inputs : dict
        Name -> ``{"tag", "value", "unit"}``; times only as seconds between events, never as dates.
    warnings : list of str
        In order of appearance.
    """

    inputs: dict[str, dict] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def note(self, keyword: str, value, unit: str = "", tag: str = "") -> None:
        """Write an input down; the tag is looked up by the keyword when it is not given."""
        self.inputs[keyword] = {"tag": tag or tag_of(keyword), "value": value, "unit": unit}

    def warn(self, sentence: str) -> None:
        """Add a warning once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def tag_of(keyword: str) -> str:
    """``(gggg,eeee)`` of a DICOM keyword."""
    from pydicom.tag import Tag

    tag = Tag(keyword)
    return f"({tag.group:04X},{tag.element:04X})"


def text_of(dataset: Dataset, keyword: str) -> str:
    """A code string in capitals; empty when it is absent."""
    return str(dataset.get(keyword, "") or "").strip().upper()


def same_in_all(datasets: Sequence[Dataset], keywords: Sequence[str]) -> None:
    """Refuse a series whose slices disagree.

    Raises
    ------
    SuvUnavailable
        Names the element.
    """
    for keyword in keywords:
        if len({str(dataset.get(keyword, "")) for dataset in datasets}) > 1:
            raise SuvUnavailable(f"{keyword} differs between the slices", "one value for the series", KEEP_ACTIVITY)


def body_of(dataset: Dataset, variants: Sequence[Variant], ledger: Ledger) -> Body:
    """Weight, height and sex, as far as the variants need them.

    Raises
    ------
    SuvUnavailable
        Names the measure that is missing (reason ``missing_normaliser``) or impossible.
    """
    needs = {name for variant in variants for name in variant.needs}
    weight = _weight_kg(dataset, ledger) if "weight_kg" in needs else None
    height = _height_m(dataset, ledger) if "height_m" in needs else None
    sex = text_of(dataset, "PatientSex")
    if any(variant.depends_on_sex for variant in variants):
        ledger.note("PatientSex", sex or None)
        if sex not in ("M", "F"):
            ledger.warn(f"PatientSex is {sex[:1] or 'missing'}: the mean of the formulas for men and women is used")
    return Body(weight, height, sex)


def chosen_tracer(datasets: Sequence[Dataset], number: int | None) -> list[Dataset]:
    """The tracer's item in every slice.

    Parameters
    ----------
    datasets : sequence of Dataset
        Headers.
    number : int or None
        Which item, from 1; needed when there are several.

    Raises
    ------
    SuvUnavailable
        When there is none, or several and none was chosen.
    UsageError
        When the number is not that of an item.
    """
    items = [list(dataset.get("RadiopharmaceuticalInformationSequence") or ()) for dataset in datasets]
    counts = {len(found) for found in items}
    if counts == {0} or len(counts) > 1:
        raise SuvUnavailable(
            "RadiopharmaceuticalInformationSequence is missing or differs between the slices",
            "the tracer in every slice", KEEP_ACTIVITY, "missing_tag",
        )  # fmt: skip
    count = counts.pop()
    if number is None and count > 1:
        raise SuvUnavailable(
            f"{count} tracers were given: {_listed(items[0])}", "one tracer, or a choice",
            "Choose one by its number, for example --tracer 1", "multiple_tracers",
        )  # fmt: skip
    if number is not None and not 1 <= number <= count:
        raise UsageError(f"Tracer number {number}", f"1 to {count}")
    tracers = [found[(number or 1) - 1] for found in items]
    same_in_all(tracers, _OF_THE_TRACER)
    return tracers


def dose_bq_of(tracer: Dataset, ledger: Ledger, *, is_enhanced: bool = False) -> float:
    """Administered activity in Bq; a value that can only be MBq is converted, and said.

    Enhanced PET objects state MBq by the standard, so there it needs no warning.

    Raises
    ------
    SuvUnavailable
        When it is missing, or an activity that nobody is given in either unit.
    """
    stated = dose = required_number(tracer, "RadionuclideTotalDose", "missing_tag")
    if stated < MOST_MBQ:
        dose = stated * 1e6
    if not LEAST_BQ <= dose <= MOST_BQ:
        raise SuvUnavailable(
            f"RadionuclideTotalDose {stated:g} is no administered activity, neither in Bq nor in MBq",
            f"{LEAST_BQ:g} to {MOST_BQ:g} Bq", f"Correct it in the header. {KEEP_ACTIVITY}",
        )  # fmt: skip
    if dose != stated and not is_enhanced:
        ledger.warn(f"RadionuclideTotalDose {stated:g} was taken as MBq: the standard demands Bq")
    ledger.note("RadionuclideTotalDose", dose, "Bq")
    return dose


def half_life_s_of(tracer: Dataset, ledger: Ledger) -> float:
    """Half-life in seconds from the header, else from the code of the nuclide.

    Raises
    ------
    SuvUnavailable
        When neither is there, or they contradict each other by more than a tenth.
    """
    known, stated = isotope_of(tracer), optional_number(tracer, "RadionuclideHalfLife")
    if stated is None and known is None:
        raise SuvUnavailable(
            "RadionuclideHalfLife is missing, and RadionuclideCodeSequence names no known nuclide",
            "the half-life in seconds, or a code", KEEP_ACTIVITY, "missing_tag",
        )  # fmt: skip
    if stated is None:
        ledger.warn(f"RadionuclideHalfLife is missing: that of {known.name} is used, which its code names")
        ledger.note("RadionuclideCodeSequence", known.name)
        ledger.note("RadionuclideHalfLife", known.half_life_s, "s", tag_of("RadionuclideCodeSequence"))
        return known.half_life_s
    apart = abs(stated / known.half_life_s - 1) if known else 0.0
    if apart > 0.1:
        raise SuvUnavailable(
            f"RadionuclideHalfLife {stated:g} s contradicts {known.name}, which the header names",
            f"about {known.half_life_s:g} s", KEEP_ACTIVITY,
        )  # fmt: skip
    if apart > 0.01:
        ledger.warn(f"RadionuclideHalfLife {stated:g} s differs by {100 * apart:.1f} % from that of {known.name}")
    ledger.note("RadionuclideHalfLife", stated, "s")
    return stated


def optional_number(dataset: Dataset, keyword: str) -> float | None:
    """A positive finite number; None when it is absent, 0 or not a number."""
    try:
        value = float(dataset.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if 0 < value < math.inf else None


def required_number(dataset: Dataset, keyword: str, reason: str) -> float:
    """A positive finite number.

    Raises
    ------
    SuvUnavailable
        Names the element, with the given reason.
    """
    value = optional_number(dataset, keyword)
    if value is None:
        raise SuvUnavailable(f"{keyword} is missing or not positive", "a positive number", KEEP_ACTIVITY, reason)
    return value


def _weight_kg(dataset: Dataset, ledger: Ledger) -> float:
    weight = required_number(dataset, "PatientWeight", "missing_normaliser")
    if weight > HEAVIEST_KG:
        ledger.warn(f"PatientWeight {weight:g} was taken as grams: the standard demands kg")
        weight /= 1000
    ledger.note("PatientWeight", weight, "kg")
    return weight


def _height_m(dataset: Dataset, ledger: Ledger) -> float:
    height = required_number(dataset, "PatientSize", "missing_normaliser")
    if height > TALLEST_M:
        ledger.warn(f"PatientSize {height:g} was taken as cm: the standard demands m")
        height /= 100
    if not SMALLEST_M <= height <= TALLEST_M:
        raise SuvUnavailable(f"PatientSize {height:g} m", f"{SMALLEST_M:g} to {TALLEST_M:g} m", KEEP_ACTIVITY)
    ledger.note("PatientSize", height, "m")
    return height


def _listed(tracers: Sequence[Dataset]) -> str:
    names = []
    for number, tracer in enumerate(tracers, start=1):
        known, half_life = isotope_of(tracer), optional_number(tracer, "RadionuclideHalfLife")
        names.append(f"{number} {known.name if known else 'unknown nuclide'}"
                     + (f" (half-life {half_life:g} s)" if half_life else ""))  # fmt: skip
    return "; ".join(names)
