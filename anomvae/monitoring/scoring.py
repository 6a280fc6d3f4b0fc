"""Score one scene of a site: the only step of a pass that loads a detector, or fits one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AnomvaeError, ConfigError
from .config import DATES, TIMESERIES, SiteConfig
from .sources import FoundScene

if TYPE_CHECKING:
    from ..mapping import MapResult
    from ..raster import Access, Product, Scene

Scoring = Callable[[FoundScene, Path], "MapResult"]
"""Scores a scene into a folder; raises `AnomvaeError` if that fails."""


def scoring_of(site: SiteConfig) -> Scoring:
    """Load the detector of a site, or prepare to fit one to each scene.

    Raises `ModelFileError` if the model is missing or damaged, `ConfigError` if the configuration,
    the threshold rule or the number of dates does not fit.
    """
    return _fitting(site) if site.model is None else _loaded(site, site.model)


def _loaded(site: SiteConfig, model: str) -> Scoring:
    """Score with a model."""
    from ..detector import Detector
    from ..mapping import score_scenes

    detector = Detector.load(
        model, threshold=site.threshold, device=site.device, engine=site.engine
    )
    _require_dates(site, compared=detector.compares_dates)

    def score(found: FoundScene, folder: Path) -> MapResult:
        (outcome,) = score_scenes(detector, [scene_at(site, found)], folder, site.score_options)
        if outcome.result is None:
            raise outcome.error or AnomvaeError(f"{found.source} was not scored.")
        return outcome.result

    return score


def _fitting(site: SiteConfig) -> Scoring:
    """Fit a detector to each scene, given the dates before it, and score it with that."""
    from ..config import resolve_config
    from ..mapping import detect_scene
    from ..models.plan import ModelPlan

    name = site.fitted_config
    settings = [f'device="{site.device}"', *([f"model.dates={site.dates - 1}"] * (site.dates > 1))]
    settings += [] if site.threshold is None else [f'threshold="{site.threshold}"']
    config = resolve_config(name, settings).config
    plan = ModelPlan.of(config, in_sample=True)
    if site.dates > 1 and not plan.view.compares_dates:
        raise ConfigError(
            f"{site.name!r} has dates = {site.dates}, and model.family = {plan.name!r} of config = "
            f"{name!r} compares none: set dates = 1, or config = {TIMESERIES!r}."
        )
    if site.dates == 1 and plan.view.compares_dates:
        raise ConfigError(
            f"{site.name!r} has dates = 1, and config = {name!r} compares dates: set dates = 2 or "
            f"more, the scene and those before it, such as {DATES}."
        )

    def score(found: FoundScene, folder: Path) -> MapResult:
        return detect_scene(
            scene_at(site, found), folder, config, options=site.score_options, engine=site.engine
        )

    return score


def scene_at(site: SiteConfig, found: FoundScene) -> Scene:
    """Return a scene as the settings of its site select its pixels."""
    scene = scene_of(
        found,
        site.mask,
        site.nodata,
        access_of(site),
        mask_dilate=site.mask_dilate,
        resolution=site.resolution,
        radiometry=site.radiometry,
    )
    return replace(scene, warp=site.grid == "warp")


def _require_dates(site: SiteConfig, *, compared: bool) -> None:
    if compared and site.dates == 1:
        raise ConfigError(
            f"{site.model} compares dates, and {site.name!r} has dates = 1: set dates = 2 or "
            f"more, the scene and those before it, about as many as it was trained on."
        )
    if not compared and site.dates > 1:
        raise ConfigError(
            f"{site.model} does not compare dates, but {site.name!r} has dates = {site.dates}: "
            f"leave it out, or train a family that does (model.family = 'sequential')."
        )


def access_of(site: SiteConfig) -> Access:
    """Return the drivers and limits of a site; an unknown driver raises `ConfigError`."""
    from ..raster import Access

    return Access.of(site.allow_drivers, unlimited=site.no_limits)


def scene_of(
    found: FoundScene,
    mask: str | None = None,
    nodata: tuple[float, ...] = (),
    access: Access | None = None,
    *,
    mask_dilate: int = 0,
    resolution: float | None = None,
    radiometry: str = "auto",
) -> Scene:
    """Return the scene to score, with the earlier dates it is compared with."""
    from ..raster import Scene
    from ..raster.access import DEFAULT

    found_dates = (*found.before, found)
    hidden = tuple(each.flags for each in found_dates)
    return Scene(
        tuple(product_of(each, resolution) for each in found_dates),
        mask=mask,
        mask_dilate=mask_dilate,
        radiometry=radiometry,
        nodata=nodata,
        access=access or DEFAULT,
        hidden=hidden if any(hidden) else (),
    )


def product_of(found: FoundScene, resolution: float | None = None) -> Product:
    """Return the product of a scene, at a side of a pixel, metres; None: its default."""
    from ..raster.products import recognise

    product = found.product or recognise(found.read[0])
    return product if resolution is None else product.at(resolution)
