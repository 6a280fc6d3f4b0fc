"""Measure what each rule of a threshold promises, and what it does, on labelled scenes.

Reads any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``, and the shipped samples.  One
model for each scene, seed and way; every rule is chosen from the scores that this model keeps, and
rules of held-out scores from those of a training for them, which gives the same model::

    python benchmarks/calibration.py --scenes DIR --config default --config small-objects

``normal``: `train` on the normal pixels of half of the blocks, vouched for; measured on the other
blocks.  ``detect``: `detect` on the whole scene.  ``samples``: `train` on ``normal.tif``, vouched
for; measured on ``scene_a.tif`` and ``scene_b.tif``.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.config import Config, resolve_config, shipped
from anomvae.detector import Detector, adapted_to
from anomvae.errors import AnomvaeError, NotEnoughPixels
from anomvae.fitting import Selection, detect, train
from anomvae.mapping.flagging import Decision, ScoredMap
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import whole
from anomvae.raster import Georeference, Scene, read_labels
from anomvae.stats.metrics import measure
from anomvae.stats.rules import RULES, ScoreSource
from anomvae.stats.thresholds import parse_rule
from anomvae.training.sampling import choose_blocks, cut_blocks
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import labelled, why_excluded
from benchmarks.tables import as_table

SHIPPED = "as shipped"
"""Row of the rule that a configuration chooses itself."""
BUDGET = 0.005
"""Share of a scene's pixels in the row of ``budget``."""
FURTHER = ("gaussian:2.33", "conformal:0.01", "log-sigma:3+local:2")
WAYS = {
    "normal": (
        "`train`, with the normal pixels of half of the blocks vouched for, measured on the other "
        "blocks"
    ),
    "detect": "`detect` on the whole scene",
    "samples": (
        "`train` on the sample `normal.tif`, vouched for, measured on `scene_a.tif` and "
        "`scene_b.tif`"
    ),
}
NOTE = (
    "Promised and flagged: shares of the normal pixels that are measured; detection rate and F1 "
    "with the labels; best F1: of any threshold on the same scores, chosen with the labels; area: "
    "share of all measured pixels. Rules that a model cannot follow (too few pixels) have no "
    f"share in a mean; `budget` may flag {BUDGET:.1%} of the pixels."
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Effect:
    """What a rule does with the scores of a scene; NaN = not defined, or too few pixels for it."""

    promised: float
    """Rate of normal pixels that it promises to flag."""
    flagged: float = np.nan
    """Share of the measured normal pixels that it flags."""
    recall: float = np.nan
    """Share of the anomalous pixels that it flags."""
    f1: float = np.nan
    """Harmonic mean of precision and recall."""
    best_f1: float = np.nan
    """The best F1 of any threshold."""
    area: float = np.nan
    """Share of the measured pixels that it flags."""


@dataclass(frozen=True)
class Subject:
    """What is measured."""

    way: str
    """A name in `WAYS`."""
    config: str
    """The configuration."""
    scene: str
    """The scene."""
    seed: int
    """Seed of model and blocks."""


@dataclass(frozen=True)
class Outcome:
    """What a rule does on a scene."""

    subject: Subject
    """Scene, model and way."""
    rule: str
    """Its row in the table."""
    effect: Effect
    """What it does."""


@dataclass(frozen=True)
class Measured:
    """The scores of a scene, and the pixels that count, axes (row, col)."""

    detector: Detector
    """The detector, whose scores of normal pixels the rules are chosen from."""
    scores: Array
    """Scores of the scene; NaN = no data."""
    truth: Array
    """Labels: above 0 = anomalous, 0 = normal, NaN = not measured."""


def rows_of_rules(pixels: int) -> dict[str, str]:
    """Return every rule by its row: those with a default, some others, and a budget."""
    of_table = [
        f"{name}:{number.default:g}"
        for name, kind in RULES.items()
        if (number := kind.number) and number.default and kind.source is not ScoreSource.LABELS
    ]
    rows = {rule: rule for rule in (*of_table, *FURTHER)}
    return rows | {f"budget ({BUDGET:.1%})": f"budget:{max(1, round(BUDGET * pixels))}"}


def outcomes(measured: Measured, subject: Subject) -> Iterator[Outcome]:
    """Apply every rule to the scores of a scene."""
    rules = rows_of_rules(int(np.isfinite(measured.scores).sum()))
    for row, text in {SHIPPED: measured.detector.threshold.rule, **rules}.items():
        yield Outcome(subject, row, effect_of(measured, text))


def effect_of(measured: Measured, text: str) -> Effect:
    """Return what a rule does with the scores of a scene."""
    rule, scores, truth = parse_rule(text), measured.scores, measured.truth
    scored = ScoredMap(Georeference(Grid(scores.shape)), lambda window: scores[window])
    promised = np.nan if rule.promise is None else rule.promise
    known = np.isfinite(truth) & np.isfinite(scores)
    try:
        threshold = rule.threshold_in(scored.scores(), measured.detector.scores)
    except NotEnoughPixels:
        return Effect(promised)
    decision, flags = Decision.at(threshold, scored), np.zeros(scores.shape, np.bool_)
    for tile in scored.windows(decision.radius):
        flags[tile.keep] = decision.flags(tile, scores[tile.read])
    metrics = measure(truth, np.where(np.isfinite(scores), flags, np.nan), 0.5)
    return Effect(
        promised,
        flagged=float(flags[known & (truth <= 0)].mean()),
        recall=metrics.recall,
        f1=metrics.f1 if metrics.true_positive else 0.0,
        best_f1=measure(truth, scores).best_f1,
        area=float(flags[known].mean()),
    )


def score(detector: Detector, path: Path) -> Array:
    """Score a whole raster as `score_scene` does, axes (row, col)."""
    with Scene.of(path).open(detector.bands) as opened:
        block = opened.read(whole(opened.grid.shape))
        return np.asarray(adapted_to(detector, opened).score(block).total[-1])


def labels_of(scene: Path, labels: Path) -> Array:
    """Read labels, axes (row, col), NaN = unknown."""
    with Scene.of(scene).open() as opened:
        return np.array(read_labels(labels, opened.grid, opened.name), np.float64)


def vouched(scene: Path, where: Array, out: Path) -> Selection:
    """Write which pixels of a scene are normal, axes (row, col), and select them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(scene) as source:
            profile = {"driver": "GTiff", "height": source.height, "width": source.width}
            if source.crs is not None:
                profile |= {"crs": source.crs, "transform": source.transform}
        with rasterio.open(out, "w", **profile, count=1, dtype="uint8") as file:
            file.write(where.astype(np.uint8), 1)
    return Selection(normal=[out])


def fitted(path: Path, config: Config, seed: int, select: Selection) -> Detector:
    """Train a detector; its held-out scores are those of all blocks, as for rules that need them.

    All of its scores stay those that other rules are chosen from.
    """
    crossed = replace(config, threshold="fdr:0.1")
    detector, twin = (train([path], each, seed, select=select) for each in (config, crossed))
    assert detector.scores is not None  # `train` scores normal pixels
    assert twin.scores is not None
    scores = replace(detector.scores, held_out=twin.scores.held_out)
    return replace(detector, scores=scores)


def on_normal(folder: Path, config: Config, seed: int) -> Iterator[tuple[str, Measured]]:
    """Train on the normal pixels of half of the blocks; measure on the other blocks."""
    path, truth = folder / "scene.tif", labels_of(folder / "scene.tif", folder / "labels.tif")
    half = choose_blocks(cut_blocks(truth.shape), 0.5, (seed, 5)).inside(whole(truth.shape))
    with tempfile.TemporaryDirectory() as name:
        select = vouched(path, half & (truth == 0), Path(name) / "normal.tif")
        detector = fitted(path, config, seed, select)
    yield folder.name, Measured(detector, score(detector, path), np.where(half, np.nan, truth))


def on_scene(folder: Path, config: Config, seed: int) -> Iterator[tuple[str, Measured]]:
    """Fit a detector to a whole scene; measure on the scene."""
    path = folder / "scene.tif"
    detector = detect(path, config, seed)
    truth = labels_of(path, folder / "labels.tif")
    yield folder.name, Measured(detector, score(detector, path), truth)


def on_samples(folder: Path, config: Config, seed: int) -> Iterator[tuple[str, Measured]]:
    """Train on the normal sample; measure on the sample scenes."""
    normal = folder / "normal.tif"
    with rasterio.open(normal) as source:
        everywhere = np.ones(source.shape, bool)
    with tempfile.TemporaryDirectory() as name:
        select = vouched(normal, everywhere, Path(name) / "normal.tif")
        detector = fitted(normal, config, seed, select)
    for scene in ("scene_a", "scene_b"):
        path = folder / f"{scene}.tif"
        truth = labels_of(path, folder / f"{scene}_labels.tif")
        yield scene, Measured(detector, score(detector, path), truth)


Way = Callable[[Path, Config, int], Iterator[tuple[str, Measured]]]


def measure_way(
    way: str, folders: Sequence[Path], configs: Sequence[str], seeds: int
) -> Iterator[Outcome]:
    """Measure every rule on the scenes of a way."""
    run: Way = {"normal": on_normal, "detect": on_scene, "samples": on_samples}[way]
    for name in configs:
        config = resolve_config(name).config
        for folder in folders:
            for seed in range(seeds):
                for scene, measured in run(folder, config, seed):
                    subject = Subject(way, Path(name).stem, scene, seed)
                    done = list(outcomes(measured, subject))
                    for one in done:
                        click.echo(f"{subject} {one.rule} {one.effect}", err=True)
                    yield from done


def table_of(results: Sequence[Outcome]) -> str:
    """Write the means and the extremes over scenes and seeds of each rule."""
    import pandas as pd

    head = ["rule", "promised", "flagged, mean", "flagged, range", "detection rate", "F1"]
    head += ["best F1", "F1, least", "area, mean", "area, largest"]
    lines = []
    table = pd.DataFrame([{"rule": one.rule, **asdict(one.effect)} for one in results])
    for rule, rows in table.groupby("rule", sort=False):
        means = rows.drop(columns="rule").mean()
        low, high = rows["flagged"].min(), rows["flagged"].max()
        lines.append(
            [
                str(rule),
                _percent(rows["promised"].iloc[0]),
                _percent(means["flagged"]),
                "" if np.isnan(low) else f"{_percent(low)} to {_percent(high)}",
                *(_number(means[name]) for name in ("recall", "f1", "best_f1")),
                _number(rows["f1"].min()),
                _percent(means["area"]),
                _percent(rows["area"].max()),
            ]
        )
    return as_table(head, lines)


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{share:.2%}"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def report(results: Sequence[Outcome]) -> str:
    """Write a table for each way and configuration."""
    parts = [f"{circumstances()}. {NOTE}"]
    parted: dict[tuple[str, str], list[Outcome]] = {}
    for one in results:
        parted.setdefault((one.subject.way, one.subject.config), []).append(one)
    for (way, config), some in parted.items():
        scenes = len({one.subject.scene for one in some})
        parts.append(f"### `{config}`: {WAYS[way]} ({scenes} scenes)\n\n{table_of(some)}")
    return "\n\n".join(parts)


@click.command()
@click.option(
    "--scenes", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--config", "configs", multiple=True, default=["default", "small-objects"], show_default=True
)
@click.option("--way", "ways", multiple=True, default=list(WAYS), type=click.Choice(list(WAYS)))
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@record_option
def main(
    scenes: Path, configs: tuple[str, ...], ways: tuple[str, ...], seeds: int, record: Path | None
) -> None:
    """Measure every rule of a threshold on every labelled scene of a folder."""
    folders = [folder for folder in labelled(scenes) if not why_excluded(folder, "whole")]
    if not folders:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    samples = [shipped("data_samples")]
    results: list[Outcome] = []
    try:
        for way in ways:
            results += measure_way(way, samples if way == "samples" else folders, configs, seeds)
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    words = ["python benchmarks/calibration.py --scenes DIR"]
    words += [f"--config {Path(name).name}" for name in configs]
    words += [f"--way {way}" for way in ways] if set(ways) < set(WAYS) else []
    words.append(f"--seeds {seeds}")
    some = "" if set(ways) == set(WAYS) else f": {', '.join(ways)}"
    title = f"Thresholds: promised and measured{some}"
    publish(Section(f"calibration{some}", title, " ".join(words), report(results)), record)


if __name__ == "__main__":
    main()
