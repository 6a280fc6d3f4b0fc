"""What each configuration finds by the size of an object, on simulated land without labels.

Objects of one size and of whole pixels are planted into land with roofs and roads.  `detect` fits a
configuration to the scene and scores it.  Land ``mixed`` has objects of four materials; ``copies``
has as many of one material, so that an object has look-alikes, some of them in its annulus::

    python benchmarks/sizes.py --seeds 3
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from anomvae.stats.metrics import Metrics
from anomvae.testing.materials import FOREIGN
from anomvae.testing.simulate import Anomaly, Sensor, SimulatedScene, simulate
from benchmarks.contestants import Contestant, contestants
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import Task

SHAPE = (96, 96)
OBJECTS = 8
SIZES = ((1, 1), (2, 2), (3, 4), (5, 6), (8, 8))
LANDS = ("mixed", "copies")
CRS = "EPSG:32633"


def draw(land: str, size: tuple[int, int], seed: int) -> SimulatedScene:
    """Draw a scene with objects of a size; ``copies`` takes another material for each seed."""
    names = list(FOREIGN)
    materials = [names[(seed if land == "copies" else one) % len(names)] for one in range(OBJECTS)]
    anomalies = [Anomaly(name, size) for name in materials]
    return simulate(SHAPE, seed, anomalies=anomalies, sensor=Sensor(wedge=0))


def planted(land: str, size: tuple[int, int], seed: int, folder: Path) -> Task:
    """Write a scene and its labels."""
    scene, paths = draw(land, size, seed), (folder / "scene.tif", folder / "labels.tif")
    for path, values in zip(paths, (scene.block[0], scene.labels[..., None]), strict=True):
        _write(path, np.moveaxis(values, -1, 0))
    return Task("whole", paths[0], *paths)


def _write(path: Path, values: NDArray[Any]) -> None:
    count, height, width = values.shape
    transform = rasterio.Affine(10, 0, 465_000, 0, -10, 5_800_000)
    profile = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=CRS, transform=transform, **profile) as file:
        file.write(values)


def measure(detector: Contestant, land: str, size: tuple[int, int], seed: int) -> Metrics:
    """Fit a detector to a scene, and measure its scores of that scene."""
    with TemporaryDirectory() as folder:
        result = detector.run(planted(land, size, seed, Path(folder)), seed)
    click.echo(f"{detector.name} {land} {size} {seed}: {cell([result.metrics])}", err=True)
    return result.metrics


def lines(detectors: Sequence[Contestant], seeds: int) -> Iterator[str]:
    """Yield the lines of a table: AUC / AP / detected share by land, size and detector."""
    yield "| land | pixels | " + " | ".join(one.name for one in detectors) + " |"
    yield "| --- | --- |" + " --- |" * len(detectors)
    for land in LANDS:
        for size in SIZES:
            cells = [cell([measure(one, land, size, seed) for seed in range(seeds)])
                     for one in detectors]  # fmt: skip
            yield f"| {land} | {size[0] * size[1]} | {' | '.join(cells)} |"


def cell(runs: Sequence[Metrics]) -> str:
    """Write AUC / AP / share of the anomalous pixels found, and of the normal ones flagged."""
    found = [run.true_positive / run.anomalous for run in runs]
    false = [run.false_positive / (run.pixels - run.anomalous) for run in runs]
    auc, ap = ([getattr(run, name) for run in runs] for name in ("roc_auc", "average_precision"))
    return f"{np.mean(auc):.3f} / {np.mean(ap):.2f} / {np.mean(found):.0%} ({np.mean(false):.1%})"


@click.command()
@click.option(
    "--config",
    "configs",
    multiple=True,
    default=["default", "medium-objects", "small-objects"],
    show_default=True,
    help="Name or TOML file; repeat it for several.",
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="From seed 0.")
@record_option
def main(configs: tuple[str, ...], seeds: int, record: Path | None) -> None:
    """Measure configurations on objects of each size."""
    try:
        table = list(lines(contestants(configs, ["rx"]), seeds))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    text = (
        f"{circumstances()}. {seeds} seeds of land; {OBJECTS} objects in {SHAPE[0]} x {SHAPE[1]} "
        f"pixels; `detect`. Cells: AUC / AP / share of the objects' pixels above the threshold "
        f"(share of the other pixels). Land `copies` has objects of one material.\n\n"
        + "\n".join(table)
    )
    words = [f"--config {Path(name).name}" for name in configs]
    command = " ".join(["python benchmarks/sizes.py", *words, f"--seeds {seeds}"])
    publish(Section("sizes", "What is found by the size of an object", command, text), record)


if __name__ == "__main__":
    main()
