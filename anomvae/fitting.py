"""From rasters to a fitted detector.

`train` learns normal pixels of any number of scenes and fits the threshold on held-out blocks;
`detect` learns one scene, anomalies and all, robustly, to score that same scene.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .config import resolve_config
from .detector import Detector, fit_detector
from .errors import ConfigError, NotEnoughPixels
from .families import family_named
from .files import PathText
from .parallel import Progress, quiet
from .pixels import matched
from .raster import RasterReader, open_normal
from .sampling import (
    Blocks,
    TrainingScene,
    cut_blocks,
    draw_blocks,
    draw_sample,
    held_out_blocks,
)
from .thresholds import parse_rule

if TYPE_CHECKING:
    from .config import Config

log = logging.getLogger(__name__)

FEWEST = 32
FEW = 1000
THRESHOLD_PIXELS = 1_000_000
TRIM = 0.05


@dataclass(frozen=True)
class Selection:
    """Which pixels and bands of a scene count."""

    bands: str | None = None
    """Bands as `Bands.choose` reads them; all without it."""
    mask: PathText | None = None
    """Raster on the scene's grid; 0 = ignore."""
    normal: Sequence[PathText] = ()
    """Rasters (non-zero = normal) or vector files, one for all scenes or one per scene."""


EVERYTHING = Selection()
"""All bands, and all pixels with data."""


def train(
    scenes: Sequence[PathText],
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to the normal pixels of one or many scenes.

    Parameters
    ----------
    scenes : sequence of path
        Rasters of the same bands.
    config : str or Config, default "default"
        A shipped name, a path, or a configuration.
    seed : int, default 0
        Same seed, same detector, to the bit, on one machine.
    select : Selection, optional
        Bands, masks and normal areas; without normal areas all valid pixels are taken as mostly
        normal, and the worst of each batch is not learnt.
    progress : Progress, optional
        Told how far each step is.

    Returns
    -------
    Detector
        With a threshold fitted on held-out blocks.

    Raises
    ------
    RasterError, BandMismatch, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with which scene, and what to do.
    """
    settings = _config(config).settled(in_sample=False, trim=0.0 if select.normal else TRIM)
    with _opened(scenes, select) as opened:
        held_out = [
            held_out_blocks(scene.reader.grid.shape, seed, number)
            for number, scene in enumerate(opened)
        ]
        detector = _fitted(opened, held_out, settings, seed, progress)
        scores = _scores(detector, opened, held_out, seed, progress)
        if scores.size:
            return _cut(detector, settings.threshold, scores, held_out=True)
        log.warning("no held-out block has data; the threshold is fitted on the training pixels")
        scores = _scores(detector, opened, _everywhere(opened), seed, progress)
        return _cut(detector, settings.threshold, scores, held_out=False)


def detect(
    scene: PathText,
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to one scene, anomalies and all, in order to score that scene.

    The noise of the score is the covariance of the scene's own residuals, and the threshold is
    fitted in-sample by clipping: both hold for this scene only.

    Parameters
    ----------
    scene : path
        The raster; needs no labels.
    config, seed, select, progress
        As for `train`.

    Returns
    -------
    Detector
        Score the scene with it: ``score_scene(detector, scene, folder)``.

    Raises
    ------
    RasterError, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with the scene, and what to do.
    """
    settings = _config(config).settled(in_sample=True, trim=TRIM)
    with _opened([scene], select) as opened:
        detector = _fitted(opened, None, settings, seed, progress)
        scores = _scores(detector, opened, _everywhere(opened), seed, progress)
        return _cut(detector, settings.threshold, scores, held_out=False)


def refit_threshold(
    detector: Detector,
    scenes: Sequence[PathText],
    rule: str,
    *,
    select: Selection = EVERYTHING,
    seed: int = 0,
    progress: Progress = quiet,
) -> Detector:
    """Choose the threshold anew on normal scenes that the detector was not trained on.

    Parameters
    ----------
    detector : Detector
        Stays as it is.
    scenes : sequence of path
        Rasters with the detector's bands.
    rule : str
        A rule of `anomvae.thresholds`, such as ``sigma:3``.
    select : Selection, optional
        Masks and normal areas; the bands are the detector's.
    seed : int, default 0
        Decides which blocks are left out when the scenes hold over a million pixels.
    progress : Progress, optional
        Told how far the step is.

    Raises
    ------
    RasterError, BandMismatch, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with which scene, and what to do.
    """
    with _opened(scenes, replace(select, bands=None)) as opened:
        scores = _scores(detector, opened, _everywhere(opened), seed, progress)
        return _cut(detector, rule, scores, held_out=True)


def _config(config: str | Config) -> Config:
    return resolve_config(config).config if isinstance(config, str) else config


@contextmanager
def _opened(scenes: Sequence[PathText], select: Selection) -> Iterator[list[TrainingScene]]:
    """Open scenes of the same bands with their masks of normal pixels."""
    if not scenes:
        raise ConfigError("No scene is given. Name at least one raster.")
    masks = _one_each(select.normal, len(scenes))
    with ExitStack() as stack:
        readers = [
            stack.enter_context(RasterReader(path, bands=select.bands, mask=select.mask))
            for path in scenes
        ]
        first = readers[0].bands
        yield [
            TrainingScene(
                matched(reader, first),
                None if mask is None else stack.enter_context(open_normal(mask, reader)),
            )
            for reader, mask in zip(readers, masks, strict=True)
        ]


def _everywhere(scenes: Sequence[TrainingScene]) -> list[Blocks]:
    return [cut_blocks(scene.reader.grid.shape) for scene in scenes]


def _one_each(masks: Sequence[PathText], scenes: int) -> list[PathText | None]:
    if len(masks) not in {0, 1, scenes}:
        raise ConfigError(
            f"{len(masks)} masks of normal pixels are given for {scenes} scenes: "
            f"give one for all of them, or one for each, in the order of the scenes."
        )
    if len(masks) == scenes:
        return list(masks)
    return [masks[0] if masks else None] * scenes


def _fitted(
    scenes: list[TrainingScene],
    held_out: list[Blocks] | None,
    config: Config,
    seed: int,
    progress: Progress,
) -> Detector:
    view = family_named(config.model.family).view()
    sample = draw_sample(scenes, view, config.training.pixels, held_out, seed, progress)
    names = ", ".join(sample.scenes)
    _require(len(sample.examples) + len(sample.held_out), names)
    bands = scenes[0].reader.bands
    try:
        detector = fit_detector(sample, bands, config, seed, progress=progress)
    except NotEnoughPixels as error:
        raise NotEnoughPixels(f"{names}: {error}") from error
    return detector


def _require(pixels: int, names: str) -> None:
    if pixels < FEWEST:
        raise NotEnoughPixels(
            f"{names}: {pixels} valid pixels to train on, but at least {FEWEST} are needed. "
            f"Give larger scenes, or check nodata values and masks."
        )
    if pixels < FEW:
        log.warning("%s: only %d pixels to train on; expect a rough detector", names, pixels)


def _scores(
    detector: Detector,
    scenes: Sequence[TrainingScene],
    blocks: Sequence[Blocks],
    seed: int,
    progress: Progress,
) -> NDArray[np.float32]:
    """Score the pixels in chosen blocks, up to a million of them, shape (n,)."""
    fitting = [replace(scene, reader=matched(scene.reader, detector.bands)) for scene in scenes]
    work = list(draw_blocks(fitting, blocks, THRESHOLD_PIXELS, detector.reach, seed))
    parts = [np.empty(0, np.float32)]
    for done, (scene, tile) in enumerate(work, start=1):
        block, wanted = scene.read(tile)
        scores = detector.score(block).total[wanted]
        parts.append(scores[np.isfinite(scores)])
        progress("threshold", done, len(work))
    return np.concatenate(parts)


def _cut(detector: Detector, rule: str, scores: NDArray[np.float32], *, held_out: bool) -> Detector:
    cut = detector.with_threshold(parse_rule(rule), scores, held_out=held_out)
    if scores.size < FEW:
        log.warning("the threshold rests on %d pixels only; expect it to be rough", scores.size)
    return cut
