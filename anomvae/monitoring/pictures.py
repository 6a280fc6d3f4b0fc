"""Pictures of events: the part of the newest scene that shows one, beside the scene's results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, sqrt
from pathlib import Path

from ..errors import AnomvaeError
from ..files import write_atomically
from .config import SiteConfig
from .decisions.event import Event, Evidence
from .scoring import scene_at
from .sources import FoundScene

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventPictures:
    """Draws events of a site in the local scenes that its source offers, else in their maps."""

    site: SiteConfig
    offered: Mapping[str, FoundScene] = field(repr=False)
    """Scenes by their names."""

    def with_picture(self, event: Event) -> Evidence:
        """Return what shows an event, with the path of its picture; as it is if that fails."""
        evidence = event.evidence
        try:
            picture = self._drawn(event)
        except (AnomvaeError, OSError) as error:
            log.warning("%s has no picture: %s", event.name, error)
            return evidence
        return evidence if picture is None else replace(evidence, quicklook=str(picture))

    def _drawn(self, event: Event) -> Path | None:
        from ..mapping.crop import crop
        from ..mapping.deliverables import Deliverables

        evidence, scene = event.evidence, self.offered.get(event.evidence.scene)
        files = Deliverables.of_map(Path(evidence.map))
        if files is None or evidence.peak is None:
            return None
        # Another call of a server is no price for a picture.
        local = None if scene is None or scene.remote else scene_at(self.site, scene)
        half = ceil(sqrt(evidence.object_px or 1))
        row, col = evidence.peak
        place = slice(max(0, row - half), row + half), slice(max(0, col - half), col + half)
        title = f"{event.name} {event.status}, {evidence.day}"
        png = crop(local, files, place, title)
        if png is None:
            return None
        path = files.folder / f"{files.stem}.{event.name}.png"
        write_atomically(path, png)
        return path
