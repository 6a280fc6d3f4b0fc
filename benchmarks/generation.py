"""Whether drawn spectra resemble real ones that training did not read.

A scene is cut into a chequerboard of blocks.  A detector is trained on one colour, as `anomvae
train` does; the other is held out.  A random forest, cross-validated, is given as many drawn
spectra as held-out pixels: AUC .5 means that it cannot tell them apart, 1 that it always can.
Beside it stand the AUC of training pixels, which are real (what it can tell by the places alone),
and of spectra with the noise of the likelihood, independent in every band.  Prints a Markdown
table; scenes are found by ANOMVAE_SCENES, without it `data_samples` alone is measured::

    python benchmarks/generation.py --scene sandiego-utm --seeds 2
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

import anomvae
from anomvae.config.reading import shipped
from anomvae.pixels.tiling import whole
from benchmarks.record import Section, circumstances, publish, record_option

SIDE = 8
"""Side of a block, pixels."""
MOST = 1000
"""Spectra of each kind."""
FOLDS, TREES = 5, 100
COLUMNS = ("scene", "mean", "drawn", "highest", "independent noise", "training pixels")
NOTE = (
    "AUC of a random forest (100 trees, 5 folds) that is given as many spectra as held-out pixels; "
    "mean over the seeds, and the highest. `mean`: largest distance of a band's mean to that of "
    "held-out pixels, in their standard deviations."
)

HEAD = (f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS))
Spectra = NDArray[np.float32]


class Resemblance(NamedTuple):
    """What is measured of one scene and seed."""

    mean: float
    """Largest distance of the mean of a band, standard deviations."""
    drawn: float
    """AUC of drawn spectra against held-out pixels."""
    independent: float
    """The same with the noise of the likelihood."""
    training: float
    """The same of training pixels."""


@click.command()
@click.option("--scene", "names", multiple=True, help="Folder in ANOMVAE_SCENES; repeatable.")
@click.option("--config", default="default", show_default=True, help="Name or TOML file.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@record_option
def main(names: tuple[str, ...], config: str, seeds: int, record: Path | None) -> None:
    """Measure how well a classifier tells drawn spectra from held-out pixels."""
    paths = {"data_samples": shipped("data_samples") / "normal.tif"}
    folder = os.environ.get("ANOMVAE_SCENES")
    if names and not folder:
        raise click.UsageError("Set ANOMVAE_SCENES to the folder of the scenes.")
    paths |= {name: Path(str(folder)) / name / "scene.tif" for name in names}
    rows = [
        _row(name, [measure(path, config, seed) for seed in range(seeds)])
        for name, path in paths.items()
    ]
    text = "\n".join([f"{circumstances()}. {NOTE}", "", *HEAD, *map(_line, rows)])
    chosen = [*(f"--scene {name}" for name in names), f"--config {config}", f"--seeds {seeds}"]
    command = " ".join(["python benchmarks/generation.py", *chosen])
    publish(Section("generation", "Drawn spectra beside real ones", command, text), record)


def measure(path: Path, config: str, seed: int) -> Resemblance:
    """Train on one half of a scene, and compare with the other."""
    with TemporaryDirectory() as folder:
        mask = Path(folder) / "training.tif"
        chosen = _write_mask(path, mask)
        select = anomvae.Selection(mask=str(mask))
        detector = anomvae.train([path], config=config, seed=seed, select=select)
    with anomvae.Scene.of(path).open(detector.bands) as opened:
        block = opened.read(whole(opened.grid.shape))[-1]
    valid = np.isfinite(block).all(axis=-1)
    held_out = block[valid & ~chosen]
    drawn = detector.sample(MOST, seed)
    plain = replace(detector, residuals=None).sample(MOST, seed)
    centre, spread = held_out.mean(axis=0), held_out.std(axis=0)
    return Resemblance(
        float((np.abs(drawn.mean(axis=0) - centre) / spread).max()),
        _auc(drawn, held_out),
        _auc(plain, held_out),
        _auc(block[valid & chosen], held_out),
    )


def _write_mask(path: Path, mask: Path) -> NDArray[np.bool_]:
    """Write which pixels training reads; return them, (row, col)."""
    with rasterio.open(path) as source:
        rows, cols = np.indices(source.shape) // SIDE
        chosen: NDArray[np.bool_] = (rows + cols) % 2 == 0
        where = {"crs": source.crs, "transform": source.transform}
        size = {"height": source.height, "width": source.width, "count": 1, "dtype": "uint8"}
    with rasterio.open(mask, "w", driver="GTiff", **size, **where) as target:
        target.write(chosen.astype(np.uint8), 1)
    return chosen


def _auc(spectra: Spectra, real: Spectra) -> float:
    """Return the cross-validated AUC of a random forest between two kinds of spectra."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rng, count = np.random.default_rng(0), min(MOST, len(spectra), len(real))
    both = [kind[rng.choice(len(kind), count, replace=False)] for kind in (spectra, real)]
    truth = np.repeat([0, 1], count)
    forest = RandomForestClassifier(TREES, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    chance = cross_val_predict(
        forest, np.concatenate(both), truth, cv=folds, method="predict_proba"
    )[:, 1]
    return float(roc_auc_score(truth, chance))


def _row(name: str, measured: list[Resemblance]) -> list[str]:
    mean, drawn, independent, training = np.mean(measured, axis=0)
    highest = max(one.drawn for one in measured)
    return [name, *(f"{x:.2f}" for x in (mean, drawn, highest, independent, training))]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
