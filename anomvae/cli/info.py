"""``anomvae info``: describe a model, a scene or its objects, without torch."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from ..addresses import displayed
from ..documents import to_json
from ..errors import AnomvaeError, ScenesFailed, listed
from ..stats.score_kind import ELBO, IWAE, KL, LATENT, RECONSTRUCTION
from . import options
from .engines import print_engines
from .object_facts import LAYER, SUFFIX, object_facts, object_lines, object_list
from .output import echo
from .scene_facts import scene_facts, scene_lines
from .streams import note

if TYPE_CHECKING:
    from ..detector.card import Card
    from ..pixels.annulus import Annulus
    from ..raster import Scene
    from ..stats.latent import LatentStatistics
    from ..stats.thresholds import Threshold


@click.command()
@click.argument("files", nargs=-1, required=True)
@options.bands_opt
@options.pixel_options
@click.option(
    "--engines",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_engines,
    help="List what computes scores on this machine, and exit.",
)
@click.option(
    "--card",
    "as_card",
    is_flag=True,
    help="Print the card of one model as Markdown (with --json as JSON): what it is for, what it "
    "learnt, what is known of its errors.",
)
@options.json_opt
@options.access_options
@options.verbose_opt
def info(
    files: tuple[str, ...],
    as_json: bool,
    as_card: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Describe FILES: models, scenes, or objects of results.

    Of a scene it prints what was recognised, decided and guessed; shares of valid, masked and
    missing pixels are those of a sample that is always the same.  Of an objects file it lists the
    strongest objects, with the bands that add most to their scores and the residuals there, in
    units of the noise.

    \b
    Examples:
        anomvae info scene.tif
        anomvae info coast.safetensors
        anomvae info coast.safetensors --card > coast.md
        anomvae info maps/scene.objects.geojson
        anomvae info --engines
    """
    if as_card:
        _print_card(files, as_json=as_json)
        return
    described: list[dict[str, Any]] = []
    failed = 0
    subjects = [subject for file in files for subject in _subjects(file, chosen)]
    for subject in subjects:
        try:
            facts = _file(subject) if isinstance(subject, str) else scene_facts(subject)
        except AnomvaeError as error:
            if len(subjects) == 1:
                raise
            note(f"Failed: {error}")
            failed += 1
            continue
        described.append(facts)
        if not as_json:
            _print(facts, first=len(described) == 1)
    if as_json:
        alone = len(subjects) == 1
        echo(to_json(described[0] if alone else described, indent=2))
    if failed:
        raise ScenesFailed(f"{failed} of {len(subjects)} files failed; each is named above.")


def _print_card(files: tuple[str, ...], *, as_json: bool) -> None:
    from ..detector.model_card import model_card

    if len(files) > 1:
        raise click.UsageError(f"--card is of one model, but {len(files)} files are given.")
    card = model_card(files[0])
    echo(to_json(card.to_dict(), indent=2) if as_json else card.markdown, nl=as_json)


def _subjects(file: str, chosen: dict[str, Any]) -> list[str] | list[Scene]:
    """Return what a name stands for: a model or an objects file, or scenes."""
    from ..detector.modelfile import is_model

    if file.endswith((SUFFIX, ".safetensors")) or is_model(file):
        given = [name for name, value in chosen.items() if value and name != "access"]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            kind = "an objects file" if file.endswith(SUFFIX) else "a model"
            raise click.UsageError(f"{option} is for a scene; {kind} has none of its own.")
        return [file]
    if file.endswith(LAYER):
        raise click.UsageError(
            f"{displayed(file)} holds objects for a GIS. Name the objects file beside it: "
            f"{displayed(file.removesuffix(LAYER))}{SUFFIX}"
        )
    from ..raster import Selection, scenes_of

    scenes = scenes_of([file], Selection(**chosen), one_site=False)
    containers = groupby(scenes, key=lambda scene: scene.dates[0].container)
    return [_of_all_dates(list(held)) for _, held in containers]


def _of_all_dates(scenes: list[Scene]) -> Scene:
    """Return the scenes of one file, each of one date, as one scene."""
    return replace(scenes[-1], dates=tuple(date for scene in scenes for date in scene.dates))


def _print(facts: dict[str, Any], *, first: bool) -> None:
    lines = _lines(facts)
    if not first:
        echo("")
    width = max(map(len, lines))
    for name, value in lines.items():
        echo(f"{name:{width}}  {_text(value)}".replace("\n", "\\n"))
    for line in object_list(facts) if "objects" in facts else ():
        echo(line)


def _lines(facts: dict[str, Any]) -> dict[str, Any]:
    if "objects" in facts:
        return object_lines(facts)
    return facts if "model" in facts else scene_lines(facts)


def _file(file: str) -> dict[str, Any]:
    return object_facts(file) if file.endswith(SUFFIX) else _model(file)


def _model(file: str) -> dict[str, Any]:
    from ..detector.modelfile import read_card

    card = read_card(file)
    training, threshold = card.training, card.threshold
    return {
        "model": displayed(file),
        "family": card.family,
        "latent": card.latent,
        "hidden": list(card.hidden),
        "likelihood": card.likelihood,
        "bands": [asdict(band) for band in card.bands],
        "dropped": list(card.dropped),
        "conditioned on": _conditions(card),
        **({"patch": _patch(card.patch)} if card.patch else {}),
        "covariates": [asdict(one) for one in card.covariates],
        "score": _score(card),
        "threshold": None if threshold is None else asdict(threshold),
        **_provisional(threshold),
        **_rates(card),
        "trained on": list(training.scenes),
        "pixels": training.pixels,
        **({"dates of each": training.dates} if training.dates > 1 else {}),
        "steps": training.steps,
        "seed": training.seed,
        "trim": training.trim,
        "final loss": training.loss[-1],
        "held-out ELBO": training.elbo,
        **_latent_statistics(training.latent),
        "written by": f"anomvae {card.anomvae}, torch {card.torch}",
    }


def _provisional(threshold: Threshold | None) -> dict[str, Any]:
    if threshold is None or not threshold.provisional:
        return {}
    return {"threshold of each scene": "chosen anew"}


def _rates(card: Card) -> dict[str, Any]:
    """Return the rate that the threshold promises, and that on held-out pixels."""
    promise = None if card.threshold is None else card.threshold.promise
    if card.held_out is None:
        return {"promised rate": promise, "held-out rate": None}
    rates = {"promised rate": promise, "held-out rate": asdict(card.held_out)}
    doubt = card.held_out.doubt(promise)
    return rates | ({"warning": doubt} if doubt else {})


def _latent_statistics(latent: LatentStatistics) -> dict[str, Any]:
    statistics: dict[str, Any] = {}
    if latent.units:
        statistics |= {"active units": latent.active, "KL per unit": list(latent.units)}
    if latent.levels:
        statistics["KL per level"] = list(latent.levels)
    if latent.perplexity is not None:
        statistics["code perplexity"] = latent.perplexity
    return statistics


def _score(card: Card) -> str:
    terms = _terms(card)
    if card.linear_weight:
        terms += f" + linear term (weight {card.linear_weight:g})"
    weighting = card.weighting
    if weighting is None:
        return f"{terms}, nats"
    return (
        f"({terms}) x local-contrast weighting in {_annulus(weighting.annulus)} (local contrast "
        f"{weighting.local_contrast:g}, latent distance {weighting.latent_distance:g})"
    )


def _terms(card: Card) -> str:
    return {
        ELBO: f"reconstruction ({card.noise} noise) + {card.kl_weight:g} x KL",
        RECONSTRUCTION: f"reconstruction ({card.noise} noise)",
        KL: f"{card.kl_weight:g} x KL",
        IWAE: f"importance weighted bound of {card.draws} draws ({card.noise} noise)",
        LATENT: "half the squared Mahalanobis distance of the code",
    }[card.kind]


def _annulus(annulus: Annulus) -> str:
    return f"an annulus of {annulus.outer} without {annulus.guard} pixels"


def _conditions(card: Card) -> str | None:
    plan = card.context
    if plan is None or not (plan.mean_components or plan.std_components):
        return None
    return (
        f"{_annulus(plan.annulus)}: mean of {plan.mean_components} and standard deviation of "
        f"{plan.std_components} principal components"
    )


def _patch(patch: Annulus) -> str:
    hidden = f"{patch.guard} x {patch.guard} hidden" if patch.guard else "nothing hidden"
    return f"{patch.outer} x {patch.outer} pixels, {hidden} in the middle"


def _text(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        described = _covariate if "kind" in value[0] else _band
        return f"{len(value)}: {listed(list(map(described, value)))}"
    if isinstance(value, list) and value:
        numbers = [f"{part:.12g}" for part in value if isinstance(part, float)]
        return ", ".join(numbers) or listed(list(map(str, value)))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(part)}" for key, part in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if value or value == 0 else "none"


def _covariate(item: dict[str, Any]) -> str:
    from ..pixels.covariates import Covariate

    classes = f" ({len(item['classes'])} classes)" if item["classes"] else ""
    return f"{Covariate(**item)}{classes}"


def _band(band: dict[str, Any]) -> str:
    notes = []
    if band["wavelength"] is not None:
        notes.append(f"{band['wavelength']:g} nm")
    if (band["scale"], band["offset"]) != (1.0, 0.0):
        notes.append(f"x {band['scale']:g} + {band['offset']:g}")
    if band["nodata"] is not None:
        notes.append(f"nodata {band['nodata']:g}")
    return f"{band['name']} ({', '.join(notes)})" if notes else str(band["name"])
