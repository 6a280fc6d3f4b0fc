"""Measure the search for more of a kind: one labelled object is given, the others are to be found.

A detector is fitted to each labelled scene, as ``anomvae detect`` does.  The target is the mean or
the peak, the pixel of the highest anomaly score, of an object: an 8-connected component of the
labels.  Each measure is over all pixels but those of the object itself; anomalous are those of the
others.  Layers: ``ace``, ``matched filter``, and ``anomaly``, the score of the detector.  ``first``
is the share of the other objects whose best pixel lies above all normal ones.  The rules are
applied to the pixels of the scene::

    python benchmarks/like.py DIR
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

import anomvae
from anomvae.config import resolve_config
from anomvae.explaining.finder import Finder
from anomvae.raster.gdal import unwarned
from anomvae.stats.metrics import measure
from anomvae.stats.scores import NormalScores
from anomvae.stats.target import LAYERS, default_rule
from anomvae.stats.thresholds import parse_rule
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import averaged, labelled, spectra

FEWEST_PIXELS = 4
"""Pixels of the smallest object that is a target."""
MOST_OBJECTS = 8
"""Objects of a scene that are targets, the largest."""
RULES = ("sigma:3", "sigma:4", "sigma:5", "sigma:6", "gaussian:3", "quantile:0.001", "fixed:0.25")

Flags = NDArray[np.bool_]


class Ranked(NamedTuple):
    """How well a layer ranks the other objects."""

    roc_auc: float
    average_precision: float
    first: float


class Flagged(NamedTuple):
    """What a rule flags: shares of the object, of the others, and of the normal pixels."""

    own: float
    others: float
    normal: float


class Case(NamedTuple):
    """A search."""

    scene: str
    target: str
    layers: dict[str, Ranked]
    rules: dict[str, Flagged]


def objects_of(labels: Flags) -> list[Flags]:
    """Return the pixels of each object, the largest first."""
    from scipy.ndimage import label

    numbered, count = label(labels, np.ones((3, 3)))
    parts = [numbered == number for number in range(1, count + 1)]
    return sorted(parts, key=lambda part: -int(part.sum()))


def cases(folder: Path, steps: int | None) -> Iterator[Case]:
    """Yield the searches in a scene."""
    with unwarned(), rasterio.open(folder / "labels.tif") as file:
        labels = file.read(1) > 0
    changed = [] if steps is None else [f"training.max_steps={steps}"]
    detector = anomvae.detect(folder / "scene.tif", resolve_config("default", changed).config)
    block = spectra(folder / "scene.tif")[np.newaxis]
    block = block[..., [band.index - 1 for band in detector.bands]]
    anomaly = detector.score(block).total[0]
    objects = objects_of(labels)
    for own in objects[:MOST_OBJECTS]:
        if own.sum() < FEWEST_PIXELS or len(objects) < 2:
            continue
        peak = np.unravel_index(np.argmax(np.where(own, anomaly, -np.inf)), own.shape)
        others = [part for part in objects if part is not own]
        for target, spectrum in (("mean", block[0][own].mean(axis=0)), ("peak", block[0][peak])):
            rule = parse_rule("fixed:1")
            finder = Finder.of(detector, spectrum.astype(np.float32), target, rule)
            planes = dict(zip(LAYERS, (layer[0] for layer in finder.score(block)), strict=True))
            ranked = {name: rank(plane, own, others) for name, plane in planes.items()}
            ranked["anomaly"] = rank(anomaly, own, others)
            rules = {rule: flagged(rule, planes["ace"], own, labels) for rule in RULES}
            yield Case(folder.name, target, ranked, rules)


def rank(plane: NDArray[np.float32], own: Flags, others: list[Flags]) -> Ranked:
    """Rank the pixels of the other objects among all but those of the object."""
    found = np.logical_or.reduce(others)
    metrics = measure(found[~own].astype(np.float32), plane[~own])
    highest = plane[~own & ~found].max()
    first = np.mean([plane[part].max() > highest for part in others])
    return Ranked(metrics.roc_auc, metrics.average_precision, float(first))


def flagged(rule: str, ace: NDArray[np.float32], own: Flags, labels: Flags) -> Flagged:
    """Return what a rule flags of a map."""
    threshold = parse_rule(rule).threshold(NormalScores.of(ace, held_out=False))
    flags = ace > (float(rule.partition(":")[2]) if rule.startswith("fixed") else threshold.value)
    return Flagged(*(float(flags[part].mean()) for part in (own, labels & ~own, ~labels)))


def tables(found: list[Case]) -> Iterator[str]:
    """Write the tables of ranks and of rules, in Markdown."""
    yield "| scene | target | objects | layer | AUC | AP | first |"
    yield "|---|---|---|---|---|---|---|"
    groups = defaultdict(list)
    for case in found:
        groups[case.scene, case.target].append(case)
    for (scene, target), group in groups.items():
        for layer in (*LAYERS, "anomaly"):
            auc, ap, first = np.mean([case.layers[layer] for case in group], axis=0)
            where = f"{scene} | {target} | {len(group)} | {layer.replace('_', ' ')}"
            yield f"| {where} | {auc:.4f} | {ap:.3f} | {first:.2f} |"
    yield ""
    yield "| rule (target: mean) | own object | other objects | normal pixels | most of a scene |"
    yield "|---|---|---|---|---|"
    for rule in RULES:
        shares = np.array([case.rules[rule] for case in found if case.target == "mean"])
        own, others, normal = shares.mean(axis=0)
        most = shares[:, 2].max()
        yield f"| {rule} | {own:.1%} | {others:.1%} | {normal:.2%} | {most:.2%} |"


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--bands", type=int, help="Average the scenes to so many bands.")
@click.option("--steps", type=int, help="Training steps; ACE and matched filter need none.")
@click.option("--scene", "names", multiple=True, help="Only these scenes.")
@record_option
def main(
    folder: Path, bands: int | None, steps: int | None, names: tuple[str, ...], record: Path | None
) -> None:
    """Measure the searches in every labelled scene of FOLDER."""
    chosen = [path for path in labelled(folder) if not names or path.name in names]
    found: list[Case] = []
    with averaged(chosen, bands) as paths:
        for path in paths:
            found += cases(path, steps)
            click.echo(f"{path.name} done", err=True)
    text = "\n".join(
        [f"{circumstances()}. Default rule: {default_rule(bands or 999)}.", "", *tables(found)]
    )
    suffix = f"-{bands}" if bands else ""
    given = {"--bands": bands, "--steps": steps}
    options = "".join(f" {name} {value}" for name, value in given.items() if value is not None)
    command = f"python benchmarks/like.py SCENES{options}"
    title = "Find more like this" + (f", {bands} bands" if bands else "")
    publish(Section(f"like{suffix}", title, command, text), record)


if __name__ == "__main__":
    main()
