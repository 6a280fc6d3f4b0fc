"""Detectors that score pixels in memory, for `benchmarks.speed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from anomvae.detector import Detector
from anomvae.errors import AnomvaeError
from anomvae.models import Dense
from anomvae.raster import Scene
from benchmarks import inputs, peers

PIXELS = 300_000  # enough for a second, few enough for PyOD


class Contender(NamedTuple):
    """A detector that scores pixels in memory."""

    name: str
    work: Callable[[], object]
    macs: int = 0
    """Multiply-adds of a network for a pixel; 0 without a network."""


def read_pixels(scene: inputs.Scene, folder: Path) -> NDArray[np.float32]:
    """Return spectra of a scene, axes (pixel, band)."""
    with Scene.of(scene.made(folder)).open() as opened:
        rows = min(scene.side, -(-PIXELS // scene.side))
        block = opened.read((slice(0, rows), slice(0, scene.side)))
    return np.ascontiguousarray(block.reshape(-1, scene.bands))


def array_contenders(
    x: NDArray[np.float32], detectors: Mapping[str, Detector]
) -> Iterator[Contender]:
    """Yield anomvae's detectors, by their noise, and the installed ones of other libraries."""
    for noise, detector in detectors.items():
        work = partial(detector.score, x.reshape(1, 1, *x.shape))
        yield Contender(f"anomvae vae, {noise} noise", work, _multiplied(detector))
    try:
        from spectral import rx

        yield Contender("spectral rx", partial(rx, x.reshape(1, *x.shape)))
    except ImportError:
        click.echo("spectral is not installed: skipped.", err=True)
    from sklearn.ensemble import IsolationForest

    some = x[:: max(1, len(x) // 20_000)]
    forest = IsolationForest().fit(some)
    yield Contender("scikit-learn IsolationForest", partial(forest.score_samples, x))
    try:
        vae = peers.fit_pyod("pyod-vae", some, 0)
        yield Contender("PyOD VAE decision_function", partial(vae.score, x))
    except AnomvaeError as error:
        click.echo(f"{error} Skipped.", err=True)


def _multiplied(detector: Detector) -> int:
    """Return the multiply-adds of the network and the whitening for a pixel."""
    layers = (layer for layer in detector.model.modules() if isinstance(layer, Dense))
    return sum(one.in_features * one.out_features for one in layers) + detector.noise.whitening.size
