"""A model card in words: sections of sentences, facts and tables, for documents and pages.

Names of files and bands are those of others: whoever writes the texts escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import listed
from ...pixels.annulus import Annulus
from ...stats.latent import NO_LATENT_STATISTICS
from .facts import ModelCard, ScoreFacts, ThresholdFacts, TrainingBand, TrainingData

ABSENT = "not recorded"


@dataclass(frozen=True)
class Fact:
    """A fact of a model card."""

    name: str
    value: str
    """In words, with its unit."""


@dataclass(frozen=True)
class CardTable:
    """A table of a model card."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Texts, as many as there are columns."""


@dataclass(frozen=True)
class Section:
    """A section of a model card; what it does not have is empty."""

    title: str
    points: tuple[str, ...] = ()
    """Sentences, each a point of a list."""
    facts: tuple[Fact, ...] = ()
    table: CardTable | None = None
    code: str = ""
    """Text of commands or settings, as it is typed."""
    language: str = ""
    """Language of ``code``: ``sh`` or ``toml``."""


def sections_of(card: ModelCard) -> tuple[Section, ...]:
    """Put a model card in words, in the order that a reader needs it."""
    return (
        Section("What it is for", card.purpose),
        Section("When not to use it", card.limits),
        Section("Threshold", facts=_threshold(card.threshold)),
        Section("Score", facts=_score(card)),
        Section("Training data", facts=_data(card.data)),
        Section("Model", facts=_architecture(card)),
        Section("Training", facts=_fitting(card)),
        *_reproduction(card),
        Section("Versions and licence", facts=_versions(card)),
        Section("Not recorded", card.not_recorded),
        _bands(card.data.bands),
    )


def _facts(*pairs: tuple[str, str | None]) -> tuple[Fact, ...]:
    return tuple(Fact(name, ABSENT if value is None else value) for name, value in pairs)


def _threshold(threshold: ThresholdFacts | None) -> tuple[Fact, ...]:
    if threshold is None:
        return _facts(("Threshold", "none is fitted"))
    anew = "chosen on each scored scene"
    kind = "held-out" if threshold.held_out else "normal"
    value = anew if threshold.value is None else f"{threshold.value:.6g}"
    promise = "none" if threshold.promise is None else f"{threshold.promise:.3%} of normal pixels"
    return _facts(
        ("Anomalous", f"score above {value}" if threshold.value is not None else value),
        ("Rule", threshold.rule),
        ("Promised rate", promise),
        (
            "Chosen from",
            f"{threshold.pixels:,} {kind} pixels, {threshold.share:.3%} of them above it",
        ),
        ("Measured on held-out blocks", _measured(threshold)),
        *((("Warning", threshold.doubt),) if threshold.doubt else ()),
    )


def _measured(threshold: ThresholdFacts) -> str | None:
    rate = threshold.measured
    if rate is None:
        return None
    text = f"{rate.rate:.3%} of {rate.pixels:,} pixels"
    if not rate.blocks:
        return f"{text}; interval {ABSENT}"
    return f"{text} in {rate.blocks:,} blocks, 90 % interval {rate.low:.3%} to {rate.high:.3%}"


def _score(card: ModelCard) -> tuple[Fact, ...]:
    score, quantiles = card.score, card.scores
    levels = () if quantiles is None else zip(quantiles.levels, quantiles.values, strict=True)
    of_normal = listed([f"{level:g}: {value:.4g}" for level, value in levels])
    return _facts(
        ("Definition", score.meaning),
        ("Kind", f"{score.kind}:{score.draws}" if score.draws else score.kind),
        ("Noise", _noise(score)),
        ("Weight of the KL", f"{score.kl_weight:g}"),
        (
            "Weight of the linear term",
            f"{score.linear_weight:g}" if score.linear_weight else "none",
        ),
        ("Local contrast", _around(score.local_contrast) or "none"),
        ("Quantiles over normal pixels", of_normal or None),
    )


def _noise(score: ScoreFacts) -> str:
    return {
        "unit": "unit: residuals as they are, scaled units",
        "band": "band: the learnt noise of each band",
        "covariance": "covariance: that of the training residuals",
        "scene": "scene: estimated on each scored scene, never wider than the learnt noise",
    }.get(score.noise, score.noise)


def _data(data: TrainingData) -> tuple[Fact, ...]:
    area = data.pixel_area
    return _facts(
        (
            "Scenes",
            f"{len(data.scenes):,}: {listed(list(data.scenes))}" if data.scenes else "arrays",
        ),
        ("Pixels learnt", f"{data.examples:,}"),
        ("Share without data", f"{data.nodata:.2%}"),
        ("Area of a pixel", None if area is None else f"{area:.4g} m2"),
        ("Bands", _range(data)),
        ("Dropped bands", listed(list(data.dropped)) if data.dropped else "none"),
        ("Covariates", listed([str(one) for one in data.covariates]) or "none"),
        ("Usual drift between scenes", "kept" if data.drift else None),
        ("Dates", None),
        ("Masks", None),
    )


def _range(data: TrainingData) -> str:
    known = [one.band.wavelength for one in data.bands if one.band.wavelength is not None]
    text = f"{len(data.bands):,}"
    if len(known) < len(data.bands):
        return f"{text}; wavelengths {ABSENT}" if not known else f"{text}; {len(known)} wavelengths"
    return f"{text}, {min(known):g} to {max(known):g} nm"


def _architecture(card: ModelCard) -> tuple[Fact, ...]:
    model = card.architecture
    widths = ", ".join(map(str, model.hidden))
    return _facts(
        ("Family", model.family),
        ("Network", f"{model.bands} bands, hidden {widths}, {model.latent} latent units, mirrored"),
        ("Parameters", f"{model.parameters:,}"),
        ("Likelihood", model.likelihood),
        ("Receptive radius", f"{model.radius} pixels" if model.radius else "0: each pixel alone"),
        ("Dates of an example", f"{model.dates}"),
        *((("Patch", _around(model.patch)),) if model.patch else ()),
        *((("Conditioned on", _around(model.surroundings)),) if model.surroundings else ()),
    )


def _around(annulus: Annulus | None) -> str:
    if annulus is None:
        return ""
    outer, guard = annulus.outer, annulus.guard
    return f"{outer} x {outer} pixels without the {guard} x {guard} in the middle"


def _fitting(card: ModelCard) -> tuple[Fact, ...]:
    fitting, latent = card.fitting, card.fitting.latent
    units = f"{latent.active} of {len(latent.units)} carry more than 0.01 nats"
    kl, levels = (", ".join(f"{nats:.3g}" for nats in of) for of in (latent.units, latent.levels))
    perplexity = latent.perplexity
    return _facts(
        ("Seed", f"{fitting.seed}"),
        ("Steps", f"{fitting.steps:,} of {fitting.batch_size:,} examples"),
        ("Left out of each batch", f"the worst {fitting.trim:.3g}" if fitting.trim else "nothing"),
        ("Weight of the KL in the loss", f"{fitting.beta:g}{_course(card)}"),
        ("Final loss", f"{fitting.history.loss[-1]:.5g} nats per pixel"),
        ("Held-out ELBO", None if fitting.elbo is None else f"{fitting.elbo:.5g} nats per pixel"),
        *((("KL of each latent unit", f"{kl} nats: {units}"),) if kl else ()),
        *((("KL of each level", f"{levels} nats"),) if levels else ()),
        *((("Perplexity of the codes", f"{perplexity:.3g}"),) if perplexity is not None else ()),
        *((("Latent statistics", None),) if latent == NO_LATENT_STATISTICS else ()),
    )


def _course(card: ModelCard) -> str:
    fitting = card.fitting
    text = f", reached after {fitting.warm_up:.0%} of training" if fitting.warm_up else ""
    return text + (f", free bits {fitting.free_bits:g} nats" if fitting.free_bits else "")


def _reproduction(card: ModelCard) -> tuple[Section, ...]:
    title, settings = "How to reproduce", card.fitting.settings
    if settings is None:
        return (Section(title, (f"Its settings are {ABSENT}: an older version wrote the file.",)),)
    points = (
        "The same scenes, masks, bands and seed with the settings below as `settings.toml` give "
        "the same weights and threshold, on one machine with one number of threads.",
    )
    commands = Section(title, points, code="\n".join(card.reproduce), language="sh")
    return commands, Section("Settings", code=settings, language="toml")


def _versions(card: ModelCard) -> tuple[Fact, ...]:
    return _facts(
        ("Id", card.id),
        ("SHA-256", card.digest),
        ("Written by", f"anomvae {card.anomvae}"),
        ("Trained with", f"torch {card.torch}"),
        ("Licence of the code", card.licence),
        ("Licence of the data", None),
    )


def _bands(bands: tuple[TrainingBand, ...]) -> Section:
    points = (
        "Quantiles are those of the training pixels, the noise is the standard deviation that "
        "residuals are measured in; both in data units (stored value x scale + offset).",
    )
    known = [_known(one) for one in bands]
    empty = {name for name in known[0] if all(row[name] == ABSENT for row in known)}
    columns = tuple(name for name in known[0] if name not in empty)
    lacking = (f"Of all bands {listed(sorted(empty))}: {ABSENT}.",) if empty else ()
    rows = tuple(tuple(row[name] for name in columns) for row in known)
    return Section("Bands", (*points, *lacking), table=CardTable(columns, rows))


def _known(one: TrainingBand) -> dict[str, str]:
    """Return what is known of a band by the title of its column."""
    band, absent = one.band, ABSENT
    return {
        "Band": band.name,
        "Centre, nm": absent if band.wavelength is None else f"{band.wavelength:g}",
        "Width, nm": absent if band.fwhm is None else f"{band.fwhm:g}",
        "Scale": f"{band.scale:.6g}",
        "Offset": f"{band.offset:.6g}",
        "1 %": f"{one.low:.4g}",
        "Median": f"{one.median:.4g}",
        "99 %": f"{one.high:.4g}",
        "Noise": f"{one.noise:.4g}",
    }
