"""Score a scene: read, score, write and summarise it tile by tile, in constant memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import resolve_config
from ..files import PathText, SceneText, as_paths, identify
from ..fitting import EVERYTHING, Selection, detect
from ..parallel import Mapper, Progress, quiet, serial
from ..raster import OpenScene, Scene
from .deliverables import CacheKey, Deliverables, MapResult, cached_result
from .open_deliverables import begin
from .options import ScoreOptions
from .quicklook import QuickLook, QuickLookSpec
from .tiles import Scorer, score_tiles

if TYPE_CHECKING:
    from ..config import Config

DEFAULT = ScoreOptions()


def score_scene(
    detector: Scorer,
    scene: SceneText | Scene,
    folder: PathText,
    options: ScoreOptions = DEFAULT,
    *,
    progress: Progress = quiet,
    mapper: Mapper = serial,
) -> MapResult:
    """Score a scene and write its deliverables; what is up to date is left as it is.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path, sequence of path, or Scene
        A raster, or the dates of one place, oldest first: the map is the newest date's.  A `Scene`
        (``Scene.of(path, mask=..., covariates=...)``) has masks and covariates.
    folder : path
        Where ``<stem>.anomaly.tif``, ``.flags.tif``, ``.objects.geojson``, ``.png`` and ``.json``
        go; made if missing.
    options : ScoreOptions, optional
        Tile size, threads, smallest object, and whether to replace other results.
    progress : Progress, optional
        Called for every tile.
    mapper : Mapper, optional
        Does the work on tiles, as from `anomvae.parallel.processes` or `dask`; by default this
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
        If the scene does not fit the detector, or a mask or covariate the scene.
    OutputExists
        If results of other settings lie there, or files that anomvae did not write.
    ConfigError
        If the family compares dates and one is given, or a result would replace what is read.
    LockHeld
        If another run is scoring the scene into that folder.
    """
    closed = Scene.of(scene)
    detector.require_dates(len(closed.dates))
    with closed.open(detector.bands, detector.covariates) as opened:
        files = Deliverables(Path(folder), opened.stem)
        files.require_apart(opened.files)
        key = CacheKey.of(
            detector.id, "score", min_area=options.min_area, bands=opened.bands, files=opened.files
        )
        return _deliver(detector, opened, files, key, options, progress, mapper)


def detect_scene(
    scene: PathText,
    folder: PathText,
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    options: ScoreOptions = DEFAULT,
    progress: Progress = quiet,
) -> MapResult:
    """Fit a detector to a scene, anomalies and all, and write the deliverables of that scene.

    Parameters
    ----------
    scene : path
        The raster; needs no labels.
    folder, options, progress
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
    resolved = resolve_config(config).config if isinstance(config, str) else config
    closed = Scene.of(scene, bands=select.bands, mask=select.mask, covariates=select.covariates)
    normal = [identify(path) for path in as_paths(select.normal)]
    kinds = [spec.kind for spec in closed.covariates]
    settings = "detect", resolved.model_dump_json(), str(seed), repr(normal), *kinds
    with closed.open() as opened:
        files, read = Deliverables(Path(folder), opened.stem), (*opened.files, *normal)
        files.require_apart(read)
        key = CacheKey.of("", *settings, min_area=options.min_area, bands=opened.bands, files=read)
        cached = cached_result(files, key, overwrite=options.overwrite)
    if cached is not None:
        return cached
    detector = detect(scene, resolved, seed, select=select, progress=progress)
    with closed.open(detector.bands) as opened:
        return _deliver(detector, opened, files, key, options, progress)


def _deliver(
    detector: Scorer,
    opened: OpenScene,
    files: Deliverables,
    key: CacheKey,
    options: ScoreOptions,
    progress: Progress,
    mapper: Mapper = serial,
) -> MapResult:
    with begin(files, key, overwrite=options.overwrite) as out:
        if out.cached is not None:
            return out.cached
        spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
        tiles = score_tiles(detector, opened, spec, options, mapper)
        return out.write(
            detector,
            opened,
            tiles,
            quicklook=QuickLook(spec),
            min_area=options.min_area,
            progress=progress,
        )
