"""Measure what an evaluation of a large map takes: seconds, and the most memory of the process.

The map has normal scores of a gamma distribution, and square objects whose scores lie higher; the
labels mark the objects, and are otherwise 0.  Both are tiled and compressed, as anomvae writes
them.  The command is timed from its start to its end, intervals, objects and 3D ROC included::

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --side 2000 --record
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import rasterio
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.raster.gdal import unwarned
from anomvae.raster.maps import BASELINE_LAYERS
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.stopwatch import Usage, of_command

BLOCK = 500
SHARE = 1e-4
"""Share of the pixels that are anomalous."""
OBJECT = 5
"""Side of an object, pixels."""


def write_inputs(folder: Path, side: int) -> tuple[Path, Path, Path]:
    """Write a map, another one of the same scene, and its labels."""
    paths = folder / "one.anomaly.tif", folder / "two.anomaly.tif", folder / "labels.tif"
    profile = {"driver": "GTiff", "count": 1, "height": side, "width": side, "tiled": True}
    profile |= {"blockxsize": 512, "blockysize": 512, "compress": "zstd"}
    rng = np.random.default_rng(0)
    with (
        unwarned(),
        rasterio.open(paths[0], "w", dtype="float32", **profile) as one,
        rasterio.open(paths[1], "w", dtype="float32", **profile) as two,
        rasterio.open(paths[2], "w", dtype="uint8", **profile) as labels,
    ):
        for file in (one, two):
            file.descriptions = BASELINE_LAYERS
            file.update_tags(ANOMVAE_THRESHOLD="22.0", ANOMVAE_THRESHOLD_RULE="fixed:22.0")
        for window, truth in parts(side, rng):
            labels.write(truth.astype("uint8"), 1, window=window)
            for file, gain in ((one, 9), (two, 7)):
                scores = rng.gamma(2.0, 2.0, truth.shape) + gain * truth
                file.write(scores.astype("float32"), 1, window=window)
    return paths


def parts(side: int, rng: np.random.Generator) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield windows and which of their pixels are anomalous."""
    for row in range(0, side, BLOCK):
        for col in range(0, side, BLOCK):
            shape = min(BLOCK, side - row), min(BLOCK, side - col)
            truth = np.zeros(shape, bool)
            for _ in range(max(1, round(SHARE * truth.size / OBJECT**2))):
                at = rng.integers(0, [max(1, length - OBJECT) for length in shape])
                truth[at[0] : at[0] + OBJECT, at[1] : at[1] + OBJECT] = True
            yield Window(col, row, shape[1], shape[0]), truth


def measured(folder: Path, side: int) -> Iterator[tuple[str, Usage]]:
    """Measure the commands."""
    one, two, labels = write_inputs(folder, side)
    commands: dict[str, tuple[str | Path, ...]] = {
        "evaluate MAP": ("evaluate", one, one, "--labels", labels, "--baselines", "none"),
        "evaluate --compare MAP MAP": ("evaluate", "--compare", one, two, "--labels", labels),
    }
    for name, words in commands.items():
        yield name, of_command(partial(_same, words), repeats=1)


def _same(words: Sequence[str | Path], _: int) -> Sequence[str | Path]:
    return words


@click.command()
@click.option("--side", default=10_000, show_default=True, help="Rows and columns of the scene.")
@record_option
def main(side: int, record: Path | None) -> None:
    """Measure evaluations of a large map."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            f"| {name} | {usage.seconds:.1f} | {usage.cpu:.1f} | {usage.peak:.0f} |"
            for name, usage in measured(Path(folder), side)
        ]
    table = ["| command | seconds | processor, s | peak memory, MB |", "|---|---|---|---|", *lines]
    text = f"{side:,} x {side:,} pixels, {SHARE:.2%} of them anomalous; {circumstances()}.\n\n"
    section = Section(
        "evaluation",
        "Evaluation of a large map",
        f"python benchmarks/evaluation.py --side {side}",
        text + "\n".join(table),
    )
    publish(section, record)


if __name__ == "__main__":
    main()
