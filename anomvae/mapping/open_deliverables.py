"""The files of a scored scene while they are made: begun, written, published whole.

All files are made in a hidden folder; a lock keeps other runs from making the same files.  A first
pass writes the scores tile by tile; a second one over the whole map decides what is anomalous
(`flagging`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files import Staging, side_car, staging, writing
from ..identity import FileIdentity, require_unchanged
from ..objects import Listing, mean_pixel_area, write_objects
from ..parallel import Progress, ahead, quiet
from ..pixels.flag_classes import NO_DATA
from ..raster import Layout, MapWriter, OpenScene
from ..stats.scores import NormalScores
from ..stats.thresholds import parse_rule
from .cache import CacheKey, cached_result
from .deliverables import Deliverables
from .explanation import explanation_layout, explanation_map
from .flagging import (
    FLAGS,
    Counted,
    Decision,
    ScoredMap,
    WindowWriter,
    report,
    threshold_tags,
)
from .near_pixels import near_store
from .options import SCORE, ScoreOptions
from .provenance import engine_tags, provenance
from .quicklook import QuickLook, drawn
from .result import MapResult
from .sensitivity import measure_sensitivity
from .statistics import RunningStatistics
from .stored import stored
from .tile_writer import TileWriter
from .verdict import drift_of_scene, log_empty, log_rough, verdict_of_scene, with_verdict

if TYPE_CHECKING:
    from .object_explanations import Explainer
    from .scorer import Scorer
    from .tiles import TileScores


@contextmanager
def begin(
    files: Deliverables,
    key: CacheKey,
    options: ScoreOptions,
    quicklook: QuickLook,
    *,
    progress: Progress = quiet,
    inputs: Sequence[FileIdentity] = (),
    kept: str | None = None,
) -> Iterator[MapResult | OpenDeliverables]:
    """Yield the result of an equal key where it is up to date, else the files to write.

    The ``quicklook`` is empty.  The ``inputs`` are those of the key: they are identified once more
    before files are published.  ``kept`` is as for `cached_result`.

    Raises
    ------
    OutputExists
        If other files are in the way.
    LockHeld
        If another run makes the same files.
    NotWritten
        If the folder cannot be written.
    """
    start = time.perf_counter()
    cached = cached_result(files, key, overwrite=options.overwrite, kept=kept)
    if cached is not None:
        yield cached
        return
    with staging(files.folder, files.stem) as stage:
        # Another run may have been faster; from here on the lock keeps it out.
        cached = cached_result(files, key, overwrite=options.overwrite, kept=kept)
        new = OpenDeliverables(
            files, key, stage, start, options, quicklook, progress, tuple(inputs)
        )
        yield new if cached is None else cached


@dataclass(frozen=True)
class OpenDeliverables:
    """The files of a scene while they are made; `begin` makes one."""

    files: Deliverables
    """Where they go."""
    key: CacheKey
    """What decides them."""
    stage: Staging
    """The hidden folder in which they are made."""
    start: float
    """When the work began, by `time.perf_counter`."""
    options: ScoreOptions
    """Which objects are listed, and what else is made."""
    quicklook: QuickLook
    """Its images, filled meanwhile."""
    progress: Progress
    """Called for every tile and window."""
    inputs: tuple[FileIdentity, ...]
    """The files that are read, as they were then."""

    def write(
        self,
        detector: Scorer,
        opened: OpenScene,
        tiles: Generator[TileScores, None, None],
        adapted: Scorer,
        explained: tuple[str, ...] = (),
    ) -> MapResult:
        """Write every deliverable of the ``tiles`` of a whole scene, and publish them.

        ``adapted`` is the detector as it scores the scene (`adapted_scorer`); ``explained`` names
        the layers of the tiles that explain the scores, after the score and its terms.

        Raises
        ------
        NotWritten
            If a file cannot be written; no file stays behind.
        InputChanged
            If an input is not what it was when the work began; nothing is published.
        NotEnoughPixels
            If the threshold is to be chosen from the scores of the scene, and there are too few.
        """
        from .object_explanations import explainer_of  # with torch, which `decide` does not need

        statistics, where = RunningStatistics(opened.grid.shape), opened.georeference
        tags = self._tags(detector, opened)
        names = detector.layers[:1] if self.options.only == SCORE else detector.layers
        measures = Layout(
            *("float32", math.nan, names, tags),
            overviews="maximum",
            max_error=self.options.max_error,
        )
        layout = explanation_layout(explained, detector.bands, tags) if explained else None
        place, name = self.stage.path(self.files.scores.name), self.files.explanation.name
        with (
            stored(where.grid.shape, np.bool_, self.stage.hidden) as masked,
            near_store(self.stage.hidden) as near,
            MapWriter(place, where, measures) as scores,
            explanation_map(self.stage.path(name), where, layout) as explanation,
        ):
            layers = slice(len(names)), slice(len(detector.layers), None)
            write = TileWriter(
                scores, explanation, *layers, masked, statistics, self.quicklook, near
            )
            with closing(tiles), closing(ahead(write, tiles)) as written:
                for keep in written:
                    report(self.progress, "score", keep, opened.grid.shape)
            hidden = masked.read if statistics.masked else None
            scored = ScoredMap(where, scores.read_first, hidden)
            chosen, normal = detector.threshold, detector.scores
            if chosen.pending:
                normal = NormalScores.of(statistics.sampled, held_out=False)
                chosen = parse_rule(chosen.rule).threshold(normal)
            decision = Decision.of(chosen, scored, normal)
            tags |= threshold_tags(decision.threshold)
            scores.add_tags(tags)
            explainer = explainer_of(adapted, opened, scored.read, near, self.progress)
            named = opened.scene.name, detector.id
            result = self.decide(*named, scored, decision, statistics, tags, explainer)
        sensitivity = None
        if self.options.sensitivity:
            sensitivity = measure_sensitivity(
                adapted, opened, statistics.spectra, decision, progress=self.progress
            )
        log_empty(result)
        log_rough(result, self.options.max_error)
        area = mean_pixel_area(opened.georeference)
        of_scene = verdict_of_scene(detector.domain, statistics, opened.conversions, area)
        result = with_verdict(
            replace(
                result,
                sensitivity=sensitivity,
                radiometry=opened.conversions,
                explained=bool(explained),
                drift=drift_of_scene(detector.domain, statistics, result.threshold.value),
            ),
            of_scene,
            chosen.fpr,
        )
        return self.publish(result)

    def decide(
        self,
        scene: str,
        detector: str,
        scored: ScoredMap,
        decision: Decision,
        statistics: RunningStatistics,
        tags: Mapping[str, str],
        explainer: Explainer | None = None,
    ) -> MapResult:
        """Stage flags, p-values and objects of a map, and fill the quick look.

        Parameters
        ----------
        scene, detector : str
            The scene as the user named it, and the identity of the detector.
        scored : ScoredMap
            The map.
        decision : Decision
            What is anomalous in it.
        statistics : RunningStatistics
            Those of all its scores.
        tags : mapping of str to str
            The provenance, for the files.
        explainer : Explainer, optional
            Explains the objects that are listed.

        Raises
        ------
        NotWritten
            If a file cannot be written.
        """
        flagged, objects = self._write_decision(scored, decision, tags, explainer)
        return MapResult(
            scene=scene,
            files=self.files,
            detector=detector,
            settings=self.key.settings,
            input=self.key.input,
            digest=self.key.digest,
            threshold=decision.threshold,
            pixels=statistics.pixels,
            valid=statistics.valid,
            flagged=flagged,
            masked=statistics.masked,
            objects=objects,
            quantiles=statistics.quantiles,
            seconds=0.0,
            p_values=self.options.p_values,
        )

    def publish(self, result: MapResult, *, map_stays: bool = False) -> MapResult:
        """Draw the quick look, write the summary, and publish every file; return the result.

        ``map_stays``: the published anomaly map, and what explains it, are not replaced.

        Raises
        ------
        NotWritten
            If a file cannot be written.
        InputChanged
            If an input is not what it was when the work began; nothing is published.
        """
        stage, files = self.stage, self.files
        png = None
        if self.options.picture:
            objects = stage.path(files.objects.name)
            png = drawn(files.stem, self.quicklook, result.threshold, objects)
        seconds = time.perf_counter() - self.start
        result = replace(result, drawn=png is not None, seconds=seconds)
        with writing(files.quicklook):
            if png is not None:
                stage.path(files.quicklook.name).write_bytes(png)
        with writing(files.summary):
            stage.path(files.summary.name).write_text(result.to_json(), encoding="utf-8")
        require_unchanged(self.inputs)
        for path in set(files.all) - set(result.written):
            with writing(path):
                path.unlink(missing_ok=True)  # it would be of an earlier run
                side_car(path).unlink(missing_ok=True)
        stay = {files.scores, files.explanation} if map_stays else set()
        made = [path for path in result.written if path not in stay]
        stage.publish(*(path.name for path in made))
        return result

    def _write_decision(
        self,
        scored: ScoredMap,
        decision: Decision,
        tags: Mapping[str, str],
        explainer: Explainer | None,
    ) -> tuple[int, int]:
        """Write flags, p-values and objects; return the flagged pixels and the objects listed.

        One thread decides and writes the maps; the caller's thread finds objects in the windows
        that are decided.
        """
        stage, files, options = self.stage, self.files, self.options
        classes = Layout("uint8", NO_DATA, ("flags",), tags, FLAGS, "mode", predictor=False)
        shares = Layout("float32", math.nan, ("p_value",), tags, overviews="minimum")
        p_values = None if decision.p_values is None else decision.p_values.of
        listing = Listing(decision.threshold.value, p_values, options.min_area, options.top)
        shape = scored.where.grid.shape
        with stored(shape, np.bool_, stage.hidden) as flagged, ExitStack() as maps:

            def opened(path: Path, layout: Layout) -> MapWriter:
                return maps.enter_context(MapWriter(stage.path(path.name), scored.where, layout))

            p_map = opened(files.p_values, shares) if options.p_values else None
            flags = opened(files.flags, classes)
            write = WindowWriter(decision, scored, flags, p_map, self.quicklook)
            with closing(ahead(write, scored.windows(decision.radius))) as decided:
                counted = Counted(decided, shape, self.progress, flagged)
                path = stage.path(files.objects.name)
                explain = None if explainer is None else explainer(flagged.read)
                objects = write_objects(path, counted, scored.where, tags, listing, explain=explain)
        return counted.flagged, objects

    def _tags(self, detector: Scorer, opened: OpenScene) -> dict[str, str]:
        """Describe the provenance."""
        own = {"ANOMVAE_DIGEST": self.key.digest, "ANOMVAE_SCORE": detector.meaning}
        return provenance(detector.id, opened) | own | engine_tags(detector)
