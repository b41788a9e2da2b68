"""Standardised uptake value by body weight (SUVbw) of a PET series.

SUVbw = activity concentration [Bq/ml] x body weight [g] / decay-corrected dose [Bq], after the QIBA
SUV pseudocode and IBSI's digital reference objects. Supported are pixels in Bq/ml that were decay
corrected to the start of the scan, and pixels that are SUVbw already; everything else is refused by
name.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from MedFusionLib.errors import SuvUnavailable

if TYPE_CHECKING:
    from pydicom import Dataset

LEAST_DOSE_BQ = 1e5
MOST_HALF_LIVES = 3.0
LONGEST_OVERNIGHT_HALF_LIFE_S = 11.5 * 3600
_OF_THE_SERIES = (
    "Units", "DecayCorrection", "CorrectedImage", "SUVType", "PatientWeight", "SeriesDate", "SeriesTime",
)  # fmt: skip
_OF_THE_TRACER = (
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime",
)  # fmt: skip
_KEEP_ACTIVITY = "Read the series with unit Bq/ml to go on without SUV"
_EXPORT_AGAIN = "Export the series in Bq/ml, decay corrected to START"


@dataclass(frozen=True)
class SuvAudit:
    """How the factor from stored activity to SUVbw came about.

    Parameters
    ----------
    factor : float
        SUVbw per rescaled pixel value.
    inputs : dict
        What went in: keyword and value; times only as seconds between events, never as dates.
    warnings : tuple of str
        What a physicist should look at.
    """

    factor: float
    inputs: dict = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def remarks(self) -> tuple[str, ...]:
        """The audit as notes of a volume's origin."""
        inputs = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                           for name, value in self.inputs.items())  # fmt: skip
        return (f"SUVbw factor {self.factor:.9g} from {inputs}", *self.warnings)


def suv_audit(datasets: Sequence[Dataset]) -> SuvAudit:
    """The factor from rescaled pixels to SUVbw for the headers of one PET series.

    Raises
    ------
    SuvUnavailable
        Names the element that is missing, contradictory or not supported yet.
    """
    first = datasets[0]
    _same_in_all(datasets, _OF_THE_SERIES)
    _check_kind(datasets)
    stored = str(first.get("Units", "") or "").upper()
    if stored == "GML":
        kind = str(first.get("SUVType", "") or "BW").upper()
        if kind != "BW":
            raise _unsupported(f"Units GML with SUVType {kind}", _EXPORT_AGAIN)
        return SuvAudit(1.0, {"Units": "GML", "SUVType": "BW"})
    if stored != "BQML":
        raise _unsupported(f"Units {stored or '(missing)'}", _EXPORT_AGAIN)
    correction = str(first.get("DecayCorrection", "") or "").upper()
    if correction != "START":
        raise _unsupported(f"DecayCorrection {correction or '(missing)'}")
    _check_corrections(first)
    return _from_activity(datasets)


def _from_activity(datasets: Sequence[Dataset]) -> SuvAudit:
    first, warnings = datasets[0], []
    weight_kg = _positive(first, "PatientWeight")
    tracers = [_tracer(dataset) for dataset in datasets]
    _same_in_all(tracers, _OF_THE_TRACER)
    tracer = tracers[0]
    _check_zone(first, tracer)
    dose_bq = _positive(tracer, "RadionuclideTotalDose")
    if dose_bq < LEAST_DOSE_BQ:
        raise _unsupported(f"RadionuclideTotalDose {dose_bq:g}, which looks like MBq instead of Bq")
    half_life_s = _positive(tracer, "RadionuclideHalfLife")
    reference = _reference_time(datasets)
    waited_s = _seconds_from_administration(tracer, reference, half_life_s, warnings)
    remaining_bq = dose_bq * 2 ** (-waited_s / half_life_s)
    inputs = {
        "PatientWeight [kg]": weight_kg,
        "RadionuclideTotalDose [Bq]": dose_bq,
        "RadionuclideHalfLife [s]": half_life_s,
        "administration to series start [s]": waited_s,
    }
    return SuvAudit(weight_kg * 1000 / remaining_bq, inputs, tuple(warnings))


def _tracer(dataset: Dataset) -> Dataset:
    items = dataset.get("RadiopharmaceuticalInformationSequence") or []
    if len(items) != 1:
        raise SuvUnavailable(
            f"RadiopharmaceuticalInformationSequence has {len(items)} items", "exactly one tracer", _KEEP_ACTIVITY
        )
    return items[0]


def _check_zone(dataset: Dataset, tracer: Dataset) -> None:
    """An administration time with an offset from UTC must be on the clock of the series' times."""
    stated = re.search(r"[+-]\d{4}$", str(tracer.get("RadiopharmaceuticalStartDateTime") or "").strip())
    if stated and stated.group() != str(dataset.get("TimezoneOffsetFromUTC") or "").strip():
        raise _unsupported("RadiopharmaceuticalStartDateTime in another time zone than TimezoneOffsetFromUTC")


def _reference_time(datasets: Sequence[Dataset]) -> datetime.datetime:
    """The series' date and time, if no slice was acquired before it."""
    series = _moment(datasets[0], "SeriesDate", "SeriesTime")
    acquired = [_moment(dataset, "AcquisitionDate", "AcquisitionTime") for dataset in datasets]
    if series is None or any(moment is None for moment in acquired):
        raise SuvUnavailable(
            "SeriesDate/SeriesTime or AcquisitionDate/AcquisitionTime is missing", "both in all slices"
        )
    if min(acquired) < series:
        late = (series - min(acquired)).total_seconds()
        raise _unsupported(f"SeriesTime {late:.0f} s after the first AcquisitionTime")
    return series


def _seconds_from_administration(tracer, reference, half_life_s: float, warnings: list[str]) -> float:
    started = _date_time(tracer.get("RadiopharmaceuticalStartDateTime"))
    if started is not None:
        waited = (reference - started).total_seconds()
    else:
        time = _time(tracer.get("RadiopharmaceuticalStartTime"))
        if time is None:
            raise SuvUnavailable("RadiopharmaceuticalStartTime is missing", "the time of administration")
        waited = (reference - datetime.datetime.combine(reference.date(), time)).total_seconds()
        if waited < 0 and half_life_s < LONGEST_OVERNIGHT_HALF_LIFE_S:
            waited += 86400
            warnings.append("administered later in the day than the scan: taken as the day before")
    if not 0 <= waited <= MOST_HALF_LIVES * half_life_s:
        raise SuvUnavailable(
            f"The scan starts {waited:.0f} s after administration", f"0 to {MOST_HALF_LIVES:g} half-lives",
            f"The times in the header contradict each other. {_KEEP_ACTIVITY}",
        )  # fmt: skip
    return waited


def _check_kind(datasets: Sequence[Dataset]) -> None:
    """Refuse projections and series in time, and an offset that a concentration cannot have."""
    for part in datasets[0].get("SeriesType") or ():
        if str(part).upper() in ("REPROJECTION", "DYNAMIC", "GATED"):
            raise _unsupported(f"SeriesType {str(part).upper()}")
    if any(float(dataset.get("RescaleIntercept") or 0) != 0 for dataset in datasets):
        raise SuvUnavailable("RescaleIntercept is not 0", "0, as the PET object demands", _KEEP_ACTIVITY)


def _check_corrections(dataset: Dataset) -> None:
    stated = dataset.get("CorrectedImage")
    if stated is None:
        return
    applied = {str(stated).upper()} if isinstance(stated, str) else {str(part).upper() for part in stated}
    for needed, words in (("ATTN", "attenuation"), ("DECY", "decay")):
        if needed not in applied:
            raise SuvUnavailable(f"CorrectedImage does not state {words} correction", f"{needed} among the corrections")


def _same_in_all(datasets: Sequence[Dataset], keywords: Sequence[str]) -> None:
    for keyword in keywords:
        if len({str(dataset.get(keyword, "")) for dataset in datasets}) > 1:
            raise SuvUnavailable(f"{keyword} differs between the slices", "one value for the series")


def _positive(dataset: Dataset, keyword: str) -> float:
    try:
        value = float(dataset.get(keyword))
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 < value < float("inf"):
        raise SuvUnavailable(f"{keyword} is missing or not positive", "a positive number", _KEEP_ACTIVITY)
    return value


def _moment(dataset: Dataset, date: str, time: str) -> datetime.datetime | None:
    day, clock = _date(dataset.get(date)), _time(dataset.get(time))
    return None if day is None or clock is None else datetime.datetime.combine(day, clock)


def _date(value) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(str(value)[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _time(value) -> datetime.time | None:
    digits, _, fraction = str(value).partition(".")
    digits = digits.replace(":", "")
    try:
        clock = datetime.datetime.strptime(digits[:6].ljust(6, "0"), "%H%M%S").time()
        return clock.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)
    except ValueError:
        return None


def _date_time(value) -> datetime.datetime | None:
    text = str(value or "").split("+")[0].split("-")[0]
    day, clock = _date(text[:8]), _time(text[8:])
    return None if len(text) < 12 or day is None or clock is None else datetime.datetime.combine(day, clock)


def _unsupported(what: str, hint: str = _KEEP_ACTIVITY) -> SuvUnavailable:
    return SuvUnavailable(
        f"SUV of a series with {what} is not supported yet",
        "Units BQML decay corrected to START, or GML with SUVType BW",
        hint,
    )
