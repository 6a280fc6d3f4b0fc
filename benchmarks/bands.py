"""Measure whether contributions name the bands in which an object differs.

Objects of 2 x 2 pixels are planted in scenes: a normal spectrum, changed in one to three bands that
are drawn at random, by a multiple of their standard deviation in the scene, up or down.  `detect`
fits the default configuration to the scene, and of each object that it flags the contributions are
averaged over its pixels.  An object counts as named if all bands in which it differs are among the
three largest.  Scenes are simulated, of 12 and of 120 bands, and those of a folder::

    python benchmarks/bands.py --scenes DIR
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from anomvae.fitting import detect
from anomvae.raster import ArrayProduct
from anomvae.testing.simulate import Sensor, simulate
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import labelled, spectra

SHAPE = (96, 96)
SIDE = 2
OBJECTS = 20
"""Objects in a scene: below one pixel in a hundred, so that they do not hide themselves."""
STEPS = (1.0, 2.0, 4.0)
"""Differences in turn, standard deviations of a band."""
BANDS = (12, 120)

Cube = NDArray[np.float32]


class Planted(NamedTuple):
    """An object."""

    row: int
    col: int
    bands: frozenset[int]
    """Positions of the bands in which it differs, from 0."""


class Named(NamedTuple):
    """How many objects are flagged, and of how many the bands are named."""

    objects: int
    flagged: int
    named: int


def simulated(bands: int, seed: int) -> Cube:
    """Draw a scene of evenly spaced bands, (row, col, band)."""
    sensor = Sensor(wavelengths=tuple(np.linspace(450, 2350, bands)), wedge=0)
    return np.asarray(simulate(SHAPE, seed, sensor=sensor).block[0])


def plant(cube: Cube, count: int, seed: int) -> tuple[Cube, list[Planted]]:
    """Plant objects apart from each other, where all bands have data."""
    rng, changed = np.random.default_rng((seed, 7)), cube.copy()
    free, std = np.array(np.isfinite(cube).all(axis=-1)), np.nanstd(cube, axis=(0, 1))
    objects: list[Planted] = []
    while len(objects) < count:
        row, col = (int(rng.integers(0, side - SIDE)) for side in cube.shape[:2])
        spot = (slice(row, row + SIDE), slice(col, col + SIDE))
        bands = rng.choice(np.flatnonzero(std > 0), rng.integers(1, 4), replace=False)
        if not free[spot].all():
            continue
        free[max(0, row - 4) : row + SIDE + 4, max(0, col - 4) : col + SIDE + 4] = False
        step = STEPS[len(objects) % len(STEPS)] * rng.choice([-1, 1], len(bands))
        changed[*spot, bands] += (step * std[bands]).astype(np.float32)
        objects.append(Planted(row, col, frozenset(bands.tolist())))
    return changed, objects


def measure(cube: Cube, count: int, seed: int) -> Named:
    """Plant objects in a scene, and count those that are flagged and whose bands are named."""
    changed, objects = plant(cube, count, seed)
    detector = detect(ArrayProduct("array", changed), seed=seed)
    kept = np.array([band.index - 1 for band in detector.bands])
    flagged = named = 0
    for row, col, bands in objects:
        pixels = changed[row : row + SIDE, col : col + SIDE].reshape(-1, cube.shape[-1])[:, kept]
        if detector.score_examples(pixels).total.mean() <= detector.threshold.value:
            continue
        leading = kept[np.argsort(-detector.contributions(pixels).bands.mean(axis=0))[:3]]
        flagged, named = flagged + 1, named + (bands <= set(leading.tolist()))
    return Named(len(objects), flagged, named)


def lines(scenes: Sequence[Path], draws: int) -> Iterator[str]:
    """Yield the lines of a table."""
    yield "| scene | bands | objects | flagged | of these, all bands among the first three |"
    yield "| --- | --- | --- | --- | --- |"
    for bands in BANDS:
        parts = [measure(simulated(bands, seed), OBJECTS, seed) for seed in range(draws // OBJECTS)]
        yield line("simulated", bands, parts)
    for folder in scenes:
        cube = spectra(folder / "scene.tif")
        parts = [measure(cube, OBJECTS, seed) for seed in range(draws // OBJECTS)]
        yield line(folder.name, cube.shape[-1], parts)


def line(name: str, bands: int, parts: Sequence[Named]) -> str:
    """Write a line of the table."""
    objects, flagged, named = (sum(column) for column in zip(*parts, strict=True))
    text = f"| {name} | {bands} | {objects} | {flagged} | {named / max(1, flagged):.1%} |"
    click.echo(text, err=True)
    return text


@click.command()
@click.option(
    "--scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of labelled scenes; without it, simulated ones alone.",
)
@click.option("--scene", "names", multiple=True, help="Those of these names; repeatable.")
@click.option("--draws", default=200, show_default=True, type=click.IntRange(OBJECTS))
@record_option
def main(scenes: Path | None, names: tuple[str, ...], draws: int, record: Path | None) -> None:
    """Measure how often the contributions name the bands in which an object differs."""
    start = circumstances()
    folders = [] if scenes is None else labelled(scenes)
    try:
        table = list(lines([one for one in folders if not names or one.name in names], draws))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    text = (
        f"{start}. `detect`, configuration default; {draws} objects of {SIDE} x {SIDE} pixels in "
        f"scenes with {OBJECTS} each, which differ in one to three bands by "
        f"{', '.join(f'{step:g}' for step in STEPS)} standard deviations in turn.\n\n"
        + "\n".join(table)
    )
    words = ["--scenes DIR"] * (scenes is not None) + [f"--scene {name}" for name in names]
    command = " ".join(["python benchmarks/bands.py", *words, f"--draws {draws}"])
    publish(Section("bands", "Whether contributions name the bands", command, text), record)


if __name__ == "__main__":
    main()
