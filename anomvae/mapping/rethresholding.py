"""Decide a finished anomaly map anew by another threshold, without its model or its scene.

The rule is applied to the scores of the map itself, as `detect` applies it to those of its scene:
of a map of many pixels, to the sample that its quantiles come from.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    AnomvaeError,
    BrokenEnvironment,
    ConfigError,
    GridMismatch,
    NotEnoughPixels,
    RasterError,
)
from ..files import PathText, as_path, writing
from ..parallel import Progress, quiet
from ..pixels.dates import date_of
from ..pixels.flag_classes import MASKED
from ..pixels.tiling import Window
from ..raster import Access, open_raster
from ..raster.access import DEFAULT as DEFAULT_ACCESS
from ..raster.maps import OpenMap, open_map
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule, parse_rule
from .cache import CacheKey, digest_of, fitted_to_itself
from .deliverables import MAP_END, Deliverables
from .flagging import (
    Decision,
    ScoredMap,
    report,
    require_p_values,
    threshold_tags,
)
from .location import Location
from .open_deliverables import OpenDeliverables, begin
from .options import ScoreOptions
from .outcomes import Outcome, scored
from .quicklook import QuickLook, QuickLookSpec
from .result import MapResult, summary_of_map
from .stac_item import SceneFacts
from .statistics import RunningStatistics
from .verdict import with_verdict

log = logging.getLogger(__name__)

DEFAULT = ScoreOptions()


def rethreshold(
    map_: PathText,
    threshold: str,
    folder: PathText | None = None,
    options: ScoreOptions = DEFAULT,
    *,
    access: Access = DEFAULT_ACCESS,
    progress: Progress = quiet,
) -> MapResult:
    """Make flags, objects, summary and quick look of an anomaly map anew, by another threshold.

    Parameters
    ----------
    map_ : path
        A ``<stem>.anomaly.tif``.
    threshold : str
        A rule of `anomvae.stats.thresholds`, which is applied to the scores of the map.
    folder : path, optional
        Where the results go, with copies of the map and of what explains it; by default they
        replace those beside the map, and these two stay as they are.
    options : ScoreOptions, optional
        Which objects are listed, whether there is a map of p-values, and whether to overwrite
        results of another map; tiles and threads do not count.
    access : Access, optional
        Drivers and limits of the map.
    progress : Progress, optional
        Called for every window.

    Returns
    -------
    MapResult
        Its summary is what counts for the threshold: the tags of the map keep the one that it was
        made with.  The doubts about the scene stay those of its score; that about the share flagged
        is made anew, and is the only one where there is no summary beside the map.

    Raises
    ------
    ConfigError
        If the rule is unknown, needs labels or held-out scores, or has no p-values where these are
        wanted.
    RasterError
        If the map cannot be read, or is no anomaly map.
    NotEnoughPixels
        If the map has too few scores for the rule.
    InputChanged, NotWritten, OutputExists, LockHeld
        As for `score_scene`.
    """
    map_ = as_path(map_)
    rule, source = _rule_of_map(threshold, options), Deliverables.of_map(Path(map_))
    if source is None:
        raise RasterError(f"{map_} is not called <scene>{MAP_END}. Give a map of anomvae.")
    with scored(map_), open_map(map_, access) as opened:
        files = Deliverables(Path(folder or source.folder), source.stem)
        summary = summary_of_map(Path(map_), opened.tags)
        digest, key = _keyed(opened, summary, rule, options)
        explained = source.digests().get(source.explanation) == digest
        stays = files.scores.exists() and files.scores.samefile(map_)
        inputs = opened.dataset.files
        location = Location.of(opened.georeference)
        quicklook = QuickLook(QuickLookSpec.of(opened.grid.shape, location=location))
        begun = begin(files, key, options, quicklook, progress=progress, inputs=inputs, kept=digest)
        with begun as out:
            if isinstance(out, MapResult):
                return out
            if not stays:
                with writing(files.scores):
                    shutil.copyfile(map_, out.stage.path(files.scores.name))
                if explained:
                    with writing(files.explanation):
                        there = out.stage.path(files.explanation.name)
                        shutil.copyfile(source.explanation, there)
            scene = summary.scene if summary else opened.tags.get("ANOMVAE_SCENE", source.stem)
            with ExitStack() as flags:
                masked = _masked_pixels(source, opened, summary, flags, access)
                scored_map = ScoredMap(opened.georeference, opened.dataset.read_first, masked)
                result = _decided(opened, scored_map, scene, rule, out)
            # The rule was chosen from this map, so what it flags here is no measure.
            expected = result.threshold.promise or 0.0
            before = summary.radiometry if summary else ()
            verdict = summary.verdict if summary else None
            result = replace(result, radiometry=before, explained=explained)
            result = with_verdict(result, verdict, expected)
            name = summary.scene if summary else ""
            facts = SceneFacts(opened.georeference, date_of(scene), (name,) if name else ())
            return out.publish(result, facts, map_stays=stays, before=source.item)


def rethreshold_maps(
    maps: Iterable[PathText],
    threshold: str,
    folder: PathText | None = None,
    options: ScoreOptions = DEFAULT,
    *,
    access: Access = DEFAULT_ACCESS,
    progress: Progress = quiet,
) -> Iterator[Outcome]:
    """Yield the outcome of `rethreshold` for each map; one that fails does not stop the others.

    Raises
    ------
    ConfigError
        At once, if the rule does not fit any map, or two maps would write the same files.
    """
    _rule_of_map(threshold, options)
    maps = list(maps)
    if folder is not None:
        _require_own_names(maps)
    for map_ in maps:
        try:
            result = rethreshold(map_, threshold, folder, options, access=access, progress=progress)
            yield Outcome(str(map_), result)
        except BrokenEnvironment:  # no map's fault
            raise
        except AnomvaeError as error:
            yield Outcome(str(map_), None, error)


def maps_in(names: Iterable[PathText]) -> list[Path]:
    """Return the anomaly maps that are named, and those in each folder that is, but not below it.

    Raises
    ------
    RasterError
        If a folder holds none.
    """
    found: list[Path] = []
    for path in map(Path, names):
        inside = sorted(path.glob(f"*{MAP_END}")) if path.is_dir() else [path]
        if not inside:
            raise RasterError(f"{path} holds no <scene>{MAP_END}. Give a folder of anomaly maps.")
        found += inside
    return found


def _require_own_names(maps: Iterable[PathText]) -> None:
    files = {Path(map_).absolute() for map_ in maps}
    for name, count in Counter(file.name for file in files).items():
        if count > 1:
            raise ConfigError(
                f"{count} maps are called {name!r} and would write the same files. "
                f"Give each a folder of its own."
            )


def _rule_of_map(text: str, options: ScoreOptions) -> Rule:
    rule = parse_rule(text)
    if rule.kind.held_out:
        raise ConfigError(
            f"threshold = {rule} needs scores of pixels that training did not read, and a map does "
            f"not name them. Give it to anomvae score --threshold, or choose quantile:FPR."
        )
    require_p_values(rule, options)
    return rule


def _keyed(
    opened: OpenMap, summary: MapResult | None, rule: Rule, options: ScoreOptions
) -> tuple[str, CacheKey]:
    """Return the digest of a map, and the key of what a rule makes of it."""
    digest, detector = (opened.tags.get(f"ANOMVAE_{name}") for name in ("DIGEST", "DETECTOR"))
    if not digest or detector is None:
        raise RasterError(
            f"{opened.dataset.name} does not name its detector: another program has written it. "
            f"Score the scene again."
        )
    settings = digest_of("rethreshold", digest, str(rule), *options.changes)
    if summary is None:
        return digest, CacheKey(detector, settings, "")
    # A detector that was fitted to the scene itself stays one.
    own = fitted_to_itself(summary)
    return digest, CacheKey("" if own else detector, settings, summary.input)


def _masked_pixels(
    files: Deliverables,
    opened: OpenMap,
    summary: MapResult | None,
    stack: ExitStack,
    access: Access,
) -> Callable[[Window], NDArray[np.bool_]] | None:
    """Return what reads the masked pixels from the flags beside a map; None where there are none.

    The map does not keep them: a pixel without a score is masked, or has no data.
    """
    try:
        flags = stack.enter_context(open_raster(files.flags, access=access))
        opened.grid.require_same(flags.grid, opened.dataset.name, flags.name)
    except (RasterError, GridMismatch) as error:
        if files.flags.exists() or (summary is not None and summary.masked):
            log.warning("%s: masked pixels count as without data (%s)", opened.dataset.name, error)
        return None
    return lambda window: np.asarray(flags.read_first(window) == MASKED)


def _decided(
    opened: OpenMap, scored_map: ScoredMap, scene: str, rule: Rule, out: OpenDeliverables
) -> MapResult:
    """Stage what a rule makes of a map."""
    shape = opened.grid.shape
    statistics = RunningStatistics(shape)
    for window in scored_map.windows():
        scores = scored_map.read(window.keep)
        statistics.add(window.keep, scores)
        if scored_map.masked is not None:
            statistics.add_masked(scored_map.masked(window.keep) & ~np.isfinite(scores))
        report(out.progress, "read", window.keep, shape)
    try:
        normal = NormalScores.of(statistics.sampled, held_out=False)
        decision = Decision.of(rule.threshold(normal), scored_map, normal)
    except NotEnoughPixels as error:
        raise NotEnoughPixels(f"{opened.dataset.name}: {error}") from error
    ours = {name: text for name, text in opened.tags.items() if name.startswith("ANOMVAE_")}
    tags = ours | {"ANOMVAE_DIGEST": out.key.digest} | threshold_tags(decision.threshold)
    return out.decide(scene, tags["ANOMVAE_DETECTOR"], scored_map, decision, statistics, tags)
