"""Write a persistence map window by window, from the map before it and the passes that follow.

Two passes over the canvas: one labels the pixels with an episode, and another writes them with the
numbers of their events.  Memory holds a row of windows, whatever the number of scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import ConfigError, FileError, GridMismatch, NotWritten
from ...files import Staging
from ...mapping.cache import digest_of
from ...mapping.flagging import WINDOW
from ...mapping.stored import StoredScores, stored
from ...objects.components import Labelling
from ...pixels.flag_classes import ANOMALOUS
from ...pixels.tiling import Window, shape_of, tile_rows, tiles
from ...raster import UNLIMITED, Georeference, MapWriter, open_raster
from ...stats.persistence import (
    FINISHED,
    Confirmation,
    History,
    advanced,
    days_of,
    no_history,
)
from ..config import SiteConfig
from .candidates import SMALL, UnusableAreas, find_candidates, rules_digest
from .map_file import (
    DamagedMap,
    MapFacts,
    MapFile,
    StoredLayers,
    layout_of,
    opened_map,
    stored_values,
)
from .numbering import EventNodes, Numbering, Settled
from .passes import ScenePass, digest_of_passes
from .site_grid import Classes, SiteGrid, placed

TOGETHER = 64
"""Scenes that are open at a time."""


@dataclass
class MapBuilder:
    """Brings the map of a site up to date."""

    site: SiteConfig
    folder: Staging
    """Where maps are made."""
    wanted: Sequence[ScenePass]
    """All passes, in order."""
    new: ScenePass | None
    """The one that the state has not recorded."""
    next_number: int
    """Least number of an event that it opens."""
    skipped: list[str] = field(default_factory=list)
    """Why passes are not in the map."""
    warps: bool = False
    """Whether passes are on another grid."""
    merged: dict[int, int] = field(default_factory=dict)
    """Numbers of events of the map before that became part of another, and that one's."""

    def from_map(self, path: Path | None) -> Path | None:
        """Return a map of all passes, made from the one at ``path``; None where there is nothing.

        Raises
        ------
        DamagedMap
            If that is lost, cannot be read, or is of another site.
        """
        if path is None:
            return self._stepped(None, 0)
        with opened_map(path) as before:
            if before is None or before.facts.site != self.site.name:
                raise DamagedMap(f"{path} is no persistence map of site {self.site.name}.")
            facts = before.facts
        known = self.wanted[: facts.count]
        if (facts.rules, facts.scenes) == (self._rules, digest_of_passes(known)):
            return self._stepped(path, facts.count)
        return self._remade(path)

    @property
    def _rules(self) -> str:
        """Digest of everything but scenes that decides the map."""
        confirm, grid = self.site.alert.confirm, self.site.grid
        return digest_of("persistence", rules_digest(self.site), confirm, grid)

    def _stepped(self, current: Path | None, done: int) -> Path | None:
        """Add passes one by one, as they arrived."""
        grid = self._first_grid() if current is None else None
        for number in range(done, len(self.wanted)):
            with opened_map(current) as before:
                canvas = grid if before is None else before.grid
                if canvas is None:
                    return None
                current = self._write(before, before, canvas, slice(number, number + 1))
        return current

    def _remade(self, path: Path | None) -> Path | None:
        """Make the map anew on its grid, and keep the numbers of its events."""
        current: Path | None = None
        with opened_map(path) as published:
            for start in range(0, max(1, len(self.wanted)), TOGETHER):
                with opened_map(current) as before:
                    canvas = before or published
                    if canvas is None:
                        return None
                    some = slice(start, min(start + TOGETHER, len(self.wanted)))
                    current = self._write(before, published, canvas.grid, some)
        return current

    def _first_grid(self) -> SiteGrid | None:
        """Return the grid of the site's first scene, in the order of recording."""
        for one in sorted(self.wanted, key=lambda each: each.recorded):
            try:
                return SiteGrid.of_scene(_georeference_of(one.files.flags))
            except FileError:
                if one is self.new:
                    raise
        return None

    def _write(
        self, before: MapFile | None, numbers: MapFile | None, grid: SiteGrid, some: slice
    ) -> Path:
        """Write the map that follows ``before`` by some passes, with the numbers of a map."""
        with ExitStack() as files:
            passes, grid = self._placeable(self.wanted[some], grid)
            step = _Step(
                before,
                numbers,
                grid,
                [
                    (days_of(one.day), files.enter_context(placed(path, grid, self.site.grid)))
                    for one, path in passes
                ],
                Confirmation(*self.site.alert.needed),
            )
            last = self.new is not None and self.new in self.wanted[some]
            least = 1 if numbers is None else numbers.facts.next_number
            nodes = files.enter_context(stored(grid.shape, np.int32, self.folder.hidden))
            least = max(least, self.next_number) if last else least
            known = () if numbers is None else numbers.facts.settled
            numbering = step.number(nodes, least, self._settled(some.stop, known))
            self.merged.update(numbering.merged)
            facts = MapFacts(
                site=self.site.name,
                rules=self._rules,
                scenes=digest_of_passes(self.wanted[: some.stop]),
                count=some.stop,
                next_number=numbering.next_number,
                base=grid.base,
                origin=grid.origin,
                confirm=self.site.alert.confirm,
                settled=numbering.settled,
            )
            path = self.folder.path(f"{some.stop}.tif")
            with MapWriter(path, grid.georeference, layout_of(facts)) as out:
                step.write(out, nodes, numbering)
        return path

    def _settled(self, count: int, known: tuple[int, ...]) -> Settled:
        """Return which events are settled after the first ``count`` passes, and before."""
        rule = self.site.alert
        earlier = self.wanted[: max(0, count - rule.needed[1])]
        return Settled(rule.min_area_px, days_of(earlier[-1].day) if earlier else None, known)

    def _placeable(
        self, passes: Sequence[ScenePass], grid: SiteGrid
    ) -> tuple[list[tuple[ScenePass, Path]], SiteGrid]:
        """Return the passes that fit the site with their candidates, and the canvas for all."""
        placeable = []
        for one in passes:
            try:
                path = find_candidates(self.site, one.files).path
                there = _georeference_of(path).grid
                grid.require_fitting(there, one.source, self.site.grid)
                self.warps |= grid.offset(there) is None
                grid = grid.including(there, one.source)
            except (NotWritten, UnusableAreas):
                raise
            except (FileError, GridMismatch, ConfigError) as error:
                if one is self.new:
                    raise
                self.skipped.append(str(error))
            else:
                placeable.append((one, path))
        return placeable, grid


@dataclass(frozen=True)
class _Step:
    """A map and some passes that follow it."""

    before: MapFile | None
    """None: there is no pass before them."""
    numbers: MapFile | None
    """The map whose numbers of events are kept."""
    grid: SiteGrid
    """The canvas."""
    passes: Sequence[tuple[int, Callable[[Window], Classes]]]
    """Day of each, and what reads its candidates."""
    confirm: Confirmation

    def number(
        self, nodes: StoredScores[np.int32], next_number: int, settled: Settled
    ) -> Numbering:
        """Store the nodes of pixels with an episode, and number these."""
        shape = self.grid.shape
        events = EventNodes(Labelling(shape[1]))
        for rows, beside in tile_rows(shape, WINDOW):
            active, numbers = np.empty((2, rows.stop - rows.start, shape[1]), np.int32)
            for tile in beside:
                history, earlier = self._at(tile.keep)
                active[:, tile.keep[1]] = history.active
                numbers[:, tile.keep[1]] = events.known(history.active, earlier)
            nodes.write((rows, slice(0, shape[1])), events.add(active > 0, numbers))
        return events.numbered(next_number, settled)

    def write(self, out: MapWriter, nodes: StoredScores[np.int32], numbering: Numbering) -> None:
        """Write all layers."""
        for tile in tiles(self.grid.shape, WINDOW):
            history, earlier = self._at(tile.keep)
            event = numbering.numbers(nodes.read(tile.keep))
            finished = history.status == FINISHED
            event[finished] = earlier.event[finished]
            out.write(tile.keep, stored_values(history, event))

    def _at(self, window: Window) -> tuple[History, StoredLayers]:
        """Return the history of a window after all passes, and the map with earlier numbers."""
        before = self._stored(self.before, window)
        same = self.numbers is self.before
        earlier = before if same else self._stored(self.numbers, window)
        history = before.history
        for day, read in self.passes:
            classes = read(window)
            exceeds, valid = classes == ANOMALOUS, classes <= SMALL
            exceeds |= (classes == SMALL) & history.active
            history = advanced(history, exceeds, valid, day, self.confirm)
        return history, earlier

    def _stored(self, map_: MapFile | None, window: Window) -> StoredLayers:
        if map_ is None:
            shape = shape_of(window)
            return StoredLayers(no_history(shape), np.zeros(shape, np.int32))
        return map_.read(window, self.grid)


def _georeference_of(path: Path) -> Georeference:
    with open_raster(path, access=UNLIMITED) as dataset, dataset.describing():
        return dataset.georeference
