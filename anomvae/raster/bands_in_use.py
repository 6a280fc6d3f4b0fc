"""Which bands of a scene are in use: those of a detector, those that a user names, or good ones."""

from __future__ import annotations

import logging

from ..errors import listed
from ..pixels.bands import Bands

log = logging.getLogger(__name__)


def bands_in_use(scene: Bands, name: str, wanted: Bands | None, *, named: bool) -> Bands:
    """Choose among the bands of a scene called ``name``; the log counts those that are bad.

    Parameters
    ----------
    scene : Bands
        All data bands, or those that a user names.
    name : str
        The scene's name.
    wanted : Bands, optional
        Those of a detector.
    named : bool
        Whether ``scene`` holds the bands that a user names; these count even where they are bad.

    Raises
    ------
    BandMismatch
        When a band of the detector is missing, or the scene contradicts itself.
    ConfigError
        When all bands are bad.
    """
    if wanted is None and not named:
        return _good(scene, name)
    used = scene if wanted is None else wanted.find_in(scene, name)
    if used.bad:
        log.warning(
            "%s marks %d of the bands in use as bad (%s): %s",
            *(name, len(used.bad), _reasons(used), _names(used)),
        )
    return used


def _good(bands: Bands, name: str) -> Bands:
    if bands.bad:
        log.info(
            "%s: %d of %d bands are bad (%s) and dropped: %s. --bands uses those it names.",
            *(name, len(bands.bad), len(bands), _reasons(bands), _names(bands)),
        )
    return bands.good


def _reasons(bands: Bands) -> str:
    return listed(list(dict.fromkeys(band.bad for band in bands.bad)), most=3)


def _names(bands: Bands) -> str:
    return listed([band.name for band in bands.bad])
