"""Covariates fitted to training pixels: the classes of categorical ones."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from ..errors import ConfigError, CovariateMismatch
from ..pixels.covariates import CATEGORICAL, Array, Covariate, Covariates, split_values
from .limits import MAX_CLASSES

log = logging.getLogger(__name__)


def fit_covariates(covariates: Covariates, values: Array) -> Covariates:
    """Find the classes in the values (..., value) of training pixels; warn without any value.

    Raises
    ------
    CovariateMismatch
        If a categorical covariate has no class.
    ConfigError
        If it has too many.
    """
    return tuple(_fitted(one, own) for one, own in split_values(covariates, values))


def _fitted(one: Covariate, values: Array) -> Covariate:
    if one.kind == CATEGORICAL:
        return replace(one, classes=_classes(one, values))
    if not np.isfinite(values).any():
        log.warning("%s has no value at any pixel to train on, so it changes no score", one)
    return one


def _classes(one: Covariate, values: Array) -> tuple[float, ...]:
    classes = np.unique(values[np.isfinite(values)])
    if not len(classes):
        raise CovariateMismatch(
            f"{one.file} has no class at any pixel to train on. Give a raster that covers the "
            f"scenes, or leave it out."
        )
    if len(classes) > MAX_CLASSES:
        raise ConfigError(
            f"{one.file} has {len(classes)} classes at the pixels to train on, but at most "
            f"{MAX_CLASSES} are allowed. Merge some, or give it as continuous:{one.file}."
        )
    return tuple(classes.tolist())
