"""The files of a scored scene while they are made: begun, written, published whole.

All files are made in a hidden folder; a lock keeps other runs from making the same files.  A first
pass writes the scores tile by tile; a second one over the whole map decides what is anomalous
(`flagging`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files import Staging, staging
from ..identity import FileIdentity
from ..objects import mean_pixel_area
from ..parallel import Progress, ahead, quiet
from ..raster import Layout, MapWriter, OpenScene
from ..stats.scores import NormalScores
from ..stats.thresholds import parse_rule
from .cache import CacheKey, cached_result
from .decided_files import write_decision
from .deliverables import Deliverables
from .explanation import explanation_layout, explanation_map
from .flagging import (
    Decision,
    ScoredMap,
    report,
    threshold_tags,
)
from .near_pixels import near_store
from .options import SCORE, ScoreOptions
from .provenance import engine_tags, provenance
from .publishing import published
from .quicklook import QuickLook
from .result import MapResult
from .sensitivity import measure_sensitivity
from .stac_item import SceneFacts
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
        return self.publish(result, SceneFacts.of(opened))

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
        flagged, objects = write_decision(self, scored, decision, tags, explainer)
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
            meaning=tags.get("ANOMVAE_SCORE", ""),
            styled=True,
            package=self.options.gpkg,
            item=self.options.stac,
        )

    def publish(
        self,
        result: MapResult,
        facts: SceneFacts,
        *,
        map_stays: bool = False,
        before: Path | None = None,
    ) -> MapResult:
        """Make styles, quick look, item and summary, and publish every file; return the result.

        ``facts`` are for the item.  ``map_stays``: the published anomaly map, and what explains it,
        are not replaced; ``before`` is the item that it has.  A style that a user saved stays.

        Raises
        ------
        NotWritten
            If a file cannot be written.
        InputChanged
            If an input is not what it was when the work began; nothing is published.
        """
        return published(self, result, facts, map_stays=map_stays, before=before)

    def _tags(self, detector: Scorer, opened: OpenScene) -> dict[str, str]:
        """Describe the provenance."""
        own = {"ANOMVAE_DIGEST": self.key.digest, "ANOMVAE_SCORE": detector.meaning}
        return provenance(detector.id, opened) | own | engine_tags(detector)
