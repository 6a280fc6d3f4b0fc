"""Measure wide anomalies: how much of a scene may change before its own noise hides the change.

A detector learns a scene; of another scene, 2 to 40 % are a material that training lacks.  Each
noise model of the score is measured on the same pixels: area under the curve, share of the change
above the detector's own threshold, and share of the other pixels above it.  Scenes are simulated,
and, with ``--scenes``, the halves of labelled ones: a cluster of spectra is hidden from training on
the left half, and is the change on the right half::

    python benchmarks/wide.py --scenes DIR
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

import anomvae
from anomvae.config import resolve_config
from anomvae.evaluation import evaluate_detector
from anomvae.raster.gdal import unwarned
from anomvae.testing.materials import FOREIGN
from anomvae.testing.simulate import Anomaly, simulate
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import labelled, spectra

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
NOISES = ("band", "scene")
SHAPE = (96, 96)
PATCH = (24, 24)
"""Rows and columns of a foreign material, from which its spectra are drawn."""
FILL = 0.5
"""Share of a pixel that the foreign material fills."""
CLUSTERS = 8
WANTED = 0.1
"""Share of a scene that the hidden cluster has, about."""

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A scene to learn, and spectra to draw scored scenes from."""

    kind: str
    learnt: Pixels
    """Axes (row, col, band), NaN = no data."""
    known: Pixels
    """Spectra like those that were learnt, (n, band)."""
    foreign: Pixels
    """Spectra of the change, (n, band)."""


class Found(NamedTuple):
    """What a detector finds; shares of pixels."""

    roc_auc: float
    recall: float
    false_alarms: float


def simulated() -> Iterator[Case]:
    """Yield simulated scenes, each with a foreign material."""
    for number, material in enumerate(FOREIGN):
        train, test = 100 + 2 * number, 101 + 2 * number
        changed = simulate(SHAPE, test, anomalies=[Anomaly(material, PATCH, FILL)])
        foreign = changed.block[0][changed.fraction > 0]
        known = simulate(SHAPE, test)
        yield Case(
            "simulated", simulate(SHAPE, train).block[0], known.block[0][known.valid], foreign
        )


def halves(folder: Path) -> Iterator[Case]:
    """Yield the labelled scenes, each without the cluster nearest to a tenth of it."""
    from sklearn.cluster import KMeans

    for path in labelled(folder):
        pixels = spectra(path / "scene.tif")
        with unwarned(), rasterio.open(path / "labels.tif") as labels:
            normal = labels.read(1) == 0
        std = pixels.std(axis=(0, 1))
        scaled = ((pixels - pixels.mean(axis=(0, 1))) / np.where(std > 0, std, 1)).reshape(
            -1, pixels.shape[-1]
        )
        clusters = KMeans(CLUSTERS, n_init=3, random_state=0).fit_predict(scaled)
        size = np.bincount(clusters) / len(clusters)
        hidden = (clusters == np.argmin(np.abs(size - WANTED))).reshape(normal.shape)
        middle = pixels.shape[1] // 2
        right = np.arange(pixels.shape[1]) >= middle
        learnt = np.where(hidden[..., None], np.float32(np.nan), pixels)[:, :middle]
        yield Case("real", learnt, pixels[normal & ~hidden & right], pixels[hidden])


def measure(case: Case, share: float, detector: anomvae.Detector, folder: Path) -> Found:
    """Score a scene of which a share is changed."""
    rng, (rows, cols) = np.random.default_rng(0), SHAPE
    labels = np.zeros(SHAPE, np.uint8)
    labels.ravel()[: round(share * rows * cols)] = 1
    scene = case.known[rng.integers(len(case.known), size=SHAPE)]
    scene[labels > 0] = case.foreign[rng.integers(len(case.foreign), size=int(labels.sum()))]
    write(folder / "scene.tif", scene)
    write(folder / "labels.tif", labels[..., None])
    metrics = evaluate_detector(
        detector, folder / "scene.tif", folder / "labels.tif", baselines=()
    ).rows["anomvae"]
    normal = metrics.pixels - metrics.anomalous
    return Found(
        metrics.roc_auc, metrics.true_positive / metrics.anomalous, metrics.false_positive / normal
    )


def write(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write pixels, axes (row, col, band)."""
    rows, cols, bands = pixels.shape
    nodata = np.nan if pixels.dtype.kind == "f" else None
    profile = {"count": bands, "dtype": pixels.dtype.name, "height": rows, "width": cols}
    with unwarned(), rasterio.open(path, "w", "GTiff", nodata=nodata, **profile) as file:
        file.write(np.moveaxis(pixels, -1, 0))


def tables(cases: Sequence[Case], config: str, folder: Path) -> Iterator[str]:
    """Measure every noise; yield a Markdown table for each kind of case."""
    for kind in dict.fromkeys(case.kind for case in cases):
        chosen = [case for case in cases if case.kind == kind]
        lines = [
            f"### {kind.capitalize()}: mean of {len(chosen)}",
            "",
            "| changed | " + " | ".join(f"{n}: AUC | found | false alarms" for n in NOISES) + " |",
            "| --- |" + " --- |" * (3 * len(NOISES)),
        ]
        found = {noise: [rows(case, config, noise, folder) for case in chosen] for noise in NOISES}
        for number, share in enumerate(SHARES):
            means = [np.mean([one[number] for one in found[noise]], axis=0) for noise in NOISES]
            cells = [f"{auc:.3f} | {hit:.0%} | {alarm:.1%}" for auc, hit, alarm in means]
            lines.append(f"| {share:.0%} | " + " | ".join(cells) + " |")
        yield "\n".join(lines)


def rows(case: Case, config: str, noise: str, folder: Path) -> list[Found]:
    """Train with a noise model, and measure each share."""
    write(folder / "learnt.tif", case.learnt)
    settings = resolve_config(config, [f"score.noise={noise}"]).config
    detector = anomvae.train([folder / "learnt.tif"], settings, seed=0)
    return [measure(case, share, detector, folder) for share in SHARES]


@click.command()
@click.option("--scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--config", default="default", show_default=True, help="Name or TOML file.")
@record_option
def main(scenes: Path | None, config: str, record: Path | None) -> None:
    """Measure wide anomalies with the noise of training and with that of the scene."""
    cases = [*simulated(), *([] if scenes is None else halves(scenes))]
    with tempfile.TemporaryDirectory() as name:
        text = "\n\n".join([f"{circumstances()}.", *tables(cases, config, Path(name))])
    command = "python benchmarks/wide.py" + (" --scenes DIR" if scenes else "")
    publish(Section("wide", "Wide anomalies and the noise of the scene", command, text), record)


if __name__ == "__main__":
    main()
