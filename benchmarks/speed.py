"""Measure the speed of scoring, reading, writing, training and the command line, and its bounds.

Makes its own scenes in a folder, once.  Parts, bands and sizes can be chosen, for several runs;
each timing is written to the JSON file at once and replaces an older one.  Trust a ratio only if
both timings come from one run; ``--tables`` prints those of all runs::

    python benchmarks/speed.py --folder /data/speed --out speed.json
    python benchmarks/speed.py --folder /data/speed --part array --scene 200x1 --out speed.json
    python benchmarks/speed.py --folder /data/speed --out speed.json --tables

``--before`` measures commands of an earlier checkout in turns with those of this one; it must read
today's models.  Other programs on the machine falsify the results: stop them first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install


import anomvae
from anomvae.detector import Detector
from anomvae.mapping import ScoreOptions, plan_tiles
from anomvae.pixels.tiling import tiles
from anomvae.raster import Scene
from benchmarks import inputs, stopwatch
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.speedaims import aims
from benchmarks.speedarrays import measure_arrays, measure_peers, measure_tiles
from benchmarks.speedbench import Bench
from benchmarks.speedcommands import (
    measure_command,
    measure_detect,
    measure_layers,
    measure_start,
    measure_workers,
)
from benchmarks.speedtables import Timings, markdown
from benchmarks.speedwriting import WRITERS, write_maps_of

EXPLANATIONS = (
    "score, nothing explained",
    "score, objects explained",
    "score --explain, objects too",
)
TRAINED_ON = inputs.Scene(12, 1)


def measure_files(bench: Bench) -> None:
    """Measure reading as scoring reads, reading of values, and reading by plain GDAL, in turns."""
    for scene in bench.scenes:
        path = scene.made(bench.folder)
        detector = Detector.load(bench.model(scene.bands))
        readers = (partial(_read, path, detector, numbers=numbers) for numbers in (True, False))
        works = [partial(_gdal, path), *readers]
        usages = stopwatch.in_turns(works, 1, bench.repeats)
        for name, usage in zip(("GDAL read", "read", "read of values"), usages, strict=True):
            bench.add(name, scene, scene.pixels, usage)


def _gdal(path: Path) -> None:
    """Read a raster block by block."""
    import rasterio

    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)


def _read(path: Path, detector: Detector, *, numbers: bool) -> None:
    """Read a scene tile by tile, as numbers of the file where the detector takes these."""
    numbers &= detector.takes_numbers
    with Scene.of(path).open() as opened:
        for tile in tiles(opened.grid.shape, plan_tiles(detector, opened, ScoreOptions()).tile):
            if not numbers or opened.read_numbers(tile.read) is None:
                opened.read(tile.read)


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


def measure_training(bench: Bench) -> None:
    """Measure `train` on a million pixels."""
    path = TRAINED_ON.made(bench.folder)
    work = partial(anomvae.train, [str(path)], "default", 0)
    bench.add("train", TRAINED_ON, TRAINED_ON.pixels, stopwatch.of(work, 1))


PARTS: dict[str, Callable[[Bench], None]] = {
    "array": measure_arrays,
    "peers": measure_peers,
    "tile": measure_tiles,
    "files": measure_files,
    "writing": measure_writing,
    "start": measure_start,
    "score": measure_command,
    "detect": measure_detect,
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
    "--folder",
    required=True,
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="For scenes.",
)
@click.option("--scene", "scenes", multiple=True, default=DEFAULT, help="As in 12x30; repeatable.")
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(list(PARTS)), default=tuple(PARTS)
)
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="A checkout of an earlier commit.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file.")
@click.option("--tables", is_flag=True, help="Measure nothing; print the timings of --out.")
@record_option
def main(  # noqa: PLR0913 - one argument per option
    folder: Path,
    scenes: tuple[str, ...],
    parts: tuple[str, ...],
    repeats: int,
    before: Path | None,
    out: Path | None,
    tables: bool,
    record: Path | None,
) -> None:
    """Measure the speed of anomvae on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    timings = Timings(out)
    bench = Bench(folder, tuple(map(_scene, scenes)), timings, repeats, before)
    for part in () if tables else parts:
        PARTS[part](bench)
    text = "\n\n".join(
        [f"{circumstances()}.", *aims(timings), markdown(timings, os.cpu_count() or 1)]
    )
    words = "" if tables or parts == tuple(PARTS) else "".join(f" --part {part}" for part in parts)
    name = "-".join(["speed", *(parts if words else ())])
    command = f"python benchmarks/speed.py --folder DIR{words}"
    publish(Section(name, f"Speed{words}", command, text), record)


if __name__ == "__main__":
    main()
