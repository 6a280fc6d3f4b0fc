"""Measure the speed of scoring, reading, writing, training and the command line, and its bounds.

Makes its own scenes in a folder, once.  Parts, bands and sizes can be chosen, for several runs;
each timing is written to the JSON file at once and replaces an older one.  Trust a ratio only if
both timings come from one run::

    python benchmarks/speed.py --folder /data/speed --out speed.json
    python benchmarks/speed.py --folder /data/speed --part array --bands 200 --out speed.json

Other programs on the machine falsify the results: stop them first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install


import anomvae
from anomvae.config import resolve_config
from anomvae.detector import Detector
from anomvae.mapping import ScoreOptions, plan_tiles
from anomvae.parallel.threads import alone
from anomvae.pixels.tiling import tiles
from anomvae.raster import Scene
from benchmarks import inputs, stopwatch
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.speedarrays import array_contenders, read_pixels
from benchmarks.speedstart import commands
from benchmarks.speedtables import SCORE_TILE, TINY, Timing, Timings, markdown
from benchmarks.speedwriting import WRITERS, write_maps_of
from benchmarks.stopwatch import Usage

EXPLANATIONS = (
    "score, nothing explained",
    "score, objects explained",
    "score --explain, objects too",
)
TRAINED_ON = inputs.Scene(12, 1)
SMALL = (12, 0.009216)
"""Bands and Mpixel of a small scene: 96 x 96."""


@dataclass(frozen=True)
class Bench:
    """The measured scenes, and where their timings go."""

    folder: Path
    """Of the rasters and models."""
    scenes: tuple[inputs.Scene, ...]
    timings: Timings
    repeats: int
    """Of each measured work."""

    def add(self, work: str, scene: inputs.Scene, pixels: int, usage: Usage, macs: int = 0) -> None:
        """Write and print a timing; ``macs`` are the multiply-adds of a network for a pixel."""
        self.timings.add(
            Timing(work, scene.bands, scene.megapixels, pixels, **vars(usage), multiplied=macs)
        )
        click.echo(f"{scene.name}: {work}: {usage.seconds:.2f} s", err=True)

    def smallest_scenes(self) -> Iterator[inputs.Scene]:
        """Yield the smallest scene of each number of bands."""
        for bands in sorted({scene.bands for scene in self.scenes}):
            yield min((s for s in self.scenes if s.bands == bands), key=lambda s: s.megapixels)

    def model(self, bands: int, noise: str = "band", config: str = "default") -> Path:
        """Return the model for scenes of so many bands; train it if it is absent."""
        path = self.folder / f"{bands}-bands-{config}-{noise}.safetensors"
        if not path.exists():
            scene = inputs.Scene(bands, 1).made(self.folder)
            settings = [f'score.noise="{noise}"', "training.max_steps=500"]
            anomvae.train([str(scene)], resolve_config(config, settings).config).save(path)
        return path

    def fitted(self, scene: inputs.Scene, config: str = "default") -> Path:
        """Return the model of a scene with a threshold that flags 1 % of it, as in real scenes.

        Simulated scenes have few patterns: the threshold of another scene flags a quarter of their
        pixels, and labelling objects then takes longer than scoring.
        """
        path = self.folder / f"{scene.stem}-{config}.safetensors"
        if not path.exists():
            detector, rule = Detector.load(self.model(scene.bands, config=config)), "quantile:0.01"
            if scene.scattered:
                rule = "quantile:0.005"  # the part that its objects take
            anomvae.refit_threshold(detector, [scene.made(self.folder)], rule).save(path)
        return path


def measure_machine(bench: Bench) -> None:
    """Measure the bound of all networks: the rate of float32 matrix products.

    The rate is the larger one of torch's product and of numpy's, which have libraries of their own.
    """
    side = 2048
    left = torch.rand(side, side)
    array = left.numpy()
    usages = stopwatch.in_turns([lambda: left @ left, lambda: array @ array], bench.repeats)
    rates = [2 * side**3 / usage.seconds / 1e9 for usage in usages]
    bench.timings.rate = max(rates)
    click.echo(f"float32 matrices: {rates[0]:.0f} and {rates[1]:.0f} GFLOP/s", err=True)


def measure_arrays(bench: Bench) -> None:
    """Measure anomvae and other detectors on pixels in memory."""
    for scene in bench.smallest_scenes():
        noises = ("band", "covariance")
        detectors = {noise: Detector.load(bench.model(scene.bands, noise)) for noise in noises}
        x = read_pixels(scene, bench.folder)
        contenders = list(array_contenders(x, detectors))
        usages = stopwatch.in_turns([one.work for one in contenders], bench.repeats)
        for one, usage in zip(contenders, usages, strict=True):
            bench.add(one.name, scene, len(x), usage, one.macs)


def measure_files(bench: Bench) -> None:
    """Measure reading and writing alone, and reading with plain GDAL."""
    for scene in bench.scenes:
        path = scene.made(bench.folder)
        bench.add("GDAL read", scene, scene.pixels, stopwatch.of(partial(_gdal, path), 1))
        read = partial(_read, path, Detector.load(bench.model(scene.bands)))
        bench.add("read", scene, scene.pixels, stopwatch.of(read, bench.repeats))
        if scene == min(bench.scenes, key=lambda one: (one.bands != scene.bands, one.megapixels)):
            bench.add(SCORE_TILE, scene, *_score_tile(bench, scene))
        write = partial(write_maps_of, path, "write")
        bench.add("write", scene, scene.pixels, stopwatch.of(write, bench.repeats))


def _gdal(path: Path) -> None:
    """Read a raster block by block."""
    import rasterio

    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)


def _read(path: Path, detector: Detector) -> None:
    with Scene.of(path).open() as opened:
        for tile in tiles(opened.grid.shape, plan_tiles(detector, opened, ScoreOptions()).tile):
            opened.read(tile.read)


def _score_tile(bench: Bench, scene: inputs.Scene) -> tuple[int, Usage]:
    """Measure the score of one tile on one thread."""
    detector = Detector.load(bench.model(scene.bands))
    with Scene.of(scene.made(bench.folder)).open() as opened:
        size = plan_tiles(detector, opened, ScoreOptions()).tile
        block = opened.read(next(tiles(opened.grid.shape, size)).read)
    with alone():
        usage = stopwatch.of(partial(detector.score, block), max(5, bench.repeats))
    return block[0, ..., 0].size, usage


def measure_writing(bench: Bench) -> None:
    """Measure writing beside its bound and its predecessor, in turns; memory of each alone."""
    for scene in bench.scenes:
        path = scene.made(bench.folder)
        works = [partial(write_maps_of, path, name) for name in WRITERS]
        usages = stopwatch.in_turns(works, 1, bench.repeats)
        for name, usage in zip(WRITERS, usages, strict=True):
            alone = [sys.executable, "-m", "benchmarks.speedwriting", str(path), name]
            peak = stopwatch.once(alone).peak
            bench.add(name, scene, scene.pixels, replace(usage, peak=peak))


def measure_command(bench: Bench) -> None:
    """Measure the command `score`."""
    for scene in bench.scenes:
        _measure_score(bench, scene, bench.fitted(scene))


def _measure_score(
    bench: Bench,
    scene: inputs.Scene,
    model: Path,
    options: tuple[str, ...] = (),
    label: str = "score",
) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        command = ["score", scene.made(bench.folder), "-m", model, "-o", out, *options]
        usage = stopwatch.of_command(_in_new_folders(command, out), bench.repeats)
    bench.add(label, scene, scene.pixels, usage)


def _in_new_folders(command: list[Any], out: str) -> Callable[[int], list[Any]]:
    """Write each run to another folder, because existing results are not computed again."""
    at = command.index(out)
    return lambda run: [*command[:at], str(Path(out, str(run))), *command[at + 1 :]]


def measure_layers(bench: Bench) -> None:
    """Measure the commands `embed` and `reconstruct`."""
    for scene in bench.scenes:
        path, model = scene.made(bench.folder), bench.model(scene.bands)
        for words in (("embed",), ("embed", "--how", "sample"), ("reconstruct",)):
            with tempfile.TemporaryDirectory(dir=bench.folder) as out:
                command = partial(_to_new_file, [*words, path, "-m", model], Path(out))
                usage = stopwatch.of_command(command, bench.repeats)
            bench.add(" ".join(words), scene, scene.pixels, usage)


def _to_new_file(words: list[str | Path], folder: Path, run: int) -> list[str | Path]:
    """Write each run to another file, because an existing one is not replaced."""
    return [*words, "-o", folder / f"{run}.tif"]


def measure_explanations(bench: Bench) -> None:
    """Measure what explaining many scattered objects, and every pixel, adds to scoring."""
    for one in bench.scenes:
        scene = replace(one, scattered=True)
        detector, path = Detector.load(bench.fitted(scene)), scene.made(bench.folder)
        works = [
            partial(_score_unexplained, path, detector),
            partial(_score_anew, path, detector),
            partial(_score_anew, path, detector, explain=True),
        ]
        usages = stopwatch.in_turns(works, 1, bench.repeats)
        for label, usage in zip(EXPLANATIONS, usages, strict=True):
            bench.add(label, scene, scene.pixels, usage)


def _score_anew(path: Path, detector: Detector, *, explain: bool = False) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        anomvae.score_scene(detector, path, out, ScoreOptions(explain=explain))


def _score_unexplained(path: Path, detector: Detector) -> None:
    """Score without explaining objects, which no option leaves out."""
    with mock.patch("anomvae.mapping.object_explanations.explainer_of", return_value=None):
        _score_anew(path, detector)


def measure_start(bench: Bench) -> None:
    """Measure the start: score a tiny scene, and commands that take little longer."""
    measure_command(replace(bench, scenes=(inputs.Scene(*TINY),)))
    small = inputs.Scene(*SMALL)
    model, path = bench.fitted(small), small.made(bench.folder)
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        for label, command in commands(model, path, Path(out)).items():
            usage = stopwatch.of_command(command, bench.repeats)
            bench.add(label, small, small.pixels, usage)


def measure_workers(bench: Bench) -> None:
    """Measure `score` with one and two processes, and on a cluster of this machine.

    The model uses local context, so that computing is the bound.
    """
    for scene in bench.scenes:
        model = bench.fitted(scene, "small-objects")
        for options in (("--workers", "1"), ("--workers", "2"), ("--dask", "local")):
            _measure_score(bench, scene, model, options, f"score {' '.join(options)}")


def measure_training(bench: Bench) -> None:
    """Measure `train` on a million pixels, and `detect` on a small scene."""
    path = TRAINED_ON.made(bench.folder)
    work = partial(anomvae.train, [str(path)], "default", 0)
    bench.add("train", TRAINED_ON, TRAINED_ON.pixels, stopwatch.of(work, 1))
    small = inputs.Scene(205, 0.01)
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        command = ["detect", small.made(bench.folder), "-o", out]
        usage = stopwatch.of_command(_in_new_folders(command, out), bench.repeats)
    bench.add("detect", small, small.pixels, usage)


PARTS: dict[str, Callable[[Bench], None]] = {
    "machine": measure_machine,
    "array": measure_arrays,
    "files": measure_files,
    "writing": measure_writing,
    "start": measure_start,
    "score": measure_command,
    "layers": measure_layers,
    "explanations": measure_explanations,
    "workers": measure_workers,
    "training": measure_training,
}
DEFAULT = ("12x1", "12x30", "12x120", "64x1", "200x1")


def _scene(text: str) -> inputs.Scene:
    bands, _, megapixels = text.partition("x")
    try:
        return inputs.Scene(int(bands), float(megapixels))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not BANDSxMPIXEL, as in 12x30.") from error


@click.command()
@click.option(
    "--folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="For scenes."
)
@click.option("--scene", "scenes", multiple=True, default=DEFAULT, help="As in 12x30; repeatable.")
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(list(PARTS)), default=tuple(PARTS)
)
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file.")
@record_option
def main(
    folder: Path,
    scenes: tuple[str, ...],
    parts: tuple[str, ...],
    repeats: int,
    out: Path | None,
    record: Path | None,
) -> None:
    """Measure the speed of anomvae on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    timings = Timings(out)
    bench = Bench(folder, tuple(map(_scene, scenes)), timings, repeats)
    for part in parts:
        PARTS[part](bench)
    text = f"{circumstances()}.\n\n{markdown(timings, os.cpu_count() or 1)}"
    words = "" if parts == tuple(PARTS) else "".join(f" --part {part}" for part in parts)
    name = "-".join(["speed", *(parts if words else ())])
    command = f"python benchmarks/speed.py --folder DIR{words}"
    publish(Section(name, f"Speed{words}", command, text), record)


if __name__ == "__main__":
    main()
