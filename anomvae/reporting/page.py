"""`report`: results of scenes as one self-contained page of HTML."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..files import PathText, as_path, write_atomically
from ..notebooks import short
from ..pages import Page, render
from ..parallel import Progress, quiet
from ..raster import Access
from ..raster.access import DEFAULT
from .cells import SIDE
from .contents import contents_of
from .model import card_of
from .objects import LISTED
from .output import require_replaceable
from .results import Results, ScoredScene, find_results
from .scene_report import Detail, SceneReport, gather

SMALLEST = 120
"""Cells of the longer side of a map, at least."""
FEWEST = 50
"""Objects of a scene that are listed, at least."""
PANELS, FEWEST_PANELS = 20, 3
"""Objects of a scene with spectra: of an only scene, and at least."""


@dataclass(frozen=True)
class Report:
    """A page that was written."""

    path: Path
    """The file."""
    scenes: tuple[str, ...]
    """Names of the scenes on it."""
    size: int
    """Bytes of the file."""
    headline: str
    """What was found, in a sentence."""

    def __repr__(self) -> str:
        """Return one line."""
        return f"Report({short(self.path)}: {short(self.headline)})"


def report(  # noqa: PLR0913 - one argument per option
    results: PathText | Iterable[PathText],
    out: PathText,
    *,
    labels: PathText | None = None,
    baselines: Sequence[str] = (),
    model: PathText | None = None,
    model_id: str | None = None,
    overwrite: bool = False,
    access: Access = DEFAULT,
    progress: Progress = quiet,
) -> Report:
    """Write results of scored scenes as one page, which opens without a network or a server.

    The same results give the same bytes.  Memory does not grow with the scenes: maps are read
    window by window, and shown in at most 1,000 cells along a side.

    Parameters
    ----------
    results : path, or several
        Folders of results, or anomaly maps.  A folder without results may hold folders of them.
    out : path
        The page, by custom ``report.html``.  A page of anomvae is replaced.
    labels : path, optional
        Raster on the grid of the only scene: above 0 = anomalous, 0 = normal, no data = unknown.
    baselines : sequence of str, optional
        Names of baselines to measure beside the scores, fitted to the scene if it is still there.
    model : path, optional
        The file of the model that scored the scenes, for its card and the course of its training.
    model_id : str, optional
        Identity of a model, or how it begins: results of others are left out.  ``any``: those of
        several share the page, which states that their scores do not compare.
    overwrite : bool, optional
        Whether to replace a file that is no page of anomvae.
    access : Access, optional
        Drivers and limits of every file that is opened.
    progress : Progress, optional
        Called for every window that is read.

    Returns
    -------
    Report

    Raises
    ------
    FileError
        If there are no results, or ``out`` is a folder.
    ConfigError
        If there are results of two models, labels for several scenes, a model that did not score
        them, or ``out`` is one of the files that are read.
    RasterError, GridMismatch
        If the labels cannot be read, or are on another grid.
    ModelFileError
        If the model cannot be read.
    OutputExists, NotWritten, LockHeld
        If the page cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from anomvae import map_baseline, report
    >>> from anomvae.config import shipped
    >>> with TemporaryDirectory() as folder:
    ...     result = map_baseline(shipped("data_samples") / "scene_a.tif", folder, "rx")
    ...     page = report(folder, f"{folder}/report.html")
    >>> page.scenes, page.headline.partition(" (")[0]
    (('scene_a',), '189 of 8,707 pixels')
    """
    names = [results] if isinstance(results, str | os.PathLike) else list(results)
    found = find_results(names, model_id)
    _require_one_scene(found, labels)
    read = [each.result.scene for each in found.scenes]
    read += [as_path(path) for path in (labels, model) if path is not None]
    own = [path for each in found.scenes for path in each.files.all]
    require_replaceable(out, read, own, overwrite=overwrite)
    described = None if model is None else card_of(model, found.scenes)
    gathered = _gathered(found.scenes, labels, baselines, access, progress)
    contents = contents_of(found, gathered, described, panels_of(len(found.scenes)))
    page = Page(
        title=contents.title,
        room="anomvae.reporting",
        template="report.html",
        values={"contents": contents},
        widgets=contents.widgets,
        scripts=("report.js",) if contents.overview else (),
        styles=("report.css",),
    )
    content = render(page)
    write_atomically(out, content)
    stems = tuple(each.files.stem for each in found.scenes)
    return Report(Path(as_path(out)), stems, len(content), contents.headline)


def _require_one_scene(found: Results, labels: PathText | None) -> None:
    if labels is not None and len(found.scenes) > 1:
        raise ConfigError(
            f"Labels are of one scene, but there are results of {len(found.scenes)}. Name the "
            f"anomaly map of one, <scene>.anomaly.tif, instead of its folder."
        )


def _gathered(
    scenes: Sequence[ScoredScene],
    labels: PathText | None,
    baselines: Sequence[str],
    access: Access,
    progress: Progress,
) -> Iterator[SceneReport]:
    """Gather scenes one by one: of many, each is shown in less detail."""
    detail = detail_of(len(scenes))
    for number, scene in enumerate(scenes, start=1):
        yield gather(
            scene,
            detail=detail,
            labels=labels,
            baselines=baselines,
            progress=progress,
            access=access,
        )
        progress("scenes", number, len(scenes))


def detail_of(scenes: int) -> Detail:
    """Return how much of each of some scenes is shown, so that a page does not grow with them.

    Examples
    --------
    >>> detail_of(1), detail_of(9)
    (Detail(side=1000, objects=2000, close_ups=20), Detail(side=333, objects=222, close_ups=3))
    """
    side = max(SMALLEST, int(SIDE / math.sqrt(scenes)))
    return Detail(side, max(FEWEST, LISTED // scenes), panels_of(scenes))


def panels_of(scenes: int) -> int:
    """Return of how many objects of each of some scenes the spectra are shown."""
    return max(FEWEST_PANELS, PANELS // scenes)
