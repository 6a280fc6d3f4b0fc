"""Score a scene: reader -> detector -> writers -> summary, tile by tile, in constant memory.

Everything is made in a hidden folder and published in the end, the summary last.  Meanwhile a lock
keeps other runs from making the same results.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..config import resolve_config
from ..files import (
    FileIdentity,
    PathText,
    SceneText,
    Staging,
    as_paths,
    identify,
    staging,
    without_query,
    writing,
)
from ..fitting import EVERYTHING, Selection, detect
from ..objects import ScoredTile, require_min_area, write_objects
from ..parallel import Mapper, Progress, ahead, quiet, serial
from ..pixels.bands import Bands
from ..pixels.covariates import parse_covariates
from ..pixels.views import matched
from ..raster import RasterReader, SeriesReader, opened_dates, with_covariates
from .maps import Maps, opened_maps
from .outputs import CacheKey, MapResult, Outputs, cached_result, digest_of, require_apart
from .quicklook import SIDE, draw, picture_of
from .statistics import RunningStatistics
from .tiles import Scorer, TilePlan, plan_tiles, require_threads, require_tile, score_tiles

if TYPE_CHECKING:
    from ..config import Config


def score_scene(  # noqa: PLR0913 - keywords, each with a default
    detector: Scorer,
    scene: SceneText,
    folder: PathText,
    *,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    tile: int | None = None,
    min_area: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
    mapper: Mapper = serial,
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
        Those of the detector, such as ``["dem.tif", "categorical:landcover.tif", "day"]``.
    tile : int, optional
        Side of a tile, pixels; by default about 16 MiB of whole file blocks.  It does not show in
        the map.
    min_area : int, default 1
        Objects of fewer pixels are not told; their pixels stay flagged.
    threads : int, optional
        Tiles scored at a time; by default as many as torch may use threads, 4 at the most.
    overwrite : bool, default False
        Whether to replace results of other settings.
    progress : Progress, optional
        Told about every tile.
    mapper : Mapper, optional
        Who does the work on tiles, as from `anomvae.parallel.processes` or `dask`; by default this
        process.  The map is the same.

    Returns
    -------
    MapResult

    Raises
    ------
    RasterError
        If a file cannot be read or written; nothing is left behind.
    WorkersLost
        If workers die again and again.
    BandMismatch, CovariateMismatch, GridMismatch
        If the scene does not fit the detector, or the mask or a covariate the scene.
    OutputExists
        If results of other settings lie there, or files that anomvae did not write.
    ConfigError
        If ``tile``, ``min_area`` or ``threads`` is none, or a result would replace what is read.
    LockHeld
        If another run is scoring the scene into that folder.
    """
    require_tile(tile)
    require_min_area(min_area)
    require_threads(threads)
    dates = as_paths(scene)
    detector.require_dates(len(dates))
    with opened_dates(
        dates, mask=mask, covariates=covariates, expected=detector.covariates
    ) as opened:
        reader = matched(opened, detector.bands)
        outputs = Outputs(Path(folder), reader.stem)
        key = CacheKey(
            detector.id,
            _asked("score", min_area=min_area),
            _input(reader.bands, reader.fingerprint),
        )
        require_apart(outputs, reader.fingerprint)
        known = cached_result(outputs, key.digest, overwrite=overwrite)
        if known is not None:
            return known
        how = _How(tile, threads, mapper)
        return _Job(detector, reader, outputs, key, min_area, overwrite, progress, how).run()


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
        kinds = [one.kind for one in parse_covariates(select.covariates)]
        told = settings.model_dump_json(), str(seed), normal, *kinds
        asked = _asked("detect", *told, min_area=min_area)
        key = CacheKey("", asked, _input(opened.bands, read))
        require_apart(outputs, read)
        known = cached_result(outputs, key.digest, overwrite=overwrite)
        if known is not None:
            return known
        detector = detect(scene, settings, seed, select=select, progress=progress)
        reader = SeriesReader([matched(opened, detector.bands)])
        how = _How()
        return _Job(detector, reader, outputs, key, min_area, overwrite, progress, how).run()


@dataclass(frozen=True)
class _How:
    """What decides how fast a scene is scored, and nothing else."""

    tile: int | None = None
    threads: int | None = None
    mapper: Mapper = serial


@dataclass(frozen=True)
class _Job:
    """One scene to be scored."""

    detector: Scorer
    reader: SeriesReader
    outputs: Outputs
    key: CacheKey
    min_area: int
    overwrite: bool
    progress: Progress
    how: _How

    def run(self) -> MapResult:
        start = time.perf_counter()
        with staging(self.outputs.folder, self.outputs.stem) as stage:
            # Another run may have come first; from here on the lock keeps it out.
            known = cached_result(self.outputs, self.key.digest, overwrite=self.overwrite)
            if known is not None:
                return known
            maps, objects = self._write_maps(stage)
            with writing(self.outputs.quicklook):
                image = self._drawn(stage, maps.image)
                stage.path(self.outputs.quicklook.name).write_bytes(image)
            result = self._result(maps.statistics, objects, time.perf_counter() - start)
            with writing(self.outputs.summary):
                stage.path(self.outputs.summary.name).write_text(result.to_json(), encoding="utf-8")
            stage.publish(*(path.name for path in self.outputs.all))
        return result

    @property
    def _title(self) -> str:
        """Name of the scene without its folder."""
        return Path(without_query(self.reader.name)).name

    def _write_maps(self, stage: Staging) -> tuple[Maps, int]:
        """Score tile by tile, while one thread writes the maps, and this one finds objects."""
        detector, reader, tags = self.detector, self.reader, self._tags()
        how = plan_tiles(detector, reader, self.how.tile, self.how.threads)
        picture = picture_of(reader)
        objects, where = stage.path(self.outputs.objects.name), reader.georeference
        with (
            opened_maps(self.outputs, stage, where, tags, detector.threshold, picture) as maps,
            closing(score_tiles(detector, reader, how, self.how.mapper, picture)) as scored,
            closing(ahead(maps.write, scored)) as written,
        ):
            return maps, write_objects(
                objects, self._counted(written, how), where, tags, self.min_area
            )

    def _counted(self, pieces: Iterable[ScoredTile], how: TilePlan) -> Iterator[ScoredTile]:
        """Tell how far the work has come."""
        shape = self.reader.grid.shape
        total = math.prod(-(-side // step) for side, step in zip(shape, how.tile, strict=True))
        for done, piece in enumerate(pieces, start=1):
            yield piece
            self.progress("score", done, total)

    def _tags(self) -> dict[str, str]:
        """Say where the maps come from; no times, so that the same run gives the same bytes."""
        threshold = self.detector.threshold
        return {
            "ANOMVAE_VERSION": __version__,
            "ANOMVAE_DETECTOR": self.detector.id,
            "ANOMVAE_DIGEST": self.key.digest,
            "ANOMVAE_SCENE": self._title,
            "ANOMVAE_SCORE": self.detector.meaning,
            "ANOMVAE_THRESHOLD": repr(threshold.value),
            "ANOMVAE_THRESHOLD_RULE": threshold.rule,
        }

    def _drawn(self, stage: Staging, image: NDArray[np.float32]) -> bytes:
        with RasterReader(stage.path(self.outputs.scores.name)) as scores:
            layer = scores.preview(SIDE)[0, ..., 0]
        return draw(self._title, image, layer, self.detector.threshold)

    def _result(self, statistics: RunningStatistics, objects: int, seconds: float) -> MapResult:
        return MapResult(
            scene=self.reader.name,
            outputs=self.outputs,
            detector=self.detector.id,
            settings=self.key.settings,
            input=self.key.input,
            digest=self.key.digest,
            threshold=self.detector.threshold,
            pixels=statistics.pixels,
            valid=statistics.valid,
            flagged=statistics.flagged,
            objects=objects,
            quantiles=statistics.quantiles,
            seconds=seconds,
        )


def _asked(*told: str, min_area: int) -> str:
    """Digest what was asked for; the usual says nothing, so that archives stay up to date."""
    return digest_of(*told, *([] if min_area == 1 else [f"min_area={min_area}"]))


def _input(bands: Bands, files: Iterable[FileIdentity]) -> str:
    return digest_of(repr(bands), *map(repr, files))
