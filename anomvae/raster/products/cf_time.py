"""Dates of a time axis (CF Conventions 1.11, section 4.4)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np

from ...errors import RasterError
from .variables import Variable

SINCE = re.compile(r"(?P<unit>[a-z]+)\s+since\s+(?P<start>[-+.:\dtz\s/]+)", re.IGNORECASE)
START = re.compile(
    r"(\d{1,4})-(\d{1,2})(?:-(\d{1,2}))?(?:[T\s]+(\d{1,2})(?::(\d{1,2}))?(?::(\d{1,2})(?:\.\d*)?)?)?"
    r"\s*(?:Z|UTC|[-+]?00?:?0?0?)?\s*",
    re.IGNORECASE,
)
SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("microsecond", "microseconds"), 1e-6),
}
"""Seconds per unit; months and years have no fixed length."""
CALENDARS = ("", "standard", "gregorian", "proleptic_gregorian", "none")
NO_LEAP = ("noleap", "365_day")
CIVIL = (1900_01_01, 2100_12_31)
"""Range of days that are written as the number YYYYMMDD."""


def is_time(variable: Variable) -> bool:
    """Return whether a variable is a coordinate of time."""
    marks = (variable.text("standard_name") == "time", variable.text("axis") == "T")
    return any(marks) or SINCE.match(variable.text("units")) is not None


def times_of(variable: Variable, name: str) -> list[datetime]:
    """Return the time of each index of a time axis of the file called ``name``, UTC.

    Raises
    ------
    RasterError
        When its unit or calendar is not known, or a number is no time.
    """
    values = np.asarray(variable.whole().reshape(-1), np.float64)
    try:
        if SINCE.match(variable.text("units")) is None:
            return [_civil(value) for value in values]
        return [_since(variable, value) for value in values]
    except (ValueError, OverflowError) as error:
        raise RasterError(
            f"{name}: the times of its axis {variable.name!r} are not understood ({error}). Give "
            f"them as days, hours or seconds since a date, in the standard calendar (cdo "
            f"-setcalendar, -setreftime)."
        ) from error


def _civil(value: float) -> datetime:
    if not CIVIL[0] <= value <= CIVIL[1]:
        raise ValueError(f"{value:g} without a unit such as 'days since 1970-01-01'")
    day = datetime.strptime(str(int(value)), "%Y%m%d")
    return day + timedelta(days=float(value % 1))


def _since(variable: Variable, value: float) -> datetime:
    units, calendar = variable.text("units"), variable.text("calendar").casefold()
    match = SINCE.fullmatch(units)
    start = None if match is None else START.fullmatch(match["start"].strip())
    if match is None or start is None or match["unit"].casefold() not in SECONDS:
        raise ValueError(f"units {units!r}")
    year, month, day, *clock = (None if part is None else int(part) for part in start.groups())
    if year is None or month is None:
        raise ValueError(f"units {units!r}")
    hour, minute, second = (part or 0 for part in clock)
    first = datetime(year, month, day or 1, hour, minute, second)
    passed = float(value) * SECONDS[match["unit"].casefold()]
    if not np.isfinite(passed):
        raise ValueError("a time is missing")
    if calendar in NO_LEAP:
        return _without_leap_days(first, passed)
    if calendar not in CALENDARS:
        raise ValueError(f"calendar {calendar!r}")
    # Rounded: a third of a day as float64 may lie a microsecond before the second.
    return first + timedelta(seconds=round(passed, 3))


def _without_leap_days(first: datetime, passed: float) -> datetime:
    midnight = datetime(first.year, first.month, first.day)
    days, seconds = divmod(passed + (first - midnight).total_seconds(), 86400.0)
    start = midnight.replace(year=2001)  # raises for the 29th of February, which there is none of
    years, day = divmod(start.timetuple().tm_yday - 1 + int(days), 365)
    civil = datetime(2001, 1, 1) + timedelta(days=day, seconds=round(seconds, 3))
    return civil.replace(year=first.year + years)
