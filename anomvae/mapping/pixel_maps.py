"""Maps of layers that are no scores, such as codes and reconstructions, streamed tile by tile.

Tiles, threads and warnings are those of a score (`tiles`); the map is one file, which appears whole
or not at all.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed
from ..errors import ConfigError, NotFinite, OutputExists
from ..files import PathText, SceneText, replacing, require_file
from ..identity import FileIdentity, require_unchanged
from ..parallel import Progress, ahead
from ..parallel.isolation import isolated
from ..pixels.tiling import Tile, Window
from ..pixels.views import Block, Examples, where_newest
from ..raster import Layout, MapWriter, OpenScene, Scene
from .flagging import report
from .options import MapOptions
from .outcomes import scored
from .provenance import provenance
from .quicklook import QuickLookSpec
from .scorer import Planes, TileLayers
from .tiles import TileScores, in_units_of_training, score_tiles

log = logging.getLogger(__name__)

SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class PixelMap:
    """What was written of a scene."""

    path: Path
    """The file, a COG."""
    layers: tuple[str, ...]
    """Descriptions of its bands."""
    pixels: int
    """Pixels of the scene."""
    valid: int
    """Pixels that have values; the others have no data."""


class Pixels(NamedTuple):
    """Pixels of the newest date of a scene that can be scored."""

    examples: Examples
    """What `Detector.encode` takes, (n, ..., value)."""
    spectra: NDArray[np.float32]
    """Their bands, (n, band), data units."""
    places: NDArray[np.int64]
    """Row and column of each in the scene, (n, 2)."""


@dataclass(frozen=True, eq=False)
class PixelLayers(TileLayers):
    """Layers that a detector computes of each pixel, whatever its tile."""

    @property
    def radius(self) -> int:
        """The receptive radius of an example: a local contrast is no part of a layer."""
        return self.detector.view.radius

    @abstractmethod
    def layout(self, tags: Mapping[str, str]) -> Layout:
        """Return the content of the map; the tags hold its provenance."""

    @abstractmethod
    def values(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the layers of pixels, (n, layer)."""

    def kept(self, tile: Tile, block: Block) -> Planes:
        """Return the layers of the kept pixels of the newest date of a tile, (1, row, col)."""
        view, inner = self.detector.view, (-1, *tile.inner)
        where = where_newest(view, block, tile.inner)
        kept = where[inner]
        spectra = block[inner][kept][:, : len(self.bands)]
        places = np.argwhere(kept) + [part.start for part in tile.keep]
        values = self.values(Pixels(view.split(block, where), spectra, places))
        _require_finite(values)
        planes = np.full((len(self.layers), 1, *kept.shape), np.nan, np.float32)
        planes[:, 0, kept] = values.T
        return tuple(planes)


@isolated()
def write_pixel_map(
    source: PixelLayers,
    scene: SceneText | Scene,
    path: PathText,
    options: MapOptions,
    progress: Progress,
) -> PixelMap:
    """Write the layers of a scene to one file; ``progress`` is called for every tile.

    Raises
    ------
    RasterError, InputChanged, BandMismatch, CovariateMismatch, GridMismatch, LockHeld
        As `anomvae.score_scene`.
    ConfigError
        If the family compares dates and the scene has one, the name does not end as that of a
        GeoTIFF, or the file is read for the map.
    OutputExists
        If there is a file of this name, unless ``options.overwrite``.
    NotFinite
        If a pixel that has data gets no number.
    """
    closed, file = Scene.of(scene), Path(path)
    with scored(closed.name):
        source.detector.require_dates(len(closed.dates))
        with closed.open(source.bands, source.covariates) as stored:
            opened = in_units_of_training(source.detector, stored)
            inputs = opened.files  # as they are now
            _require_new(file, inputs, options)
            layout = source.layout(provenance(source.detector.id, opened))
            with replacing(file) as part:
                with MapWriter(part, opened.georeference, layout) as out:
                    valid = _write(source, opened, _Writer(out, layout), options, progress)
                require_unchanged(inputs)
    rows, cols = opened.grid.shape
    if not valid:
        log.warning(
            "%s: no pixel has data, so %s holds none. Check masks (--mask none ignores those of a "
            "product) and nodata values.",
            *(displayed(closed.name), file),
        )
    return PixelMap(file, layout.descriptions, rows * cols, valid)


def _write(
    source: PixelLayers,
    opened: OpenScene,
    write: _Writer,
    options: MapOptions,
    progress: Progress,
) -> int:
    """Write all tiles; return the number of pixels that have values."""
    shape, valid = opened.grid.shape, 0
    tiles = score_tiles(source, opened, QuickLookSpec.of(shape, opened.bands), options)
    with closing(tiles), closing(ahead(write, tiles)) as written:
        for keep, count in written:
            valid += count
            report(progress, "pixels", keep, shape)
    return valid


@dataclass(frozen=True)
class _Writer:
    """Writes the newest date of a tile; returns its window, and its pixels that have values."""

    out: MapWriter
    layout: Layout

    def __call__(self, scored: TileScores) -> tuple[Window, int]:
        keep, values = scored.tile.keep, np.stack([layer[-1] for layer in scored.layers])
        known = np.isfinite(values[0])
        if self.layout.dtype != "float32":
            values = np.where(known, values, self.layout.nodata).astype(self.layout.dtype)
        self.out.write(keep, values)
        return keep, int(np.count_nonzero(known))


def _require_new(path: Path, inputs: tuple[FileIdentity, ...], options: MapOptions) -> None:
    """Refuse a name that is no GeoTIFF's, is read for the map, or exists without ``overwrite``."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} is to be a GeoTIFF. Give a name that ends in .tif.")
    require_file(path)
    if not path.exists():
        return
    if any(one.path is not None and path.samefile(one.path) for one in inputs):
        raise ConfigError(
            f"{path} is read for this map and would be replaced. Choose another name."
        )
    if not options.overwrite:
        raise OutputExists(f"{path} exists. Allow it to be overwritten, or choose another name.")


def _require_finite(values: NDArray[np.float32]) -> None:
    failed = int(np.count_nonzero(~np.isfinite(values).all(axis=-1)))
    if failed:
        raise NotFinite(
            f"{failed} pixels that have data get no finite number from this detector: its weights "
            f"are not finite, or far too large, or the pixels are. Train it again, or mask them."
        )
