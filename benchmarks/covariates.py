"""The gain from covariates, on simulated land where the normal spectrum depends on a covariate.

Two kinds of land.  ``categorical``: fields, woods, towns and water; the covariate is a land-cover
map.  ``height``: crop that ripens earlier in the valleys; the covariate is elevation.  Anomalies
are pixels with the spectrum of a pixel of another class or height: normal, but not there.  A
detector is trained on one scene and measured on another one::

    python benchmarks/covariates.py --seeds 3
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.config import resolve_config
from anomvae.evaluation import evaluate_detector
from anomvae.fitting import Selection, train
from anomvae.raster import Scene
from anomvae.stats.metrics import Metrics
from anomvae.testing.materials import BACKGROUND
from anomvae.testing.simulate import Place, Sensor, draw_place, observe
from benchmarks.record import Section, circumstances, publish, record_option

SHAPE = (128, 128)
PLANTED = 0.01  # share of anomalous pixels
APART = 1.5  # minimum difference between two heights, standard deviations
RIPENING = 2.0  # logits of ripe crop for each standard deviation of height
CRS = "EPSG:32633"
NO_ANNULUS = ("context.mean_components=0", "context.std_components=0")
LANDS = ("categorical", "height")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """A detector: settings on top of the default configuration."""

    settings: tuple[str, ...] = ()
    conditioned: bool = False
    """Whether it is conditioned on the covariate."""


DETECTORS = {
    "vae": Variant(),
    "cvae, ring": Variant(("model.family=cvae",)),
    "cvae, covariate": Variant(("model.family=cvae", *NO_ANNULUS), conditioned=True),
    "cvae, both": Variant(("model.family=cvae",), conditioned=True),
}
Variants = Mapping[str, Variant]


@dataclass(frozen=True)
class Land:
    """A simulated scene on disk."""

    scene: Path
    labels: Path
    """1 where a pixel has the spectrum of another place."""
    covariate: str
    """An argument of ``--covariates``."""


def draw_land(
    kind: str, folder: Path, seed: int, *, plant: bool, shape: tuple[int, int] = SHAPE
) -> Land:
    """Draw a scene of one of `LANDS`, and write it with its covariate and labels."""
    ground, day, chance = np.random.default_rng((seed, plant)).spawn(3)
    place = draw_place(shape, ground)
    values = place.abundances.argmax(axis=-1) + 1.0
    if kind == "height":
        place, values = _ripening(place), 400 + 100 * place.relief / place.relief.std()
    block = observe(place, day, (), Sensor(wedge=0)).block[0]
    labels = np.zeros(shape, np.float32)
    if plant:
        labels = _swap(block, values, chance, apart=100 * APART if kind == "height" else 1)
    name = f"{kind}-{seed}-{'new' if plant else 'normal'}"
    covariate = _write(folder / f"{name}-{kind}.tif", values[..., None])
    return Land(
        _write(folder / f"{name}.tif", block),
        _write(folder / f"{name}-labels.tif", labels[..., None]),
        f"{'categorical' if kind == 'categorical' else 'continuous'}:{covariate}",
    )


def measure(
    kind: str,
    seed: int,
    folder: Path,
    detectors: Variants = DETECTORS,
    shape: tuple[int, int] = SHAPE,
) -> dict[str, Metrics]:
    """Train every detector on normal land; measure it, and RX, on land with anomalies."""
    normal, new = (draw_land(kind, folder, seed, plant=p, shape=shape) for p in (False, True))
    rows: dict[str, Metrics] = {}
    for name, variant in detectors.items():
        config = resolve_config("default", variant.settings).config
        before, after = ([land.covariate] * variant.conditioned for land in (normal, new))
        detector = train([normal.scene], config, seed, select=Selection(covariates=before))
        scene = Scene.of(new.scene, covariates=after)
        evaluated = evaluate_detector(detector, scene, new.labels).rows
        rows |= {name: evaluated["anomvae"], "rx": evaluated["rx"]}
    return rows


def table(results: Mapping[str, Sequence[Mapping[str, Metrics]]], names: Iterable[str]) -> str:
    """Write AUC and AP as means and standard deviations over the seeds."""
    head = " | ".join(f"{land}: AUC | AP" for land in results)
    lines = [f"| detector | {head} |", "| --- |" + " --- | --- |" * len(results)]
    for name in names:
        cells = [
            _mean_and_std([getattr(rows[name], metric) for rows in seeds])
            for seeds in results.values()
            for metric in ("roc_auc", "average_precision")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(
    lands: Sequence[str],
    seeds: int,
    detectors: Variants = DETECTORS,
    shape: tuple[int, int] = SHAPE,
) -> str:
    """Measure the detectors on every land with every seed; return the table."""
    with TemporaryDirectory() as folder:
        run = partial(measure, folder=Path(folder), detectors=detectors, shape=shape)
        results = {land: [run(land, seed) for seed in range(seeds)] for land in lands}
    return table(results, [*detectors, "rx"])


@click.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--land", "lands", multiple=True, default=LANDS, type=click.Choice(LANDS))
@record_option
def main(seeds: int, lands: tuple[str, ...], record: Path | None) -> None:
    """Measure vae, and cvae with and without covariates, on simulated land."""
    text = f"{circumstances()}.\n\n{report(lands, seeds)}"
    command = f"python benchmarks/covariates.py --seeds {seeds}"
    publish(Section("covariates", "Covariates", command, text), record)


def _ripening(place: Place) -> Place:
    """Cover land with crop, which ripens to straw earlier where it lies lower."""
    ripe = 1 / (1 + np.exp(RIPENING * place.relief / place.relief.std()))
    names = list(BACKGROUND)
    abundances = np.zeros_like(place.abundances)
    abundances[..., names.index("straw")] = ripe
    abundances[..., names.index("crop")] = 1 - ripe
    return replace(place, abundances=abundances)


def _swap(
    block: Floats, covariate: NDArray[np.float64], rng: np.random.Generator, *, apart: float
) -> Floats:
    """Replace spectra in place by those of a covariate ``apart``; return labels, (row, col)."""
    spectra, values = block.reshape(-1, block.shape[-1]), covariate.ravel()
    before, labels = spectra.copy(), np.zeros(len(spectra), np.float32)
    for pixel in rng.choice(len(spectra), round(PLANTED * len(spectra)), replace=False):
        others = np.flatnonzero(np.abs(values - values[pixel]) >= apart)
        spectra[pixel], labels[pixel] = before[rng.choice(others)], 1
    return labels.reshape(covariate.shape)


def _write(path: Path, values: NDArray[np.floating]) -> Path:
    """Write values (row, col, band) as a GeoTIFF."""
    import rasterio
    from affine import Affine

    rows, cols, bands = values.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": bands, "crs": CRS}
    grid = Affine(10, 0, 5e5, 0, -10, 4e6)
    with rasterio.open(path, "w", dtype="float32", transform=grid, **profile) as dataset:
        dataset.write(np.moveaxis(values, -1, 0).astype(np.float32))
    return path


def _mean_and_std(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


if __name__ == "__main__":
    main()
