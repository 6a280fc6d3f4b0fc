"""Detectors that score pixels in memory on one core, and the bound of their networks.

Everything runs in one process, in turns, and multiplies on the calling thread: the figures are
rates of one core whatever else the machine does.  The bound is the rate of a product of large
float32 matrices, of numpy or of torch, which have libraries of their own, whichever is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import click
import numpy as np
import torch
from numpy.typing import NDArray

from anomvae.detector import Detector
from anomvae.errors import AnomvaeError
from anomvae.mapping import ScoreOptions, plan_tiles
from anomvae.parallel.threads import alone
from anomvae.pixels.tiling import tiles
from anomvae.program import ENGINES, Layer, Program
from anomvae.raster import Scene
from benchmarks import inputs, peers, stopwatch
from benchmarks.speedbench import Bench
from benchmarks.speedtables import PRODUCTS, RX, scoring, tile_scoring

PIXELS = 300_000  # enough for a second, few enough for PyOD
SIDE = 2048
"""Rows and columns of the matrices."""
CONFIGS = ("default", "small-objects")
"""Without context, and with an annulus of 19 x 19."""

Spectra = NDArray[np.float32]


class Contender(NamedTuple):
    """A detector that scores pixels in memory, or the bound."""

    name: str
    work: Callable[[], object]
    pixels: int
    macs: int = 0
    """Multiply-adds for a pixel; 0: unknown."""


@contextmanager
def one_core() -> Iterator[None]:
    """Multiply on the calling thread, in numpy and in torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with alone():
            yield
    finally:
        torch.set_num_threads(threads)


def measure_arrays(bench: Bench) -> None:
    """Measure every engine, and RX, beside the bound."""
    for scene in bench.smallest_scenes():
        x = read_pixels(scene, bench)
        _measure(bench, scene, [*products(), *engines(x, scene, bench), *rx(x)])


def measure_peers(bench: Bench) -> None:
    """Measure detectors of other libraries beside the default one; they take longer."""
    for scene in bench.smallest_scenes():
        x = read_pixels(scene, bench)
        _measure(bench, scene, [*products(), *default(x, scene, bench), *rx(x), *slow_peers(x)])


def measure_tiles(bench: Bench) -> None:
    """Measure the score of one tile, without context and with an annulus."""
    for scene in bench.smallest_scenes():
        _measure(bench, scene, list(of_tile(scene, bench)))


def _measure(bench: Bench, scene: inputs.Scene, contenders: list[Contender]) -> None:
    with one_core():
        usages = stopwatch.in_turns([one.work for one in contenders], bench.repeats)
    for one, usage in zip(contenders, usages, strict=True):
        bench.add(one.name, scene, one.pixels, usage, one.macs)


def read_pixels(scene: inputs.Scene, bench: Bench) -> Spectra:
    """Return spectra of a scene, axes (pixel, band)."""
    with Scene.of(scene.made(bench.folder)).open() as opened:
        rows = min(scene.side, -(-PIXELS // scene.side))
        block = opened.read((slice(0, rows), slice(0, scene.side)))
    return np.ascontiguousarray(block.reshape(-1, scene.bands))


def products() -> Iterator[Contender]:
    """Yield the bound: matrix products, of which each entry is a pixel."""
    tensor = torch.rand(SIDE, SIDE)
    array = tensor.numpy()
    works = lambda: array @ array, lambda: tensor @ tensor
    for name, work in zip(PRODUCTS, works, strict=True):
        yield Contender(name, work, SIDE**2, SIDE)


def engines(x: Spectra, scene: inputs.Scene, bench: Bench) -> Iterator[Contender]:
    """Yield detectors by their noise and engine."""
    for noise in ("band", "covariance"):
        detector = Detector.load(bench.model(scene.bands, noise))
        for engine, one in by_engine(detector):
            yield _contender(scoring(noise, engine), one, x)


def default(x: Spectra, scene: inputs.Scene, bench: Bench) -> Iterator[Contender]:
    """Yield the default detector."""
    engine, detector = next(by_engine(Detector.load(bench.model(scene.bands))))
    yield _contender(scoring("band", engine), detector, x)


def by_engine(detector: Detector) -> Iterator[tuple[str, Detector]]:
    """Yield a detector with each engine that runs it on this machine, the fastest first."""
    for name, row in ENGINES.items():
        if not row.lack(detector.program, detector.device):
            yield name, detector.by(name)


def _contender(name: str, detector: Detector, x: Spectra) -> Contender:
    work = partial(detector.score, x.reshape(1, 1, *x.shape))
    return Contender(name, work, len(x), multiplied(detector.program))


def rx(x: Spectra) -> Iterator[Contender]:
    """Yield global RX, if `spectral` is installed."""
    try:
        from spectral import rx as score
    except ImportError:
        return click.echo("spectral is not installed: skipped.", err=True)
    yield Contender(RX, partial(score, x.reshape(1, *x.shape)), len(x))


def slow_peers(x: Spectra) -> Iterator[Contender]:
    """Yield the forest of scikit-learn, and the VAE of PyOD if it is installed."""
    from sklearn.ensemble import IsolationForest

    some = x[:: max(1, len(x) // 20_000)]
    forest = IsolationForest().fit(some)
    yield Contender("scikit-learn IsolationForest", partial(forest.score_samples, x), len(x))
    try:
        vae = peers.fit_pyod("pyod-vae", some, 0)
        yield Contender("PyOD VAE decision_function", partial(vae.score, x), len(x))
    except AnomvaeError as error:
        click.echo(f"{error} Skipped.", err=True)


def of_tile(scene: inputs.Scene, bench: Bench) -> Iterator[Contender]:
    """Yield each configuration's score of the first tile, by each engine."""
    for config in CONFIGS:
        detector = Detector.load(bench.model(scene.bands, config=config))
        with Scene.of(scene.made(bench.folder)).open() as opened:
            size = plan_tiles(detector, opened, ScoreOptions()).tile
            block = opened.read(next(tiles(opened.grid.shape, size)).read)
        for engine, one in by_engine(detector):
            name = tile_scoring(config, engine)
            yield Contender(name, partial(one.score, block), block[0, ..., 0].size)


def multiplied(program: Program) -> int:
    """Return the multiply-adds that a dense program needs for a pixel: one for each weight.

    Of the linear term, a sum of squares, those of a triangle count, since a rotation makes its
    layer one; engines that multiply by all of it get no credit.  Everything else counts nothing,
    and takes the compiled kernel a third of its time at 12 bands and a sixth at 200 (AVX-512):
    GELU, Student's t, KL, loading, centring and transposing bands, and storing terms.
    """
    layers = [*program.encoder, *program.code.layers, *program.decoder, program.output]
    whitening, bands = program.whitening, program.bands
    factor = whitening.weight if isinstance(whitening, Layer) else whitening
    triangle = 0 if program.linear is None else bands * (bands + 1) // 2
    return sum(layer.weight.size for layer in layers) + factor.size + triangle
