"""What scoring without torch must show: a table of aims, with what `benchmarks.speed` measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.speedtables import (
    BEFORE,
    BUSY,
    RX,
    SMALL,
    TORCH,
    Timing,
    Timings,
    scoring,
    tile_scoring,
)

LARGE = (12, 30.0)
"""Bands and Mpixel of a large scene."""
FITTED = (205, 0.01)
"""The same of the scene of `detect`."""
NATIVE = scoring("band", "native")


class Aim(NamedTuple):
    """A row of the table."""

    what: str
    """The figure and its unit."""
    before: str
    """Before there were programs, as it was recorded."""
    least: str
    """What is wanted."""
    physical: str
    """What the machine allows."""
    figure: Callable[[Timings], list[float | None]]
    """What was measured; None, or NaN: nothing."""


def _of(
    what: str, scene: tuple[int, float], *names: str
) -> Callable[[Timings], list[float | None]]:
    """Return fields of the timing of a work."""

    def figure(timings: Timings) -> list[float | None]:
        one = timings.find(what, *scene)
        return [None if one is None else getattr(one, name) for name in names]

    return figure


def _saved(timings: Timings) -> list[float | None]:
    """Return the processor seconds of scoring over those before, or of the engine of torch."""
    one = timings.find("score", *LARGE)
    two = timings.find(f"score{BEFORE}", *LARGE) or timings.find(TORCH, *LARGE)
    return [None if one is None or two is None else one.cpu / two.cpu]


def _us_of_pixel(timings: Timings) -> list[float | None]:
    one: Timing | None = timings.find(tile_scoring("small-objects", "native"), LARGE[0])
    return [None if one is None else one.cpu / one.pixels * 1e6]


AIMS = (
    Aim(
        "scoring / product of matrices, one core: 12 bands",
        *(".22-.34", ".70", "1.0"),
        lambda timings: [timings.of_product(NATIVE, 12)],
    ),
    Aim(
        "the same, 200 bands",
        *(".48-.54", ".80", "1.0"),
        lambda timings: [timings.of_product(NATIVE, 200)],
    ),
    Aim(
        f"scoring / {RX}, per processor second: 12; 200 bands",
        *(".3-.5; 1.8", ".95; 2.8", "1.3; 3.4"),
        lambda timings: [timings.per_cpu(NATIVE, RX, bands) for bands in (12, 200)],
    ),
    Aim(
        "score of 96 x 96, 12 bands: CPU s; MB",
        *("3.4-4; 397", ".7; 120", ".25; "),
        _of("score", SMALL, "cpu", "peak"),
    ),
    Aim("score of 30 Mpixel, 12 bands: CPU s / before", "1", ".50", ".27", _saved),
    Aim("the same, MB", "850", "460", "", _of("score", LARGE, "peak")),
    Aim("detect of 100 x 100, 205 bands: s", "7.4", "5", "", _of("detect", FITTED, "seconds")),
    Aim(
        "the same, every core busy: CPU s",
        *("48-62", "9", ""),
        _of(f"detect{BUSY}", FITTED, "cpu"),
    ),
    Aim("small-objects, a tile of 12 bands: us a pixel", "3.0", "1.2", "", _us_of_pixel),
    Aim(
        "monitor run, 3 new scenes of 96 x 96: CPU s",
        *("9", "1.5", ""),
        _of("monitor run, 3 new scenes", SMALL, "cpu"),
    ),
)


def aims(timings: Timings) -> list[str]:
    """Return the table of the aims that were measured; nothing where none was."""
    rows = [(aim, _text(aim.figure(timings))) for aim in AIMS]
    lines = [
        f"| {aim.what} | {aim.before} | {aim.least} | {aim.physical} | {measured} |"
        for aim, measured in rows
        if measured
    ]
    head = ["| figure | before | aim | physical | measured |", "| --- | --- | --- | --- | --- |"]
    return ["\n".join([*head, *lines])] if lines else []


def _text(figures: list[float | None]) -> str:
    """Write figures apart; empty where one is unknown."""
    known = [one for one in figures if one is not None and not math.isnan(one)]
    return "; ".join(f"{one:.3g}" for one in known) if len(known) == len(figures) else ""
