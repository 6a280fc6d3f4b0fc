"""The passes over a site that count: its comparable scenes, in the order of their acquisition."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from ..records import Key
from .outcomes import COMPARABLE, Outcome

if TYPE_CHECKING:
    from ...mapping.deliverables import Deliverables


@dataclass(frozen=True)
class ScenePass:
    """A scene of a site that was scored."""

    key: Key
    source: str
    """The scene without its state and model: another one of the same source replaces it."""
    taken: date | None
    """Day of the acquisition; None: unknown."""
    recorded: str
    """When it was scored, UTC."""
    map: Path
    """Its anomaly map."""

    @property
    def day(self) -> date:
        """Day of the acquisition, or else the one on which it was scored."""
        return self.taken or date.fromisoformat(self.recorded[:10])

    @property
    def order(self) -> tuple[date, str]:
        """What sorts passes: day, then source, or the time of scoring where no day is known."""
        return self.day, self.recorded if self.taken is None else self.source

    @property
    def files(self) -> Deliverables:
        """The files of its results."""
        from ...mapping.deliverables import Deliverables  # a report needs none of it

        found = Deliverables.of_map(self.map)
        return found or Deliverables(self.map.parent, self.map.stem)


def recorded_passes(
    database: Connection, site: str, outcomes: Collection[Outcome] = COMPARABLE
) -> list[ScenePass]:
    """Return the passes of a site with some outcomes, by default those that count, in order.

    Of each source it is the newest scene that is done; where that has another outcome, none.
    """
    rows = database.execute(
        "SELECT scene, model, settings, source, taken, finished, map, outcome FROM scenes "
        "WHERE site = ? AND status = 'done' AND map IS NOT NULL ORDER BY finished, rowid",
        (site,),
    ).fetchall()
    newest = {row[3]: row for row in rows}
    return sorted(
        (
            ScenePass(
                key=Key(site, scene, model, settings),
                source=source,
                taken=None if taken is None else date.fromisoformat(taken),
                recorded=finished,
                map=Path(map_),
            )
            for scene, model, settings, source, taken, finished, map_, outcome in newest.values()
            if outcome in outcomes
        ),
        key=lambda one: one.order,
    )


def with_pass(recorded: Sequence[ScenePass], new: ScenePass) -> list[ScenePass]:
    """Add a pass in its order; it replaces that of the same source."""
    others = [one for one in recorded if one.source != new.source]
    return sorted([*others, new], key=lambda one: one.order)


def digest_of_passes(passes: Sequence[ScenePass]) -> str:
    """Return a digest of passes and their order: 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for one in passes:
        whole.update(f"{one.key.digest} {one.day.isoformat()}\n".encode())
    return whole.hexdigest()[:16]
