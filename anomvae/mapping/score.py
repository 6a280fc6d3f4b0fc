"""Score a scene tile by tile, in constant memory, and write its deliverables."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from ..config import Config, resolve_config
from ..files import PathText, SceneText
from ..fitting import EVERYTHING, Selection, config_for, require_compared, site_of
from ..models.plan import ModelPlan, require_one_date
from ..objects import mean_pixel_area
from ..parallel import Mapper, Progress, captured_warnings, quiet, serial
from ..parallel.isolation import isolated
from ..program import AUTO
from ..raster import OpenScene, Scene, identify_normal
from ..raster.radiometry import in_common_units
from ..stats.thresholds import Rule, parse_rule
from .cache import CacheKey, cached_result
from .deliverables import Deliverables
from .explained_layers import ExplainedLayers
from .flagging import require_p_values
from .location import Location
from .object_explanations import nearness_of
from .open_deliverables import OpenDeliverables, begin
from .options import ScoreOptions
from .outcomes import scored
from .provenance import named_engine
from .quicklook import QuickLook, QuickLookSpec
from .result import MapResult
from .scorer import Scorer
from .tiles import adapted_scorer, in_units_of_training, plan_tiles, score_tiles, shrink_cache

DEFAULT = ScoreOptions()


@isolated()
def score_scene(
    detector: Scorer,
    scene: SceneText | Scene,
    folder: PathText,
    options: ScoreOptions = DEFAULT,
    *,
    progress: Progress = quiet,
    mapper: Mapper = serial,
    kind: str = "",
) -> MapResult:
    """Score a scene and write its deliverables; a result that is up to date is kept.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path, sequence of path, or Scene
        A raster, or one raster for each date, oldest first: the map is the newest date's.  A
        `Scene` (``Scene.of(path, mask=..., covariates=...)``) has masks and covariates.
    folder : path
        Where ``<stem>.anomaly.tif``, ``.flags.tif``, ``.objects.geojson``, ``.png`` and ``.json``
        go; made if missing.
    options : ScoreOptions, optional
        Tile size, threads, which objects are listed, what else is written, and whether to
        overwrite.
    progress : Progress, optional
        Called for every tile.
    mapper : Mapper, optional
        Maps the work over tiles, as from `anomvae.parallel.processes` or `dask`; by default in
        this process.  The map is the same.
    kind : str, optional
        Follows the stem in the names of the files, ``<stem>.<kind>.anomaly.tif``, where the score
        is another one than that of anomalies; empty: it is that.

    Returns
    -------
    MapResult

    Raises
    ------
    RasterError
        If a file cannot be read or written, or memory is too small; no file stays behind.
    InputChanged
        If an input was overwritten meanwhile; nothing is published.
    WorkersLost
        If a tile's workers die again and again.
    BandMismatch, CovariateMismatch, GridMismatch
        If the scene does not fit the detector, or a mask or covariate the scene.
    OutputExists
        If the folder holds results of other settings, or files that anomvae did not write.
    ConfigError
        If the family compares dates and the scene has one, a result would replace an input, or
        scores are to be explained that are not a model's.
    LockHeld
        If another run is scoring the scene into that folder.
    """
    closed = Scene.of(scene)
    rule = parse_rule(detector.threshold.rule)
    require_p_values(rule, options)
    if options.explain:
        ExplainedLayers.of(detector)
    with scored(closed.name):
        detector.require_dates(len(closed.dates))
        with closed.open(detector.bands, detector.covariates) as stored:
            shrink_cache(detector, stored, plan_tiles(detector, stored, options).tile)
            opened = in_units_of_training(detector, stored)
            stem = f"{opened.stem}.{kind}" if kind else opened.stem
            files = Deliverables(Path(folder), stem)
            inputs, settings = (
                opened.files,
                (
                    "score",
                    repr(closed.nodata),
                    *opened.mask_settings,
                    *opened.conversions,
                ),
            )
            require_area(rule, opened)
            files.require_apart(inputs)
            key = CacheKey.of(
                detector.id,
                *settings,
                options=options,
                bands=opened.bands,
                files=inputs,
                engine=named_engine(detector),
            )
            quicklook = quicklook_of(opened)
            begun = begin(files, key, options, quicklook, progress=progress, inputs=inputs)
            return deliver(detector, opened, begun, mapper)


@isolated()
def detect_scene(  # noqa: PLR0913 - one argument per option
    scene: SceneText | Scene,
    folder: PathText,
    config: str | Config | None = None,
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    options: ScoreOptions = DEFAULT,
    save_model: PathText | None = None,
    engine: str = AUTO,
    progress: Progress = quiet,
) -> MapResult:
    """Fit a detector to a scene, its anomalies included, and write the scene's deliverables.

    Parameters
    ----------
    scene : path, sequence of path, or Scene
        The raster, or one for each date of a site, oldest first, of which the newest is mapped;
        labels are not needed.  A `Scene` has masks and the like of its own, and takes no
        ``select``.
    folder, options, progress
        As for `score_scene`.
    config, seed, select
        As for `anomvae.detect`.
    save_model : path, optional
        Where the detector goes, after the deliverables; it replaces an older file.  Where the
        result is up to date, it is fitted once more.
    engine : {"auto", "native", "numpy", "torch"}, optional
        What computes the scores once the detector is fitted (`anomvae.program`).

    Returns
    -------
    MapResult

    Raises
    ------
    RasterError, InputChanged, GridMismatch, CovariateMismatch, NotEnoughPixels, ConfigError,
    OutputExists, LockHeld
        If the scene or the settings do not fit, or the files cannot be written.
    """
    closed = site_of(scene, select)
    config = config_for(len(closed.dates)) if config is None else config
    resolved = resolve_config(config).config if isinstance(config, str) else config
    clean, covariates = closed.normal is not None, bool(closed.covariates)
    plan = ModelPlan.of(resolved, in_sample=True, clean=clean, covariates=covariates)
    require_compared(select.dates, compares_dates=plan.view.compares_dates, family=plan.name)
    require_one_date(plan, closed.name, len(closed.dates))
    if plan.view.most_dates is not None:
        closed = closed.newest(plan.view.most_dates)
    require_p_values(plan.threshold, options)
    normal = () if closed.normal is None else identify_normal(closed.normal, closed.access)
    kinds = [spec.kind for spec in closed.covariates]
    settings = "detect", resolved.to_json(), str(seed), repr([*normal]), *kinds
    settings += (repr(closed.nodata),)
    site = closed
    with captured_warnings():  # fitting logs them
        (closed,), _ = in_common_units([closed])
    with closed.open() as opened:
        files, inputs = Deliverables(Path(folder), opened.stem), (*opened.files, *normal)
        files.require_apart(inputs)
        if save_model is not None:
            files.require_other(save_model)
        require_area(plan.threshold, opened)
        settings += *opened.mask_settings, *opened.conversions
        key = CacheKey.of(
            "",
            *settings,
            options=options,
            bands=opened.bands,
            files=inputs,
            engine="" if engine == AUTO else engine,
        )
        cached = cached_result(files, key, overwrite=options.overwrite)
    if cached is not None and save_model is None:
        return cached
    from ..fitting import detect  # with torch, which a score does without

    detector = detect(site, resolved, seed, progress=progress).by(engine)
    if save_model is not None:
        options = replace(options, model_path=str(save_model))
    with scored(closed.name), closed.open(detector.bands) as opened:
        quicklook = quicklook_of(opened)
        begun = begin(files, key, options, quicklook, progress=progress, inputs=inputs)
        result = deliver(detector, opened, begun)
    if save_model is not None:
        detector.save(save_model)
    return result


def require_area(rule: Rule, opened: OpenScene) -> None:
    """Refuse before the work a budget that is an area where pixels have none."""
    rule.pixels_in(mean_pixel_area(opened.georeference))


def quicklook_of(opened: OpenScene) -> QuickLook:
    """Return the quick look of a scene, empty."""
    declared = opened.newest.dataset.facts.picture
    location = Location.of(opened.georeference)
    return QuickLook(QuickLookSpec.of(opened.grid.shape, opened.bands, declared, location))


def deliver(
    detector: Scorer,
    opened: OpenScene,
    begun: AbstractContextManager[MapResult | OpenDeliverables],
    mapper: Mapper = serial,
) -> MapResult:
    """Score an open scene and publish its deliverables; a result that is up to date is kept."""
    with begun as out:
        if isinstance(out, MapResult):
            return out
        adapted = adapted_scorer(detector, opened)
        explained = ExplainedLayers.of(adapted) if out.options.explain else None
        scorer, spec, near = explained or adapted, out.quicklook.spec, nearness_of(adapted)
        tiles = score_tiles(scorer, opened, spec, out.options, mapper, near)
        names = () if explained is None else explained.detector.explanation_layers
        return out.write(detector, opened, tiles, adapted, names)
