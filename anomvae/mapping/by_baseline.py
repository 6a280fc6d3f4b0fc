"""Map a scene by a baseline: the deliverables of a detector, without a model."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, NotEnoughPixels
from ..files import PathText, SceneText
from ..fitting import EVERYTHING, Selection, site_of
from ..fitting.baseline import bands_with_data, fit_baseline
from ..models.plan import in_sample_rule
from ..parallel import Progress, captured_warnings, quiet
from ..parallel.isolation import isolated
from ..raster import OpenScene
from ..raster.radiometry import in_common_units
from ..stats.baselines import Method
from ..stats.thresholds import AUTO, Rule
from .cache import CacheKey, cached_result
from .deliverables import Deliverables
from .explained_layers import unexplained
from .flagging import require_p_values
from .open_deliverables import begin
from .options import ScoreOptions
from .outcomes import scored
from .result import MapResult
from .score import DEFAULT, deliver, quicklook_of, require_area


@isolated()
def map_baseline(
    scene: SceneText,
    folder: PathText,
    method: Method | str = "rx",
    threshold: str = AUTO,
    *,
    select: Selection = EVERYTHING,
    options: ScoreOptions = DEFAULT,
    progress: Progress = quiet,
) -> MapResult:
    """Fit a baseline to a scene, its anomalies included, and write the scene's deliverables.

    Parameters
    ----------
    scene : path, or sequence of path
        The raster; for a baseline that compares dates, the dates of one site, of which the newest
        is mapped.  Labels are not needed.
    folder, options, progress
        As for `score_scene`.
    method : Method or str, default "rx"
        A baseline, by a name in `BASELINES` or with settings.
    threshold : str, default "auto"
        A rule of `anomvae.stats.thresholds` that is chosen from the scores of the scene itself, as
        `rethreshold` does; by default ``log-sigma:3``.
    select : Selection, optional
        Bands and pixels; a baseline has neither covariates, nor dates, nor normal areas.

    Returns
    -------
    MapResult
        Its map has one layer, ``score``.

    Raises
    ------
    ConfigError
        If the method or the rule is unknown, the rule needs held-out scores, the selection has what
        a baseline does not use, or the scene has several dates, or one for ``acd``.
    RasterError, InputChanged, GridMismatch, NotEnoughPixels, OutputExists, LockHeld
        As for `detect_scene`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from anomvae.config import shipped
    >>> with TemporaryDirectory() as folder:
    ...     result = map_baseline(shipped("data_samples") / "scene_a.tif", folder, "rx")
    >>> result.threshold.rule, result.flagged > 0
    ('log-sigma:3', True)
    """
    method = Method.of(method) if isinstance(method, str) else method
    rule = in_sample_rule(threshold)
    require_p_values(rule, options)
    if options.explain:
        raise unexplained(method.name)
    _require_plain(method, select)
    closed = site_of(scene, select)
    method.require_dates(len(closed.dates))
    closed = closed.newest(method.dates)
    with captured_warnings():  # opening the scene logs them once more
        (closed,), _ = in_common_units([closed])
        with closed.open() as opened:
            bands = bands_with_data(opened)
    with scored(closed.name), closed.open(bands) as opened:
        files, key = Deliverables(Path(folder), opened.stem), _key(method, rule, opened, options)
        files.require_apart(opened.files)
        require_area(rule, opened)
        cached = cached_result(files, key, overwrite=options.overwrite)
        if cached is not None:
            return cached
        scorer = fit_baseline(opened, method, rule)
        begun = begin(
            files, key, options, quicklook_of(opened), progress=progress, inputs=opened.files
        )
        try:
            return deliver(scorer, opened, begun)
        except NotEnoughPixels as error:
            raise NotEnoughPixels(f"{closed.name}: {method.name}: {error}") from error


def _key(method: Method, rule: Rule, opened: OpenScene, options: ScoreOptions) -> CacheKey:
    settings = "baseline", repr(method), str(rule), repr(opened.scene.nodata)
    decided = (*settings, *opened.mask_settings, *opened.conversions)
    return CacheKey.of("", *decided, options=options, bands=opened.bands, files=opened.files)


def _require_plain(method: Method, select: Selection) -> None:
    given = {
        "covariates": select.covariates,
        "dates": select.dates and method.dates == 1,
        "normal areas": select.normal,
    }
    unused = [name for name, value in given.items() if value]
    if unused:
        raise ConfigError(
            f"{method.name} is fitted to the bands of all pixels of a scene, without "
            f"{' or '.join(unused)}. Leave them out, or detect with a model."
        )
