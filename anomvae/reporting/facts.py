"""Facts of a scored scene and of its model, as pairs of a name and a text."""

from __future__ import annotations

from collections.abc import Iterator

from ..addresses import displayed
from ..detector.model_card import ModelCard
from ..words import counted, number, share
from .maps import SceneMaps
from .scene_report import SceneReport

Fact = tuple[str, str]

TAG = "ANOMVAE_"
SHOWN_TAGS = ("SCORE", "VERSION", "DETECTOR", "ENGINE", "SCENE", "DIGEST", "RADIOMETRY")
"""Tags that the facts name in words, without `TAG`."""
LONGEST = 300
"""Characters of a tag."""


def scene_facts(report: SceneReport) -> list[Fact]:
    """Return how a scene was scored, and what its files are."""
    return [*_run(report), *_pixels(report), *_grid(report), *_files(report)]


def _run(report: SceneReport) -> Iterator[Fact]:
    result, maps = report.scene.result, report.maps
    tags = {} if maps is None else maps.tags
    yield "scene", displayed(result.scene)
    yield "scored by", f"anomvae {tags.get(f'{TAG}VERSION', 'of an unknown version')}"
    if f"{TAG}ENGINE" in tags:
        yield "engine", tags[f"{TAG}ENGINE"]
    own = ", fitted to this scene itself" if report.scene.fitted_to_itself else ""
    yield "model", f"{result.detector}{own}"
    if f"{TAG}SCORE" in tags:
        yield "score", tags[f"{TAG}SCORE"]
    if maps is not None and maps.layers:
        yield "layers of the map", ", ".join(maps.layers)
    yield "threshold", f"{number(result.threshold.value)} ({result.threshold.rule})"
    if result.drift is not None:
        scores = result.drift.scores
        text = "" if scores is None else f", of the scores {number(scores.psi)}"
        band = result.drift.band
        yield "drift from training", f"PSI of {band.name} {number(band.psi)}{text}"
    yield "took", f"{result.seconds:.3g} s"


def _pixels(report: SceneReport) -> Iterator[Fact]:
    result = report.scene.result
    total = max(1, result.pixels)
    yield "pixels", f"{result.pixels:,}"
    counts = {"with a score": result.valid, "masked": result.masked, "no data": result.missing}
    for name, count in counts.items():
        yield name, f"{count:,} ({share(count / total)})"
    yield "flagged", f"{result.flagged:,} ({share(report.flagged_share)} of those with a score)"
    if report.maps is not None and report.maps.scores is not None:
        above = report.maps.above
        if above != result.flagged:
            yield "above the threshold", f"{above:,}, before the condition on the surroundings"
    if result.quantiles:
        levels = ("0.5", "0.95", "0.99", "1")
        named = [
            f"{float(level):.0%}: {number(result.quantiles[level])}"
            for level in levels
            if level in result.quantiles
        ]
        yield "score quantiles", ", ".join(named)


def _grid(report: SceneReport) -> Iterator[Fact]:
    maps = report.maps
    if maps is None:
        return
    rows, cols = maps.grid.shape
    yield "size", f"{rows:,} rows, {cols:,} columns"
    crs = maps.where.crs_name
    yield "coordinate system", (crs or "none")[:LONGEST]
    a, b, _, d, e, _ = maps.where.grid.transform
    if maps.where.grid.located:
        sides = (a * a + d * d) ** 0.5, (b * b + e * e) ** 0.5
        yield "pixel", f"{sides[0]:.6g} x {sides[1]:.6g} in units of it"
    if maps.grid.side > 1:
        yield "shown in cells of", f"{maps.grid.side} x {maps.grid.side} pixels"


def _files(report: SceneReport) -> Iterator[Fact]:
    result, maps = report.scene.result, report.maps
    yield "folder", displayed(report.scene.files.folder)
    yield "files", ", ".join(path.name for path in result.written)
    if result.radiometry:
        yield "radiometry", "; ".join(result.radiometry)
    yield "digests", f"settings {result.settings}, input {result.input}, result {result.digest}"
    yield from sorted(_other_tags(maps))


def _other_tags(maps: SceneMaps | None) -> Iterator[Fact]:
    """Yield the tags that another program, or a user, has added."""
    for name, text in ({} if maps is None else maps.tags).items():
        known = name.removeprefix(TAG) in SHOWN_TAGS or name.startswith(f"{TAG}THRESHOLD")
        if not known and name != "AREA_OR_POINT":
            yield f"tag {name[:LONGEST]}", text[:LONGEST] + ("..." if len(text) > LONGEST else "")


def model_facts(card: ModelCard) -> list[Fact]:
    """Return what a model is, in short; its card has the rest."""
    model, data, fitting = card.architecture, card.data, card.fitting
    scenes = ", ".join(data.scenes[:5]) + (", ..." if len(data.scenes) > 5 else "")
    batches = f"batches of {fitting.batch_size:,} pixels"
    return [
        ("name", card.name or card.id),
        ("identity", card.id),
        ("family", f"{model.family}, {model.bands} bands, {model.latent} latent units"),
        ("score", card.score.meaning),
        ("trained on", f"{scenes or 'arrays'}: {counted(data.examples, 'pixel')}"),
        ("steps", f"{fitting.steps:,}, {batches}, seed {fitting.seed}"),
        ("written by", f"anomvae {card.anomvae}, torch {card.torch}"),
    ]
