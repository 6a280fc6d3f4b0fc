"""What a model is for and when not to use it, in sentences that follow from its file."""

from __future__ import annotations

from collections.abc import Iterator

from ...pixels.views import Newest
from ...stats.latent import ACTIVE
from ..card import Card
from ..detector import Detector

WIDE = "Objects wider than {side} pixels resemble their own surroundings and may score low."


def purpose_of(detector: Detector) -> tuple[str, ...]:
    """Return what a detector is for."""
    return (
        f"It scores how unusual {_subject(detector)}. Higher is more anomalous.",
        f"It takes scenes that have its {detector.bands.summary}; they are listed at the end.",
        "It is meant for screening: its flags and objects are candidates that a person looks at.",
    )


def limits_of(detector: Detector) -> tuple[str, ...]:
    """Return when not to use a detector, and what its scores do not say."""
    return tuple(_limits(detector))


def _subject(detector: Detector) -> str:
    card = detector.card
    if detector.compares_dates:
        return "the newest date of each pixel is, given the dates before it"
    if card.patch is not None:
        side = card.patch.outer
        return f"the spectrum of each pixel is, given the {side} x {side} pixels around it"
    if card.context is not None:
        given = ["its surroundings"] if _surroundings(card) else []
        given += ["its covariates"] if card.covariates else []
        return f"the spectrum of each pixel is, given {' and '.join(given)}"
    if card.weighting is not None:
        return "the spectrum of each pixel is, compared with training pixels and its surroundings"
    return "the spectrum of each pixel is, compared with training pixels; neighbours do not count"


def _limits(detector: Detector) -> Iterator[str]:
    card = detector.card
    yield (
        "It does not name what it finds: a high score is an unusual pixel, no class and no target. "
        "For a known material use `anomvae like`."
    )
    yield (
        "Not for scenes of other bands or other physical units: bands are matched by wavelength or "
        "name, and others are refused."
    )
    yield (
        "Other land, season, light or processing raises scores of whole scenes. Each scored scene "
        "has a verdict whether it looks like the training scenes: heed it."
    )
    yield "Its scores are not comparable with those of another model; thresholds belong to one."
    yield from _of_training(card, anew=detector.family.view is Newest)
    yield from _of_threshold(card)
    yield from _of_windows(card)


def _of_training(card: Card, *, anew: bool) -> Iterator[str]:
    training = card.training
    if anew:
        yield "It is fitted to the dates that it scores: for a new date, fit it anew."
    elif len(training.scenes) == 1:
        yield "It learnt one scene: what is normal elsewhere or at another time is unknown to it."
    if training.trim:
        yield (
            f"What is common in the training scenes counts as normal, wanted or not: of each batch "
            f"only the worst {training.trim:.3g} was left out."
        )
    if card.noise == "covariance":
        yield "Its noise is that of the training scenes, and does not transfer to others."
    latent = training.latent
    if latent.units and not latent.active:
        yield (
            f"Its code collapsed (no latent unit carries {ACTIVE:g} nats): every pixel is "
            f"reconstructed alike."
        )


def _of_threshold(card: Card) -> Iterator[str]:
    threshold, rate = card.threshold, card.held_out
    if threshold is None:
        yield "It has no threshold yet, so it flags nothing."
    elif threshold.provisional:
        yield "Its threshold is chosen on each scored scene, so flags of scenes are not comparable."
    elif rate is None and not threshold.held_out:
        yield (
            "Its threshold was chosen from pixels that it learnt, and no rate on others was "
            "measured: the rate of false alarms on new scenes is not recorded."
        )
    elif rate is not None and (doubt := rate.doubt(threshold.promise)):
        yield f"Its promise does not hold: {doubt}."


def _of_windows(card: Card) -> Iterator[str]:
    guards = [card.patch.guard] if card.patch is not None else []
    if _surroundings(card) and card.context is not None:
        guards.append(card.context.annulus.guard)
    if card.weighting is not None:
        guards.append(card.weighting.annulus.guard)
    if any(guards):
        yield WIDE.format(side=min(filter(None, guards)))


def _surroundings(card: Card) -> bool:
    plan = card.context
    return plan is not None and bool(plan.mean_components or plan.std_components)
