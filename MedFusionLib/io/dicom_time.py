"""Dates and times as DICOM writes them."""

from __future__ import annotations

import datetime
import re

_ZONE = re.compile(r"([+-])(\d{2})(\d{2})$")


def parse_date(value) -> datetime.date | None:
    """A DA value; None when it is absent or no date."""
    try:
        return datetime.datetime.strptime(str(value or "").strip()[:8], "%Y%m%d").date()
    except ValueError:
        return None


def parse_time(value) -> datetime.time | None:
    """A TM value, colons of old files included; None when it is absent or no time."""
    digits, _, fraction = str(value or "").strip().partition(".")
    digits = digits.replace(":", "")
    try:
        clock = datetime.datetime.strptime(digits[:6].ljust(6, "0"), "%H%M%S").time() if len(digits) >= 2 else None
        return clock and clock.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)
    except ValueError:
        return None


def parse_date_time(value) -> datetime.datetime | None:
    """A DT value with at least hours and minutes, without its zone; None when it is absent or too short."""
    text = _ZONE.sub("", str(value or "").strip())
    day, clock = parse_date(text[:8]), parse_time(text[8:])
    return None if len(text) < 12 or day is None or clock is None else datetime.datetime.combine(day, clock)


def parse_zone(value) -> datetime.timedelta | None:
    """The offset from UTC at the end of a DT value, or of TimezoneOffsetFromUTC; None when there is none."""
    found = _ZONE.search(str(value or "").strip())
    if not found:
        return None
    offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset


def moment(day: datetime.date | None, clock: datetime.time | None) -> datetime.datetime | None:
    """Date and time together; None when one is unknown."""
    return None if day is None or clock is None else datetime.datetime.combine(day, clock)
