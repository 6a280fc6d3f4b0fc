"""The persistence map of a site, brought up to date with its scenes.

The map is a function of the passes that count, in the order of acquisition.  Its tags hold a digest
of these; where the newest ones are missing, they are added, and else the map is made again, from
the candidates of all scenes (`candidates`).  A map that is there keeps its grid and its numbers of
events.  A map is written window by window, by two passes: one labels the pixels with an episode,
and another writes them with the numbers of their events.

It is staged beside the file that it replaces, and published after the state has recorded the scene:
a process that dies in between leaves an older map, which the next pass brings up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...files import Staging, is_left, side_car, staging, writing
from ..config import SiteConfig
from .clusters import clusters_of
from .event import Cluster
from .map_building import MapBuilder
from .map_file import DamagedMap, map_path, opened_map
from .passes import ScenePass, with_pass
from .recovery import renumber


@dataclass
class StagedMap:
    """A site's map with all of its passes, not published yet; its context discards it."""

    path: Path
    """Where it is published."""
    clusters: tuple[Cluster, ...]
    """Its events that go on, in the order of their numbers."""
    merged: Mapping[int, int]
    """Numbers of events of the map before that became part of another, and that one's."""
    next_number: int
    """Number of the next new event."""
    notes: tuple[str, ...]
    """What is not in it, a line each."""
    _files: ExitStack
    _stage: Staging | None
    """None: the published map is up to date."""

    def publish(self) -> None:
        """Replace the site's map; raises `NotWritten` if that cannot be done."""
        with self._files:
            if self._stage is not None:
                self._stage.publish(self.path.name)

    def discard(self) -> None:
        """Keep the site's map as it is; nothing where it was published."""
        self._files.close()

    def __enter__(self) -> StagedMap:
        """Return the map."""
        return self

    def __exit__(self, *_: object) -> None:
        """Discard what was not published."""
        self.discard()


def stage(
    site: SiteConfig,
    recorded: Sequence[ScenePass],
    new: ScenePass | None = None,
    *,
    next_number: int = 1,
    known: Sequence[Cluster] = (),
) -> StagedMap:
    """Stage the map of a site with its passes.

    Parameters
    ----------
    site : SiteConfig
        The site and its rules.
    recorded : sequence of ScenePass
        The passes in the state, in order (`recorded_passes`).
    new : ScenePass, optional
        One that is not recorded yet; it replaces that of the same source.
    next_number : int
        Least number of an event that ``new`` opens.
    known : sequence of Cluster
        The open events that are recorded: a map that was lost has their numbers when it is made
        again.

    Returns
    -------
    StagedMap

    Raises
    ------
    GridMismatch
        If the new scene lies on another grid than the site, and is not to be warped, or its canvas
        would grow too large.
    RasterError, FileError, ConfigError
        As `find_candidates` for the new scene; of others that cannot be read a note remains.
    NotWritten, LockHeld
        If the map cannot be staged.
    """
    path, wanted = map_path(site), list(recorded if new is None else with_pass(recorded, new))
    with ExitStack() as files:
        folder = files.enter_context(staging(path.parent, path.name))
        build = MapBuilder(site, folder, wanted, new, next_number)
        try:
            current = build.from_map(path)
        except DamagedMap:
            lost = MapBuilder(site, folder, recorded, None, next_number)
            made_again = _recovered(lost, known)
            build = MapBuilder(
                site, folder, wanted, new, next_number, skipped=lost.skipped, warps=lost.warps
            )
            current = build.from_map(made_again)
        with opened_map(current) as made:
            clusters = () if made is None else clusters_of(made)
            number = next_number if made is None else made.facts.next_number
        changed = current is not None and current != path
        if current is not None and changed:
            _rename(current, folder.path(path.name))
        return StagedMap(
            path=path,
            clusters=clusters,
            merged=build.merged,
            next_number=number,
            notes=tuple(_notes(build)),
            _files=files.pop_all(),
            _stage=folder if changed else None,
        )


def _recovered(lost: MapBuilder, known: Sequence[Cluster]) -> Path | None:
    """Return a lost map that is made again, with the numbers of the recorded events."""
    made = lost.from_map(None)
    if made is None or not known:
        return made
    path = lost.folder.path("recovered.tif")
    renumber(made, path, known, lost.next_number)
    return path


def is_behind(site: SiteConfig) -> bool:
    """Return whether a site has no map, or a run died before it could publish one."""
    path = map_path(site)
    return not path.exists() or is_left(path.parent, path.name)


def _rename(made: Path, staged: Path) -> None:
    """Give a map its name, and its side-car."""
    with writing(staged):
        if side_car(made).exists():
            side_car(made).replace(side_car(staged))
        made.replace(staged)


def _notes(build: MapBuilder) -> Iterator[str]:
    if build.warps:
        yield (
            "scenes lie on another grid than the first of the site, and are warped onto that, by "
            "the nearest pixel. grid = 'refuse' refuses them."
        )
    if skipped := build.skipped:
        more = f" (so do {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        yield f"the persistence map lacks an earlier scene: {skipped[0]}{more}"
