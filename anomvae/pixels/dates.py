"""Dates: the date in a scene's name, and rasters in the order of their dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

from ..addresses import displayed
from ..errors import ConfigError

AS_LISTED = "as-listed"
"""Value of ``--dates`` for rasters that are listed oldest first."""

DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(\d\d)\2(\d\d)(?=(?:\d{4}(?:\d\d)?)?(?!\d))")
"""Year, month and day with one separator or none; hours and minutes may follow."""

DAY_OF_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d{3})T\d{6}(?!\d)")
"""Year and day of the year, with the time: without it, seven digits may be anything."""


def date_of(name: str) -> date | None:
    """Find the date in a file's name: 2024-06-01, 20240601 or 2024_06_01; of several the first.

    A name without one may have a year, a day of the year and a time, as HLS: 2024153T101021.

    In names of Sentinel-2 and Landsat products the day of acquisition comes first, the day of
    processing later.  Folders and the query of a URL do not count.

    Examples
    --------
    >>> date_of("fields/S2A_MSIL2A_20240601T103021_N0510_R108_T32UNA_20240601T160103.tif")
    datetime.date(2024, 6, 1)
    >>> date_of("2024/LC08_L2SP_193027_20230714_20230719_02_T1.tif")
    datetime.date(2023, 7, 14)
    >>> date_of("HLS.L30.T32UNA.2024153T101021.v2.0.B04.tif")
    datetime.date(2024, 6, 1)
    >>> date_of("coast.tif") is None
    True
    """
    last = re.split(r"[/\\]", displayed(name).rstrip("/\\"))[-1]
    for year, _, month, day in DATE.findall(last):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue  # other digits, such as a tile number
    return _of_year(last)


def _of_year(name: str) -> date | None:
    for year, number in DAY_OF_YEAR.findall(name):
        day = date(int(year), 1, 1) + timedelta(days=int(number) - 1)
        if number != "000" and day.year == int(year):
            return day
    return None


def order_of_dates(
    names: Sequence[str], known: Sequence[date | None], dates: str = ""
) -> list[int]:
    """Return the numbers, from 0, of rasters of one area in the order of their dates.

    Parameters
    ----------
    names : sequence of str
        The rasters, one for each date, for messages.
    known : sequence of date or None
        Their dates, None where unknown.
    dates : str, optional
        Dates in the order of ``names``, as in ``2024-06-01,2024-06-11``, or ``as-listed`` if
        these are sorted; by default those that are known.

    Raises
    ------
    ConfigError
        When a date is not known, or two rasters have the same.

    Examples
    --------
    >>> names = ["b_2024-06-11.tif", "a_2024-06-21.tif", "c_2024-06-01.tif"]
    >>> order_of_dates(names, [date_of(name) for name in names])
    [2, 0, 1]
    """
    if dates == "given":
        raise ConfigError(f"--dates given is now called --dates {AS_LISTED}.")
    if dates == AS_LISTED:
        return list(range(len(names)))
    days = _listed(dates, len(names)) if dates else list(map(_known, names, known))
    order = sorted(range(len(names)), key=days.__getitem__)
    for one, other in pairwise(order):
        if days[one] == days[other]:
            raise ConfigError(
                f"{names[one]} and {names[other]} are both of {days[one]}: give one raster of each "
                f"date (gdalbuildvrt joins parts), or --dates {AS_LISTED} if they are oldest first."
            )
    return order


def _known(name: str, day: date | None) -> date:
    if day is None:
        raise ConfigError(
            f"{name} has no date in its name, and the order of dates counts. Give --dates "
            f"2024-06-01,2024-06-11,... in the order of the files, or --dates {AS_LISTED} if they "
            f"are oldest first."
        )
    return day


def _listed(dates: str, count: int) -> list[date]:
    texts = [text.strip() for text in dates.split(",")]
    if len(texts) != count:
        raise ConfigError(
            f"--dates names {len(texts)} dates for {count} rasters: name one of each."
        )
    try:
        return [date.fromisoformat(text) for text in texts]
    except ValueError as error:
        raise ConfigError(
            f"--dates {dates}: {error}. Give dates as in 2024-06-01,2024-06-11, or {AS_LISTED}."
        ) from error
