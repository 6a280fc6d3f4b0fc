"""Find more like this: map the pixels of a scene that are like a target."""

from __future__ import annotations

from ..detector import Detector
from ..errors import ConfigError
from ..files import PathText, SceneText
from ..mapping import MapResult, ScoreOptions, score_scene
from ..parallel import Progress, quiet
from ..raster import Scene
from ..stats.target import default_rule
from ..stats.thresholds import Rule, parse_rule
from .finder import Finder
from .opening import open_for
from .targets import TargetSource

KIND = "like"
"""What follows the stem of the scene in the names of the files."""
DEFAULT = ScoreOptions()


def find_like(
    detector: Detector,
    scene: SceneText | Scene,
    target: TargetSource,
    folder: PathText,
    options: ScoreOptions = DEFAULT,
    *,
    threshold: str | None = None,
    progress: Progress = quiet,
) -> MapResult:
    """Map what is like a target, with the covariance that a detector has learnt.

    Parameters
    ----------
    detector : Detector
        Has the background; its own score and threshold do not count.
    scene : path, sequence of path, or Scene
        As for `score_scene`.
    target : PixelTarget, ObjectTarget or SpectrumTarget
        A pixel or an object of the scene, or a spectrum of a library.
    folder : path
        Where the deliverables of `score_scene` go, called ``<stem>.like.*``.  The map has the
        layers ``ace``, which is the score, and ``matched_filter`` (`anomvae.stats.target`).
    options : ScoreOptions, optional
        As for `score_scene`.
    threshold : str, optional
        A rule of `anomvae.stats.thresholds`, which is applied to the scores of the scene; by
        default ``sigma:5``, and ``sigma:3`` under 8 bands.
    progress : Progress, optional
        Called for every tile.

    Returns
    -------
    MapResult

    Raises
    ------
    ConfigError
        If the model has no covariance, the pixel or object has no data or does not exist, the
        target is the mean of the background, or the rule is unknown or needs other scores.
    BandMismatch
        If a spectrum of a library lacks wavelengths of the bands.
    FileError
        If a file of the target cannot be read.
    NotEnoughPixels
        If the scene has too few scores for the rule.
    RasterError, InputChanged, CovariateMismatch, GridMismatch, OutputExists, LockHeld
        As for `score_scene`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from anomvae import PixelTarget, detect
    >>> from anomvae.config import resolve_config, shipped
    >>> scene = shipped("data_samples") / "scene_a.tif"
    >>> detector = detect(scene, resolve_config("default", ["training.max_steps=20"]).config)
    >>> with TemporaryDirectory() as folder:
    ...     found = find_like(detector, scene, PixelTarget(8, 30), folder)
    >>> found.path.name, found.flagged > 0
    ('scene_a.like.anomaly.tif', True)
    """
    rule = _rule(default_rule(len(detector.bands)) if threshold is None else threshold)
    closed = Scene.of(scene)
    with open_for(detector, closed) as (opened, adapted):
        spectrum = target.spectrum(adapted, opened)
    finder = Finder.of(detector, spectrum, target.name, rule)
    return score_scene(finder, closed, folder, options, progress=progress, kind=KIND)


def _rule(text: str) -> Rule:
    rule = parse_rule(text)
    if rule.kind.held_out:
        raise ConfigError(
            f"threshold = {rule} needs scores of pixels that training did not read, and a target "
            f"has none: its scores are those of the scene. Choose sigma:K, quantile:FPR or "
            f"fixed:VALUE."
        )
    return rule
