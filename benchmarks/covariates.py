"""What covariates are worth: simulated land where the usual spectrum depends on what is told.

Two kinds of land.  ``categorical``: fields, woods, towns and water, told as a land-cover map.
``height``: crop that ripens earlier in the valleys, told as elevation.  Everywhere some pixels are
given the spectrum of a pixel of another class, or of another height: usual, but not there.
A detector is trained on one scene and measured on another one::

    python benchmarks/covariates.py --seeds 3
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
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
from anomvae.testing.simulate import BACKGROUND, Place, Sensor, draw_place, observe
from benchmarks.record import circumstances, keep

SHAPE = (128, 128)
PLANTED = 0.01  # share of the pixels
APART = 1.5  # standard deviations of height that count as another height
RIPENING = 2.0  # logits of ripe crop for each standard deviation of height
CRS = "EPSG:32633"
NO_RING = ("context.mean_components=0", "context.std_components=0")
LANDS = ("categorical", "height")
DETECTORS = {
    "vae": ((), False),
    "cvae, ring": (("model.family=cvae",), False),
    "cvae, covariate": (("model.family=cvae", *NO_RING), True),
    "cvae, both": (("model.family=cvae",), True),
}
"""Settings, and whether the covariate is told."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Land:
    """A scene on disk, and what is known of it."""

    scene: Path
    """The picture."""
    labels: Path
    """1 where a pixel was given the spectrum of another place."""
    covariate: str
    """As ``--covariates`` takes it."""


def draw_land(kind: str, folder: Path, seed: int, *, plant: bool) -> Land:
    """Draw a scene of one of `LANDS`, and write it with its covariate and labels."""
    ground, day, chance = np.random.default_rng((seed, plant)).spawn(3)
    place = draw_place(SHAPE, ground)
    told = place.abundances.argmax(axis=-1) + 1.0
    if kind == "height":
        place, told = _ripening(place), 400 + 100 * place.relief / place.relief.std()
    block = observe(place, day, (), Sensor(wedge=0)).block[0]
    labels = np.zeros(SHAPE, np.float32)
    if plant:
        labels = _swap(block, told, chance, apart=100 * APART if kind == "height" else 1)
    name = f"{kind}-{seed}-{'new' if plant else 'normal'}"
    covariate = _write(folder / f"{name}-{kind}.tif", told[..., None])
    return Land(
        _write(folder / f"{name}.tif", block),
        _write(folder / f"{name}-labels.tif", labels[..., None]),
        f"{'categorical' if kind == 'categorical' else 'numbers'}:{covariate}",
    )


def measure(kind: str, seed: int, folder: Path) -> dict[str, Metrics]:
    """Measure every detector, and RX, on one pair of scenes."""
    normal = draw_land(kind, folder, seed, plant=False)
    new = draw_land(kind, folder, seed, plant=True)
    rows: dict[str, Metrics] = {}
    for name, (settings, told) in DETECTORS.items():
        select = Selection(covariates=[normal.covariate] if told else [])
        detector = train(
            [normal.scene], resolve_config("default", settings).config, seed, select=select
        )
        given = [new.covariate] if told else []
        found = evaluate_detector(detector, Scene.of(new.scene, covariates=given), new.labels).rows
        rows |= {name: found["anomvae"], "rx": found["rx"]}
    return rows


def table(found: dict[str, list[dict[str, Metrics]]]) -> str:
    """Write AUC and AP as means and standard deviations over the seeds."""
    lands = list(found)
    head = " | ".join(f"{land}: AUC | AP" for land in lands)
    lines = [f"| detector | {head} |", "| --- |" + " --- | --- |" * len(lands)]
    for name in [*DETECTORS, "rx"]:
        figures = [
            _spread([getattr(rows[name], figure) for rows in found[land]])
            for land in lands
            for figure in ("roc_auc", "average_precision")
        ]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


@click.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--land", "lands", multiple=True, default=LANDS, type=click.Choice(LANDS))
@click.option("--record", is_flag=True, help="Keep the table in benchmarks/results.md.")
def main(seeds: int, lands: tuple[str, ...], record: bool) -> None:
    """Measure vae, and cvae with and without covariates, on simulated land."""
    told = circumstances()
    with TemporaryDirectory() as folder:
        found = {
            land: [measure(land, seed, Path(folder)) for seed in range(seeds)] for land in lands
        }
    text = f"{told}.\n\n{table(found)}"
    click.echo(text)
    if record:
        command = f"python benchmarks/covariates.py --seeds {seeds} --record"
        keep("covariates", f"## Covariates\n\n`{command}`\n\n{text}")


def _ripening(place: Place) -> Place:
    """Cover land with crop, that is straw where it is ripe: sooner where it lies lower."""
    ripe = 1 / (1 + np.exp(RIPENING * place.relief / place.relief.std()))
    names = list(BACKGROUND)
    abundances = np.zeros_like(place.abundances)
    abundances[..., names.index("straw")] = ripe
    abundances[..., names.index("crop")] = 1 - ripe
    return replace(place, abundances=abundances)


def _swap(
    block: Floats, told: NDArray[np.float64], rng: np.random.Generator, *, apart: float
) -> Floats:
    """Give some pixels the spectrum of one whose covariate is ``apart``; labels, (row, col)."""
    spectra, known = block.reshape(-1, block.shape[-1]), told.ravel()
    before, labels = spectra.copy(), np.zeros(len(spectra), np.float32)
    for place in rng.choice(len(spectra), round(PLANTED * len(spectra)), replace=False):
        others = np.flatnonzero(np.abs(known - known[place]) >= apart)
        spectra[place], labels[place] = before[rng.choice(others)], 1
    return labels.reshape(told.shape)


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


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


if __name__ == "__main__":
    main()
