"""The outbox: each channel gets every alert in order, at least once.

Alerts and their deliveries are written in the transaction that makes a scene done.  A delivery is
marked as sent once the channel has taken it; after a crash in between it is sent again, with the
same key.  An alert that cannot be sent waits, and newer ones wait behind it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..names import one_line
from .channels import Channel
from .receivers import WaitConfig
from .records import Alert
from .state import is_over, stamp
from .web import DeliveryFailed

log = logging.getLogger(__name__)

_MARK = "WHERE channel = ? AND alert = ?"


@dataclass(frozen=True)
class Outbox:
    """The alerts that wait in the database of the state."""

    database: sqlite3.Connection
    wait: WaitConfig
    """Pause of a channel after failures."""

    def send(self, channels: Sequence[Channel], now: Callable[[], datetime]) -> int:
        """Send the waiting alerts of each channel in order; return the number of deliveries."""
        return sum(self._send_all(channel, now) for channel in channels)

    def waiting(self, channel: str) -> int:
        """Return the number of alerts that a channel has not taken yet."""
        row = self.database.execute(
            "SELECT count(*) FROM deliveries WHERE channel = ? AND sent IS NULL", (channel,)
        ).fetchone()
        return int(row[0])

    def last_error(self, channel: str) -> str | None:
        """Return why the last delivery to a channel failed."""
        row = self._first(channel)
        return None if row is None else row["error"]

    def _send_all(self, channel: Channel, now: Callable[[], datetime]) -> int:
        sent = 0
        while (row := self._first(channel.name)) is not None:
            again = row["next_try"]
            if again is not None and not is_over(again, now(), self.wait.longest):
                break
            try:
                channel.send(Alert(row["key"], row["site"], row["made"], row["body"]))
            except DeliveryFailed as error:
                self._postpone(channel.name, row, str(error), now())
                break
            except Exception as error:
                log.exception("internal error", extra={"facts": {"channel": channel.name}})
                reason = f"internal error ({type(error).__name__}: {error})"
                self._postpone(channel.name, row, reason, now())
                break
            self._mark_sent(channel.name, row["number"], now())
            sent += 1
            log.info("alert sent", extra={"facts": {"channel": channel.name, "alert": row["key"]}})
        return sent

    def _first(self, channel: str) -> sqlite3.Row | None:
        """Return the oldest alert that a channel has not taken yet."""
        row: sqlite3.Row | None = self.database.execute(
            "SELECT number, key, site, made, body, tries, next_try, error FROM deliveries "
            "JOIN alerts ON number = alert WHERE channel = ? AND sent IS NULL "
            "ORDER BY alert LIMIT 1",
            (channel,),
        ).fetchone()
        return row

    def _mark_sent(self, channel: str, number: int, now: datetime) -> None:
        self.database.execute(
            f"UPDATE deliveries SET sent = ?, tries = tries + 1, error = NULL {_MARK}",
            (stamp(now), channel, number),
        )

    def _postpone(self, channel: str, row: sqlite3.Row, error: str, now: datetime) -> None:
        tries = row["tries"] + 1
        again = now + timedelta(seconds=self.wait.wait(tries))
        self.database.execute(
            f"UPDATE deliveries SET tries = ?, next_try = ?, error = ? {_MARK}",
            (tries, stamp(again), one_line(error), channel, row["number"]),
        )
        facts = {"channel": channel, "alert": row["key"], "reason": error}
        log.warning("alert not sent", extra={"facts": facts})


def latest(database: sqlite3.Connection, count: int) -> list[Alert]:
    """Return the newest alerts, oldest first."""
    rows = database.execute(
        "SELECT key, site, made, body FROM (SELECT * FROM alerts ORDER BY number DESC LIMIT ?) "
        "ORDER BY number",
        (count,),
    )
    return [Alert(*row) for row in rows]
