"""The maps of a scored scene, read once and window by window: cells of them, and counts of scores.

The score of a cell is the largest of its pixels, and a cell with an anomalous pixel is anomalous,
so that small anomalies show.  A cell is masked where no pixel has a score and one is masked.  Axes
are (row, col); NaN is no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..mapping.flagging import WINDOW
from ..parallel import Progress, ahead, quiet
from ..pixels.flag_classes import ANOMALOUS, MASKED, NO_DATA, NORMAL, is_flagged
from ..pixels.tiling import Window, tiles
from ..raster import Access, Georeference, open_map, open_raster
from ..raster.access import DEFAULT
from .cells import SIDE, CellGrid
from .results import ScoredScene
from .score_counts import Bars, ScoreCounts

DIGEST_TAG = "ANOMVAE_DIGEST"
RANKED = (NO_DATA, MASKED, NORMAL, ANOMALOUS)
"""Classes; of the pixels of a cell the last one counts."""
RANK_OF = np.zeros(256, np.uint8)
RANK_OF[list(RANKED)] = range(len(RANKED))
RANK_OF.setflags(write=False)

Scores = NDArray[np.float32]
Classes = NDArray[np.uint8]
Read = Callable[[Window], Scores]


@dataclass(frozen=True, eq=False)
class SceneMaps:
    """What a page shows of the maps of a scene."""

    where: Georeference
    """Shape and location of the full maps."""
    grid: CellGrid
    """The cells."""
    scores: NDArray[np.float32] | None
    """The largest score of each cell; None where the anomaly map is gone."""
    classes: NDArray[np.uint8] | None
    """The class of each cell, as in the flags; None where these are gone."""
    bars: Bars | None
    """Histogram of all scores; None where there are none."""
    above: int
    """Pixels whose score is above the threshold."""
    layers: tuple[str, ...] = ()
    """Names of the layers of the anomaly map."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the anomaly map, or else of the flags."""
    flags_digest: str = ""
    """Digest in the flags; empty where there is none."""


@dataclass(frozen=True)
class OpenMaps:
    """The maps of a scene that are there, open."""

    where: Georeference
    """Shape and location."""
    scores: Read | None
    """Reads the scores of a window; None where the map is gone."""
    flags: Read | None
    """Reads the flags of a window, likewise."""
    layers: tuple[str, ...]
    """Names of the layers of the anomaly map."""
    tags: Mapping[str, str]
    """Tags of the anomaly map, or else of the flags."""
    flags_digest: str
    """Digest in the flags; empty where there is none."""

    def read(self, window: Window) -> tuple[Window, Scores | None, Classes | None]:
        """Return a window with its scores and classes."""
        scores = None if self.scores is None else self.scores(window)
        return window, scores, None if self.flags is None else _classes(self.flags(window))


def read_maps(
    scene: ScoredScene, progress: Progress = quiet, access: Access = DEFAULT, side: int = SIDE
) -> SceneMaps | None:
    """Read the maps of a scene, at most ``side`` cells along a side; None where both are gone.

    Raises
    ------
    RasterError
        If one is damaged.
    GridMismatch
        If they are on different grids.
    """
    with _opened(scene, access) as opened:
        if opened is None:
            return None
        grid = CellGrid.fitting(opened.where.grid.shape, side)
        counts = ScoreCounts(scene.result.threshold.value)
        scores = np.full(grid.cells, np.nan, np.float32)
        ranks = np.zeros(grid.cells, np.uint8)
        windows = (tile.keep for tile in tiles(grid.shape, WINDOW))
        with closing(ahead(opened.read, windows)) as parts:
            for window, values, classes in parts:
                if values is not None:
                    counts.add(values)
                    grid.pool(scores, window, values, np.fmax)
                if classes is not None:
                    grid.pool(ranks, window, RANK_OF[classes], np.maximum)
                progress("read", window[0].stop, grid.shape[0])
        return SceneMaps(
            where=opened.where,
            grid=grid,
            scores=None if opened.scores is None else scores,
            classes=None if opened.flags is None else np.array(RANKED, np.uint8)[ranks],
            bars=counts.bars(),
            above=counts.above,
            layers=opened.layers,
            tags=opened.tags,
            flags_digest=opened.flags_digest,
        )


@dataclass(frozen=True, eq=False)
class CloseUp:
    """A window of the maps of a scene at full resolution."""

    window: Window
    """Its rows and columns."""
    scores: Scores | None
    """Scores; None where the anomaly map is gone."""
    classes: Classes | None
    """Classes; None where the flags are gone."""


def read_close_ups(
    scene: ScoredScene, windows: Sequence[Window], access: Access = DEFAULT
) -> tuple[CloseUp, ...]:
    """Read windows of the maps of a scene; raises as `read_maps` does."""
    if not windows:
        return ()
    with _opened(scene, access) as opened:
        return () if opened is None else tuple(CloseUp(*opened.read(one)) for one in windows)


def _classes(flags: Scores) -> Classes:
    """Return the class of each pixel; candidates of a watch count as anomalous."""
    classes = np.where(np.isnan(flags), NO_DATA, flags).astype(np.uint8)
    return np.where(is_flagged(classes), np.uint8(ANOMALOUS), classes)


@contextmanager
def _opened(scene: ScoredScene, access: Access) -> Iterator[OpenMaps | None]:
    files = scene.files
    with ExitStack() as stack:
        scores = (
            stack.enter_context(open_map(files.scores, access)) if _there(files.scores) else None
        )
        flags = None
        if _there(files.flags):
            flags = stack.enter_context(open_raster(files.flags, access=access))
        if scores is None and flags is None:
            yield None
            return
        if scores is not None and flags is not None:
            scores.grid.require_same(flags.grid, scores.dataset.name, flags.name)
        first = scores.dataset if scores is not None else flags
        assert first is not None
        yield OpenMaps(
            where=first.georeference,
            scores=None if scores is None else scores.dataset.read_first,
            flags=None if flags is None else flags.read_first,
            layers=() if scores is None else scores.dataset.bands.names,
            tags=first.tags,
            flags_digest="" if flags is None else flags.tags.get(DIGEST_TAG, ""),
        )


def _there(path: Path) -> bool:
    return path.is_file()
