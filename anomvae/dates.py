"""The date in a scene's name."""

from __future__ import annotations

import re
from datetime import date

DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(\d\d)\2(\d\d)(?=(?:\d{4}(?:\d\d)?)?(?!\d))")
"""Year, month and day with one separator or none; hours and minutes may follow."""


def date_of(name: str) -> date | None:
    """Find the date in a file's name: 2024-06-01, 20240601 or 2024_06_01; of several the first.

    The names of Sentinel-2 and Landsat products begin with the day of the picture; the day of its
    processing follows.  Folders, and what follows an URL, do not count.

    Examples
    --------
    >>> date_of("fields/S2A_MSIL2A_20240601T103021_N0510_R108_T32UNA_20240601T160103.tif")
    datetime.date(2024, 6, 1)
    >>> date_of("2024/LC08_L2SP_193027_20230714_20230719_02_T1.tif")
    datetime.date(2023, 7, 14)
    >>> date_of("coast.tif") is None
    True
    """
    last = re.split(r"[/\\]", name.partition("?")[0].rstrip("/\\"))[-1]
    for year, _, month, day in DATE.findall(last):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue  # such as a tile number
    return None
