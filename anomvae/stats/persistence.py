"""How long a pixel is anomalous: a recursion over the passes of a site; arrays of any one shape.

Let ``e`` be 1 where a pixel exceeds in a valid pass and 0 where it does not, ``r`` the ``e`` of the
last ``n`` valid passes as bits, the newest lowest, and ``a`` the number of ones in them:

    r <- (2 r + e) mod 2**n,    a = ones(r)

    none, finished --e = 1-->  provisional      the first exceedance begins an episode
    provisional    --a >= k--> confirmed        in the first pass, too, if k is 1
    provisional    --a = 0-->  none             an episode that was not confirmed leaves nothing
    confirmed      --a = 0-->  finished         its count and days stay until the next episode

Count, first and last day are those of an episode: of exceedances since it began.  Where none goes
on, ``r`` is 0, so an episode is confirmed by its own passes alone.  A pass without a value of a
pixel changes nothing of it.

The words are those of the alerts of OPERA DIST-ALERT (Pickens, Hansen, Song 2023, Algorithm
Theoretical Basis Document; layers ``VEG-DIST-STATUS``, ``-COUNT``, ``-DATE``, ``-DUR`` and
``VEG-LAST-DATE``), which confirms by the number of exceedances in a row and finishes by two
passes, or 15 days, without any; here one rule, k of n, does both.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NONE, PROVISIONAL, CONFIRMED, FINISHED = range(4)
"""What a pixel is."""
EPOCH = date(1970, 1, 1).toordinal()

Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]


class Confirmation(NamedTuple):
    """How many of the last valid passes confirm an exceedance."""

    needed: int
    """k: passes that exceed."""
    among: int
    """n: of the last valid passes; at most 16."""


class History(NamedTuple):
    """What the passes leave of each pixel."""

    status: Numbers
    """`NONE`, `PROVISIONAL`, `CONFIRMED` or `FINISHED`."""
    exceedances: Numbers
    """Exceedances of the episode; 0 without one."""
    first: Numbers
    """Day of the first of them, days since 1970-01-01; 0 without an episode."""
    last: Numbers
    """Day of the last of them."""
    consecutive: Numbers
    """Exceedances in a row up to the newest valid pass."""
    recent: Numbers
    """Whether the last n valid passes exceed, as bits: the newest is the lowest."""
    passes: Numbers
    """Valid passes."""

    @property
    def active(self) -> Flags:
        """Where an episode goes on: provisional or confirmed."""
        return np.isin(self.status, (PROVISIONAL, CONFIRMED))

    @property
    def agreed(self) -> NDArray[np.uint8]:
        """Exceedances among the last n valid passes."""
        return ones(self.recent)


def no_history(shape: tuple[int, ...]) -> History:
    """Return the history of pixels without any pass."""
    return History(*np.zeros((len(History._fields), *shape), np.int32))


def days_of(day: date) -> int:
    """Return a day as days since 1970-01-01.

    Examples
    --------
    >>> days_of(date(2024, 6, 1))
    19875
    """
    return day.toordinal() - EPOCH


def date_of_days(days: int) -> date:
    """Return the day of a number of days since 1970-01-01."""
    return date.fromordinal(days + EPOCH)


def advanced(
    before: History, exceeds: Flags, valid: Flags, day: int, confirm: Confirmation
) -> History:
    """Return the history after one more pass.

    Parameters
    ----------
    before : History
        After the passes before it, none of which is later.
    exceeds : array of bool
        Pixels that are anomalous; those that are not valid do not count.
    valid : array of bool
        Pixels that have a value in the pass.
    day : int
        Day of the pass, days since 1970-01-01.
    confirm : Confirmation
        k and n.

    Returns
    -------
    History
        Arrays of their own.
    """
    exceeds = exceeds & valid
    begins = exceeds & ~before.active
    mask = (1 << confirm.among) - 1
    recent = np.where(valid, (before.recent << 1 | exceeds) & mask, before.recent)
    agreed = ones(recent)
    status = np.where(begins, PROVISIONAL, before.status)
    status[(status == PROVISIONAL) & (agreed >= confirm.needed)] = CONFIRMED
    quiet = valid & (agreed == 0)
    vanishes = quiet & (status == PROVISIONAL)
    status[vanishes] = NONE
    status[quiet & (status == CONFIRMED)] = FINISHED
    count = np.where(begins, 0, before.exceedances) + exceeds
    first = np.where(begins, day, before.first)
    last = np.where(exceeds, day, before.last)
    for values in (count, first, last):
        values[vanishes] = 0
    in_row = np.where(valid, (before.consecutive + 1) * exceeds, before.consecutive)
    return History(
        *(
            values.astype(np.int32, copy=False)
            for values in (status, count, first, last, in_row, recent, before.passes + valid)
        )
    )


def ones(bits: Numbers) -> NDArray[np.uint8]:
    """Count the ones of numbers below 2**16.

    Examples
    --------
    >>> ones(np.array([0, 5, 65535]))
    array([ 0,  2, 16], dtype=uint8)
    """
    return _ONES[bits]


_ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)
