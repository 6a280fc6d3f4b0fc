"""The candidates of a scene: the flagged pixels that the rules of its site leave.

Outside of the areas of interest and inside of excluded polygons nothing is an anomaly.  What is
left is connected by sides and corners; candidates are the pixels of objects that are large enough,
or all where the share flagged is large enough.  The others remain as flags of their own class, for
they count where an event goes on.  The map of both, ``<stem>.candidates.tif``, lies beside that of
the scene: made by two passes over it, window by window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, FileError, RasterError
from ...files import replacing
from ...mapping.cache import digest_of
from ...mapping.deliverables import Deliverables
from ...mapping.flagging import FLAGS, WINDOW
from ...mapping.stored import StoredScores, stored
from ...objects.components import Labelling
from ...objects.georeferencing import pixel_areas
from ...pixels.flag_classes import ANOMALOUS, MASKED, NO_DATA, NORMAL
from ...pixels.tiling import Window, tile_rows, tiles
from ...raster import UNLIMITED, Category, Georeference, Layout, MapWriter, open_raster
from ...raster.polygons import PolygonMask, read_polygons
from ...raster.raster_dataset import RasterDataset
from ..config import SiteConfig
from ..local import digest_of_setting

END = "candidates.tif"
SMALL = 2
"""Class of pixels that are flagged, in objects that are not large enough."""
CLASSES = (*FLAGS[:2], Category(SMALL, "flagged, too small", (240, 160, 60)), *FLAGS[2:])
DIGEST, OBJECTS, PIXELS, SHARE = (
    f"ANOMVAE_{name}" for name in ("CANDIDATES", "CANDIDATE_OBJECTS", "CANDIDATE_PIXELS", "SHARE")
)
"""Tags of the map: what decides it, its objects and pixels, and the share flagged."""

Classes = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """The candidates of a scene."""

    path: Path
    """Their map: `ANOMALOUS` where a pixel is one, `SMALL`, or the other flags of the scene."""
    objects: int
    """Objects that are large enough."""
    pixels: int
    """Candidates."""
    share: float
    """Share of the valid pixels of the areas that is flagged, in [0, 1]."""


class UnusableAreas(FileError):
    """The polygons of a site cannot be used: no scene can be decided about."""


@dataclass(frozen=True)
class _Areas:
    """Where a site is watched, on the pixels of a scene."""

    only: PolygonMask | None
    exclude: PolygonMask | None

    def read(self, window: Window) -> Flags | np.bool_:
        """Return which pixels of a window are watched."""
        inside: Flags | np.bool_ = np.bool_(True)
        if self.only is not None:
            inside = inside & self.only.read(window)
        if self.exclude is not None:
            inside = inside & ~self.exclude.read(window)
        return inside


@dataclass(frozen=True)
class _Objects:
    """The objects of a scene."""

    groups: NDArray[np.int32]
    """The object of each label, from 1; 0 = none."""
    sizes: NDArray[np.float64]
    """Pixels of each object."""
    large: Flags
    """Whether each is large enough."""
    share: float
    """Share of valid pixels flagged."""


def candidates_path(files: Deliverables) -> Path:
    """Return where the candidates of a scene lie."""
    return files.folder / f"{files.stem}.{END}"


def rules_digest(site: SiteConfig) -> str:
    """Return a digest of all rules that decide which pixels are candidates.

    Raises `UnusableAreas` if a file of polygons cannot be read.
    """
    rule, area = site.alert, site.area
    names = {"area of interest": area.only, "area to exclude": area.exclude}
    with _unusable():
        polygons = [path and digest_of_setting(path, what) for what, path in names.items()]
    numbers = (rule.min_objects, rule.min_area_px, rule.min_area_m2, rule.min_share)
    return digest_of(*map(str, (*numbers, *polygons)))


def find_candidates(site: SiteConfig, files: Deliverables) -> Candidates:
    """Find the candidates of a scored scene of a site; what was found by the same rules is read.

    Raises
    ------
    RasterError
        If the map of flags cannot be read, or the areas of interest miss it.
    UnusableAreas
        If polygons cannot be read or located.
    ConfigError
        If an area is wanted in m2, and the scene has no place on Earth.
    NotWritten
        If the map of candidates cannot be written.
    """
    with open_raster(files.flags, access=UNLIMITED) as flags:
        scored, classes = flags.tags.get("ANOMVAE_DIGEST", ""), str(len(CLASSES))
        digest = digest_of("candidates", classes, scored, rules_digest(site))
        path = candidates_path(files)
        found = _earlier(path, digest)
        if found is not None:
            return found
        with flags.describing():
            where = flags.georeference
        areas = _areas_of(site, where, flags.name)
        with stored(flags.grid.shape, np.int32, files.folder) as labels:
            objects = _labelled(site, flags, where, areas, labels)
            every = site.alert.min_share is not None and objects.share >= site.alert.min_share
            enough = objects.large.sum() >= site.alert.min_objects
            kept = objects.sizes > 0 if every else objects.large & enough
            chosen = kept[objects.groups]

            def classes_of(window: Window) -> NDArray[np.uint8]:
                labelled = labels.read(window)
                return _classes(flags.read_first(window), labelled > 0, chosen[labelled])

            count, pixels = int(objects.large.sum()), int(objects.sizes[kept].sum())
            found = Candidates(path, count, pixels, objects.share)
            _write(found, digest, where, classes_of)
    return found


def _earlier(path: Path, digest: str) -> Candidates | None:
    """Return what was found before; None: by other rules, or it cannot be read."""
    if not path.exists():
        return None
    try:
        with open_raster(path, access=UNLIMITED) as dataset:
            tags = dataset.tags
            if tags.get(DIGEST) != digest:
                return None
            return Candidates(path, int(tags[OBJECTS]), int(tags[PIXELS]), float(tags[SHARE]))
    except (RasterError, KeyError, ValueError):
        return None


def _areas_of(site: SiteConfig, where: Georeference, name: str) -> _Areas:
    only, exclude = site.area.only, site.area.exclude
    return _Areas(
        None if only is None else _polygons(only, where, name),
        None if exclude is None else _polygons(exclude, where, name, elsewhere=True),
    )


def _polygons(path: str, where: Georeference, name: str, *, elsewhere: bool = False) -> PolygonMask:
    """Read polygons; `UnusableAreas` unless it is the scene alone that they do not fit."""
    if not where.indirect:
        with _unusable():
            read_polygons(path, where, name, elsewhere=True)
    return read_polygons(path, where, name, elsewhere=elsewhere)


@contextmanager
def _unusable() -> Iterator[None]:
    try:
        yield
    except FileError as error:
        raise UnusableAreas(*error.args) from error


def _labelled(
    site: SiteConfig,
    flags: RasterDataset,
    where: Georeference,
    areas: _Areas,
    labels: StoredScores[np.int32],
) -> _Objects:
    """Label the objects in the areas of a scene, and measure them."""
    shape, labelling, valid = flags.grid.shape, Labelling(flags.grid.shape[1]), 0
    row_areas = _row_areas(site, where, flags.name)
    px: list[NDArray[Any]] = [np.zeros(1)]
    m2: list[NDArray[Any]] = [np.zeros(1)]
    for rows, beside in tile_rows(shape, WINDOW):
        parts = []
        for tile in beside:
            classes, inside = flags.read_first(tile.keep), areas.read(tile.keep)
            parts.append((classes == ANOMALOUS) & inside)
            valid += int(np.count_nonzero((classes <= ANOMALOUS) & inside))
        before, flagged = labelling.parts, np.concatenate(parts, axis=1)
        numbers = labelling.add(flagged)
        labels.write((rows, slice(0, shape[1])), numbers)
        at, own = np.nonzero(flagged)[0], numbers[flagged] - before - 1
        px.append(np.bincount(own, minlength=labelling.parts - before))
        if row_areas is not None:
            m2.append(np.bincount(own, row_areas[rows][at], labelling.parts - before))
    groups = labelling.objects()
    sizes: NDArray[np.float64] = np.bincount(groups, np.concatenate(px)).astype(np.float64)
    large = sizes >= site.alert.min_area_px
    if site.alert.min_area_m2 is not None:
        large &= np.bincount(groups, np.concatenate(m2)) >= site.alert.min_area_m2
    large[0] = False
    return _Objects(groups, sizes, large, float(sizes.sum()) / max(valid, 1))


def _row_areas(site: SiteConfig, where: Georeference, name: str) -> NDArray[np.float64] | None:
    if site.alert.min_area_m2 is None:
        return None
    areas = pixel_areas(where)
    if areas is None:
        raise ConfigError(
            f"{name} has no place on Earth, so that no area of it is known in m2: leave out "
            f"min_area_m2 of {site.name!r}, and give min_area_px."
        )
    return areas


def _classes(classes: Classes, flagged: Flags, chosen: Flags) -> NDArray[np.uint8]:
    """Return the values of a map of candidates for flags, those in areas, and what is chosen."""
    kept = np.where(classes == MASKED, MASKED, np.where(np.isnan(classes), NO_DATA, NORMAL))
    return np.where(chosen, ANOMALOUS, np.where(flagged, SMALL, kept)).astype(np.uint8)


def _write(
    found: Candidates,
    digest: str,
    where: Georeference,
    classes_of: Callable[[Window], NDArray[np.uint8]],
) -> None:
    tags = {
        DIGEST: digest,
        OBJECTS: str(found.objects),
        PIXELS: str(found.pixels),
        SHARE: repr(found.share),
    }
    layout = Layout("uint8", NO_DATA, ("candidates",), tags, CLASSES, "mode", predictor=False)
    with replacing(found.path) as part, MapWriter(part, where, layout) as out:
        for tile in tiles(where.grid.shape, WINDOW):
            out.write(tile.keep, classes_of(tile.keep)[np.newaxis])
