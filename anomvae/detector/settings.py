"""The settings that a detector was fitted with, as its card keeps them."""

from __future__ import annotations

from dataclasses import replace

from ..config import Config
from ..documents import read_json
from .card import Card


def settings_of(card: Card, where: str) -> Config | None:
    """Return the settings of a detector, as resolved when it was fitted; None in older files.

    The rule of the threshold is that of the card, which may have been chosen since; the device is
    the default one.  ``where`` is their source, for messages.

    Raises
    ------
    ConfigError
        When this version does not know a setting.
    """
    if not card.training.config:
        return None
    config = Config.read(read_json(card.training.config), where)
    rule = config.threshold if card.threshold is None else card.threshold.rule
    return replace(
        config, training=replace(config.training, trim=card.training.trim), threshold=rule
    )
