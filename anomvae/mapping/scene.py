"""Score a scene: reader -> detector -> writers -> summary, tile by tile, in constant memory.

Everything is made in a hidden folder and published in the end, the summary last.  Meanwhile a lock
keeps other runs from making the same results.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..bands import Bands
from ..config import resolve_config
from ..covariates import requested
from ..files import (
    FileIdentity,
    PathText,
    Staging,
    identify,
    staging,
    without_query,
    writing,
)
from ..fitting import EVERYTHING, Selection, detect
from ..objects import require_min_area, write_objects
from ..outputs import MapResult, Outputs, Recipe, digest_of, finished, require_apart
from ..parallel import Progress, quiet
from ..pixels import matched
from ..raster import (
    Category,
    Layout,
    MapWriter,
    RasterReader,
    SeriesReader,
    opened_dates,
    with_covariates,
)
from ..raster.maps import LAYERS
from ..tiling import fitting_size
from .quicklook import SIDE, draw, picture_bands
from .tally import Tally
from .work import Scorer, require_tile, score_tiles

if TYPE_CHECKING:
    from ..config import Config

NO_DATA = 255
FLAGS = (
    Category(0, "normal", (230, 230, 230)),
    Category(1, "anomalous", (214, 26, 28)),
    Category(NO_DATA, "no data", (0, 0, 0)),
)


def score_scene(  # noqa: PLR0913 - keywords, each with a default
    detector: Scorer,
    scene: PathText | Sequence[PathText],
    folder: PathText,
    *,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    tile: int | None = None,
    min_area: int = 1,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> MapResult:
    """Score a scene and write its deliverables; what is up to date is left as it is.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path or sequence of path
        A raster, or the dates of one place, oldest first; the map is the newest date's.
    folder : path
        Where ``<stem>.anomaly.tif``, ``.flags.tif``, ``.objects.geojson``, ``.png`` and ``.json``
        go; made if missing.
    mask : path, optional
        Raster on the scene's grid; 0 = ignore.
    covariates : sequence of path, optional
        Those of the detector, such as ``["dem.tif", "classes:landcover.tif", "day"]``.
    tile : int, optional
        Side of a tile, pixels; by default about 64 MiB of whole file blocks.  It does not show in
        the map.
    min_area : int, default 1
        Objects of fewer pixels are not told; their pixels stay flagged.
    overwrite : bool, default False
        Whether to replace results of other settings.
    progress : Progress, optional
        Told about every tile.

    Returns
    -------
    MapResult

    Raises
    ------
    RasterError
        If a file cannot be read or written; nothing is left behind.
    BandMismatch, CovariateMismatch, GridMismatch
        If the scene does not fit the detector, or the mask or a covariate the scene.
    OutputExists
        If results of other settings lie there, or files that anomvae did not write.
    ConfigError
        If ``tile`` or ``min_area`` is no size, or a result would replace a file that is read.
    LockHeld
        If another run is scoring the scene into that folder.
    """
    require_tile(tile)
    require_min_area(min_area)
    dates = [scene] if isinstance(scene, str | Path) else list(scene)
    detector.require_dates(len(dates))
    with opened_dates(
        dates, mask=mask, covariates=covariates, expected=detector.covariates
    ) as opened:
        reader = matched(opened, detector.bands)
        outputs = Outputs(Path(folder), reader.stem)
        recipe = Recipe(
            detector.id,
            _asked("score", min_area=min_area),
            _input(reader.bands, reader.fingerprint),
        )
        require_apart(outputs, reader.fingerprint)
        known = finished(outputs, recipe.digest, overwrite=overwrite)
        if known is not None:
            return known
        return _Job(detector, reader, outputs, recipe, tile, min_area, overwrite, progress).run()


def detect_scene(  # noqa: PLR0913 - keywords, each with a default
    scene: PathText,
    folder: PathText,
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    min_area: int = 1,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> MapResult:
    """Fit a detector to a scene, anomalies and all, and write the deliverables of that scene.

    Parameters
    ----------
    scene : path
        The raster; needs no labels.
    folder, min_area, overwrite, progress
        As for `score_scene`.
    config, seed, select
        As for `anomvae.detect`.

    Returns
    -------
    MapResult

    Raises
    ------
    RasterError, GridMismatch, CovariateMismatch, NotEnoughPixels, ConfigError, OutputExists,
    LockHeld
        What is wrong with the scene or the settings, and what to do.
    """
    require_min_area(min_area)
    settings = resolve_config(config).config if isinstance(config, str) else config
    with (
        RasterReader(scene, bands=select.bands, mask=select.mask) as plain,
        with_covariates(plain, select.covariates) as opened,
    ):
        outputs = Outputs(Path(folder), opened.stem)
        read = (*opened.fingerprint, *map(identify, select.normal))
        normal = repr([identify(path) for path in select.normal])  # learnt, not only read
        kinds = [one.kind for one in requested(select.covariates)]
        told = settings.model_dump_json(), str(seed), normal, *kinds
        asked = _asked("detect", *told, min_area=min_area)
        recipe = Recipe("", asked, _input(opened.bands, read))
        require_apart(outputs, read)
        known = finished(outputs, recipe.digest, overwrite=overwrite)
        if known is not None:
            return known
        detector = detect(scene, settings, seed, select=select, progress=progress)
        reader = SeriesReader([matched(opened, detector.bands)])
        return _Job(detector, reader, outputs, recipe, None, min_area, overwrite, progress).run()


@dataclass(frozen=True)
class _Job:
    """One scene to be scored."""

    detector: Scorer
    reader: SeriesReader
    outputs: Outputs
    recipe: Recipe
    tile: int | None
    min_area: int
    overwrite: bool
    progress: Progress

    def run(self) -> MapResult:
        start = time.perf_counter()
        with staging(self.outputs.folder, self.outputs.stem) as stage:
            # Another run may have come first; from here on the lock keeps it out.
            known = finished(self.outputs, self.recipe.digest, overwrite=self.overwrite)
            if known is not None:
                return known
            tally = self._write_maps(stage)
            objects = self._write_objects(stage)
            with writing(self.outputs.quicklook):
                stage.path(self.outputs.quicklook.name).write_bytes(self._picture(stage))
            result = self._result(tally, objects, time.perf_counter() - start)
            with writing(self.outputs.summary):
                stage.path(self.outputs.summary.name).write_text(result.to_json(), encoding="utf-8")
            stage.publish(*(path.name for path in self.outputs.all))
        return result

    @property
    def _title(self) -> str:
        """Name of the scene without its folder."""
        return Path(without_query(self.reader.name)).name

    def _write_maps(self, stage: Staging) -> Tally:
        """Score tile by tile into both maps."""
        where, tags = self.reader.georeference, self._tags()
        shape, threshold = self.reader.grid.shape, self.detector.threshold
        size = self._tile_size()
        tally, total = Tally(shape), math.prod(-(-a // b) for a, b in zip(shape, size, strict=True))
        with (
            MapWriter(stage.path(self.outputs.scores.name), where, _score_layout(tags)) as maps,
            MapWriter(stage.path(self.outputs.flags.name), where, _flag_layout(tags)) as flags,
        ):
            work = score_tiles(self.detector, self.reader, size)
            for done, (tile, scores) in enumerate(work, start=1):
                newest = np.stack([term[-1] for term in scores])
                flagged = threshold.flag(newest[0])
                maps.write(tile.keep, newest)
                classes = np.where(np.isfinite(newest[0]), flagged, NO_DATA).astype(np.uint8)
                flags.write(tile.keep, classes[np.newaxis])
                tally.add(tile, newest[0], flagged)
                self.progress("score", done, total)
        return tally

    def _tile_size(self) -> tuple[int, int]:
        shape = self.reader.grid.shape
        if self.tile is None:
            return fitting_size(shape, self.reader.block_shape, self.reader.depth)
        return min(self.tile, shape[0]), min(self.tile, shape[1])

    def _tags(self) -> dict[str, str]:
        """Say where the maps come from; no times, so that the same run gives the same bytes."""
        threshold = self.detector.threshold
        return {
            "ANOMVAE_VERSION": __version__,
            "ANOMVAE_DETECTOR": self.detector.id,
            "ANOMVAE_DIGEST": self.recipe.digest,
            "ANOMVAE_SCENE": self._title,
            "ANOMVAE_SCORE": self.detector.meaning,
            "ANOMVAE_THRESHOLD": repr(threshold.value),
            "ANOMVAE_THRESHOLD_RULE": threshold.rule,
        }

    def _write_objects(self, stage: Staging) -> int:
        """Find what is connected in the finished maps."""
        scores, flags, objects, *_ = (stage.path(path.name) for path in self.outputs.all)
        return write_objects(objects, flags, scores, self.min_area)

    def _picture(self, stage: Staging) -> bytes:
        image = _picture_bands(self.reader).preview(SIDE)[-1]
        with RasterReader(stage.path(self.outputs.scores.name)) as scores:
            layer = scores.preview(SIDE)[0, ..., 0]
        return draw(self._title, image, layer, self.detector.threshold)

    def _result(self, tally: Tally, objects: int, seconds: float) -> MapResult:
        return MapResult(
            scene=self.reader.name,
            outputs=self.outputs,
            detector=self.detector.id,
            settings=self.recipe.settings,
            input=self.recipe.input,
            digest=self.recipe.digest,
            threshold=self.detector.threshold,
            pixels=tally.pixels,
            valid=tally.valid,
            flagged=tally.flagged,
            objects=objects,
            quantiles=tally.quantiles,
            seconds=seconds,
        )


def _score_layout(tags: dict[str, str]) -> Layout:
    return Layout("float32", math.nan, LAYERS, tags)


def _flag_layout(tags: dict[str, str]) -> Layout:
    return Layout(
        "uint8", NO_DATA, ("flags",), tags, categories=FLAGS, overviews="mode", predictor=False
    )


def _asked(*told: str, min_area: int) -> str:
    """Digest what was asked for; the usual says nothing, so that archives stay up to date."""
    return digest_of(*told, *([] if min_area == 1 else [f"min_area={min_area}"]))


def _input(bands: Bands, files: Iterable[FileIdentity]) -> str:
    return digest_of(repr(bands), *map(repr, files))


def _picture_bands(reader: SeriesReader) -> SeriesReader:
    """Read three bands alone: a picture needs no more of two hundred."""
    bands = list(reader.bands)
    return reader.using(reader.bands.keep([bands[place] for place in picture_bands(reader.bands)]))
