"""Spectra that a detector draws, and those between two pixels, as tables."""

from __future__ import annotations

import logging

from ..detector import Detector
from ..errors import ConfigError
from ..files import SceneText
from ..raster import Scene
from .opening import open_for
from .pixels import pick
from .spectra_table import SpectraTable

MOST = 1_000_000
"""Spectra of a call: beyond, tables and memory have no end."""

log = logging.getLogger(__name__)


def generate(
    detector: Detector,
    count: int,
    *,
    seed: int = 0,
    noise: bool = True,
    like: SceneText | Scene | None = None,
    context_of: SceneText | Scene | None = None,
    at: tuple[int, int] | None = None,
) -> SpectraTable:
    """Draw spectra from what a detector has learnt.

    Parameters
    ----------
    detector : Detector
        A fitted detector.
    count : int
        How many.
    seed : int, default 0
        The same seed draws the same spectra.
    noise : bool, default True
        Without noise, spectra are means of p(x | z), of the same codes.
    like : path, sequence of path, or Scene, optional
        Draw around the pixel ``at`` of this scene: codes from its posterior, given its context.  By
        default codes are drawn from the prior.
    context_of : path, sequence of path, or Scene, optional
        Draw from the prior given the context of the pixel ``at`` of this scene; for a family that
        has one.  By default spectra have the mean context of the training pixels.
    at : tuple of int, optional
        Row and column from 0, from the top left corner.

    Returns
    -------
    SpectraTable
        Data units, named ``spectrum_1`` and on.

    Raises
    ------
    ConfigError
        When the count is impossible, the family has no prior or no context, or the pixel lies
        outside or has no data.
    RasterError, BandMismatch, CovariateMismatch
        When the scene cannot be read, or does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from anomvae import VAEDetector
    >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
    >>> detector = VAEDetector(latent=2, max_steps=20, random_state=0).fit(X).detector_
    >>> generate(detector, 100).values.shape
    (100, 6)
    """
    _require_count("count", count, 1)
    scene = _one_scene(like, context_of, at)
    if scene is None or at is None:
        values = detector.sample(count, seed, noise=noise)
    else:
        with open_for(detector, scene) as (opened, adapted):
            example = pick(adapted, opened, *at).example
        if like is None:
            values = detector.sample(count, seed, noise=noise, given=example)
        else:
            _warn_of_point(detector)
            values = detector.sample_like(example, count, seed, noise=noise)
    names = [f"spectrum_{number}" for number in range(1, count + 1)]
    return SpectraTable.of(detector.bands, names, values)


def interpolate(
    detector: Detector,
    scene: SceneText | Scene,
    start: tuple[int, int],
    end: tuple[int, int],
    *,
    steps: int = 10,
) -> SpectraTable:
    """Return spectra from one pixel to another, along the straight line between their codes.

    Parameters
    ----------
    detector : Detector
        A fitted detector.
    scene : path, sequence of path, or Scene
        The scene of both pixels.
    start, end : tuple of int
        Row and column from 0, from the top left corner.
    steps : int, default 10
        Spectra, the reconstructions of both pixels among them; at least 2.

    Returns
    -------
    SpectraTable
        Means of p(x | z), data units, named ``step_1`` and on.  Where the decoder is given a
        context, that moves along a straight line, too.

    Raises
    ------
    ConfigError
        When a pixel lies outside or has no data, or there are too few steps.
    RasterError, BandMismatch, CovariateMismatch
        When the scene cannot be read, or does not fit.
    """
    _require_count("steps", steps, 2)
    with open_for(detector, scene) as (opened, adapted):
        first, second = (pick(adapted, opened, *at).example for at in (start, end))
    names = [f"step_{number}" for number in range(1, steps + 1)]
    return SpectraTable.of(detector.bands, names, detector.between(first, second, steps))


def _require_count(name: str, count: int, fewest: int) -> None:
    if not fewest <= count <= MOST:
        raise ConfigError(f"{name} = {count}: give a number from {fewest} to {MOST}.")


def _one_scene(
    like: SceneText | Scene | None, context_of: SceneText | Scene | None, at: tuple[int, int] | None
) -> SceneText | Scene | None:
    """Return the scene of the pixel that spectra are drawn for; None: no pixel is given."""
    if like is not None and context_of is not None:
        raise ConfigError(
            "like and context_of are both given, and spectra like a pixel have its context. "
            "Give one of them."
        )
    scene = context_of if like is None else like
    if (scene is None) != (at is None):
        raise ConfigError(
            "A scene (like or context_of) and a pixel (at) belong together. Give both, or none."
        )
    return scene


def _warn_of_point(detector: Detector) -> None:
    if not detector.noise_width:
        log.warning(
            "model.family = %r: the posterior of a pixel is a point, so that spectra like it "
            "differ by their noise alone",
            detector.card.family,
        )
