"""When a PET's activities are valid, and how long after the administration that is.

The order of the reference times of a series that is decay corrected to its START is QIBA's (FDG-PET/CT profile,
appendix G, vendor-neutral SUV pseudocode): the time of the series unless a slice was acquired before it, GE's private
scan time, the time that follows from the middle of the frame, the earliest acquisition.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from MedFusionLib.errors import SuvUnavailable
from MedFusionLib.io.dicom_private import GE_PET, private_text
from MedFusionLib.io.dicom_time import moment, parse_date, parse_date_time, parse_time, parse_zone
from MedFusionLib.io.suv_inputs import KEEP_ACTIVITY, Ledger, optional_number

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_HALF_LIVES = 3.0
LONGEST_OVERNIGHT_HALF_LIFE_S = 11.5 * 3600
LARGEST_SPREAD_S = 60.0
"""Slices whose frame times lead to starts further apart than this do not share one start."""
_GE_GROUP, _GE_SCAN, _GE_ADMINISTRATION = 0x0009, 0x0D, 0x3B
_NO_DATE = datetime.date(2000, 1, 1)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class ReferenceTime:
    """One way to find the time that activities are corrected to.

    Parameters
    ----------
    name, tag : str
        Where it comes from.
    moment : datetime or None
        None when the header does not say.
    trouble : str
        Why it cannot be used; empty when it can.
    """

    name: str
    tag: str
    moment: datetime.datetime | None
    trouble: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the time is known and nothing speaks against it."""
        return self.moment is not None and not self.trouble


@dataclass(frozen=True)
class Administration:
    """Time of injection: a moment, or only a time of the day (then `day_known` is False)."""

    name: str
    tag: str
    moment: datetime.datetime
    day_known: bool

    def seconds_until(self, reference: datetime.datetime, half_life_s: float, ledger: Ledger) -> float:
        """Seconds from the administration to a reference time; may be negative when the header is wrong."""
        apart = abs(reference.date() - self.moment.date())
        short_lived = half_life_s < LONGEST_OVERNIGHT_HALF_LIFE_S
        if self.day_known and not (short_lived and apart > _DAY):
            return (reference - self.moment).total_seconds()
        if self.day_known:
            ledger.warn(
                f"the dates of scan and administration lie {apart.days} days apart (shifted by a de-identification?): "
                "taken as one day"
            )
        waited = (reference - datetime.datetime.combine(reference.date(), self.moment.time())).total_seconds()
        if waited < 0 and short_lived:
            waited += 86400
            ledger.warn("administered later in the day than the scan: taken as the day before")
        return waited


def reference_times(datasets: Sequence[Dataset], half_life_s: float, ledger: Ledger) -> list[ReferenceTime]:
    """All candidates in order of preference; the first usable one counts."""
    acquired = acquisition_times(datasets, ledger)
    first = min(acquired)
    return [
        _series_time(datasets[0], first),
        _ge_time(datasets[0]),
        _computed_back(datasets, acquired, half_life_s),
        ReferenceTime("earliest acquisition", "(0008,0022) (0008,0032)", first),
    ]


def acquisition_times(datasets: Sequence[Dataset], ledger: Ledger) -> list[datetime.datetime]:
    """When each slice was acquired.

    Raises
    ------
    SuvUnavailable
        When a slice does not say (reason ``missing_tag``).
    """
    dated = any(parse_date(d.get("AcquisitionDate")) or parse_date(d.get("SeriesDate")) for d in datasets)
    found = []
    for dataset in datasets:
        day = parse_date(dataset.get("AcquisitionDate")) or (None if dated else _NO_DATE)
        when = moment(day, parse_time(dataset.get("AcquisitionTime")))
        when = when or parse_date_time(dataset.get("AcquisitionDateTime"))
        if when is None:
            raise SuvUnavailable(
                "AcquisitionDate or AcquisitionTime is missing", "both in all slices", KEEP_ACTIVITY, "missing_tag"
            )
        found.append(when)
    if not dated:
        ledger.warn("the header holds no dates: all times are taken as of one day")
    return found


def administration(dataset: Dataset, tracer: Dataset, half_life_s: float, ledger: Ledger) -> Administration:
    """When the tracer was given: date and time, else time of the day, else GE's private element.

    Raises
    ------
    SuvUnavailable
        When nothing says so, when only a time of the day is known of a tracer that lives for days, or when the time
        zones of administration and scan cannot be brought together.
    """
    clock = parse_time(tracer.get("RadiopharmaceuticalStartTime"))
    stated = tracer.get("RadiopharmaceuticalStartDateTime")
    when = parse_date_time(stated)
    if when is not None:
        when = _in_zone_of_series(dataset, when, parse_zone(stated), clock)
        apart = abs((when - datetime.datetime.combine(when.date(), clock)).total_seconds()) if clock else 0
        if apart > 1:
            ledger.warn(f"the two times of administration lie {apart:.0f} s apart: the one with a date is used")
        return Administration("RadiopharmaceuticalStartDateTime", "(0018,1078)", when, day_known=True)
    if clock is not None and half_life_s < LONGEST_OVERNIGHT_HALF_LIFE_S:
        day = datetime.datetime.combine(_NO_DATE, clock)
        return Administration("RadiopharmaceuticalStartTime", "(0018,1072)", day, day_known=False)
    private = parse_date_time(private_text(dataset, _GE_GROUP, GE_PET, _GE_ADMINISTRATION))
    if private is not None:
        return Administration("GE administration time", "(0009,xx3B)", private, day_known=True)
    if clock is not None:
        raise SuvUnavailable(
            "RadiopharmaceuticalStartTime has no date, and the tracer lives for days",
            "RadiopharmaceuticalStartDateTime", KEEP_ACTIVITY, "missing_tag",
        )  # fmt: skip
    raise SuvUnavailable(
        "RadiopharmaceuticalStartTime is missing", "the time of administration", KEEP_ACTIVITY, "missing_tag"
    )


def checked_wait(waited_s: float, half_life_s: float) -> float:
    """Seconds between administration and reference time, if they make sense.

    Raises
    ------
    SuvUnavailable
        When the scan lies before the administration, or many half-lives after it.
    """
    if not 0 <= waited_s <= MOST_HALF_LIVES * half_life_s:
        raise SuvUnavailable(
            f"The scan starts {waited_s:.0f} s after administration", f"0 to {MOST_HALF_LIVES:g} half-lives",
            f"The times in the header contradict each other. {KEEP_ACTIVITY}", "ambiguous_timing",
        )  # fmt: skip
    return waited_s


def mean_activity_s(dataset: Dataset, half_life_s: float) -> float | None:
    """Seconds from the start of a frame to the moment at which its mean activity was there; None if unknown."""
    duration_ms = optional_number(dataset, "ActualFrameDuration")
    if duration_ms is None:
        return None
    decay = math.log(2) / half_life_s
    exponent = decay * duration_ms / 1000
    return math.log(exponent / -math.expm1(-exponent)) / decay


def _series_time(dataset: Dataset, first: datetime.datetime) -> ReferenceTime:
    day = parse_date(dataset.get("SeriesDate")) or (_NO_DATE if first.date() == _NO_DATE else None)
    when, trouble = moment(day, parse_time(dataset.get("SeriesTime"))), ""
    if when is not None and when > first:
        trouble = f"{(when - first).total_seconds():.0f} s after the first acquisition"
    elif when is not None and first - when > _DAY:
        trouble = f"{(first - when).days} days before the first acquisition"
    return ReferenceTime("series", "(0008,0021) (0008,0031)", when, trouble)


def _ge_time(dataset: Dataset) -> ReferenceTime:
    stated = private_text(dataset, _GE_GROUP, GE_PET, _GE_SCAN)
    return ReferenceTime("GE scan time", "(0009,xx0D)", parse_date_time(stated))


def _computed_back(datasets, acquired: Sequence[datetime.datetime], half_life_s: float) -> ReferenceTime:
    """Start of the scan from the middle of each frame: acquisition + mean activity - FrameReferenceTime."""
    starts = []
    for dataset, when in zip(datasets, acquired):
        reference_ms, into_frame = optional_number(dataset, "FrameReferenceTime"), mean_activity_s(dataset, half_life_s)
        if reference_ms is not None and into_frame is not None:
            starts.append(when + datetime.timedelta(seconds=into_frame - reference_ms / 1000))
    name, tag = "computed from the frames", "(0054,1300) (0018,1242)"
    if not starts:
        return ReferenceTime(name, tag, None)
    spread = (max(starts) - min(starts)).total_seconds()
    trouble = f"the slices' starts lie {spread:.0f} s apart" if spread > LARGEST_SPREAD_S else ""
    return ReferenceTime(name, tag, min(starts), trouble)


def _in_zone_of_series(dataset, when: datetime.datetime, zone, clock: datetime.time | None) -> datetime.datetime:
    """The administration on the clock of the series."""
    if zone is None:
        return when
    of_series = parse_zone(dataset.get("TimezoneOffsetFromUTC"))
    if of_series is not None:
        return when - zone + of_series
    if clock is not None and clock.replace(microsecond=0) == when.time().replace(microsecond=0):
        return when
    if zone == parse_zone(dataset.get("DecayCorrectionDateTime")):
        return when
    raise SuvUnavailable(
        "RadiopharmaceuticalStartDateTime states a time zone and the series none", "TimezoneOffsetFromUTC",
        KEEP_ACTIVITY, "ambiguous_timing",
    )  # fmt: skip
