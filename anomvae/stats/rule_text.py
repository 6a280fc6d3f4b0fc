"""The number of a rule and the condition behind it, as they are written."""

from __future__ import annotations

import re

import numpy as np

from ..errors import ConfigError
from .rules import Number

FLOAT32_MAX = float(np.finfo(np.float32).max)
CONDITION = re.compile(r"\+(?=\s*[a-z])")
"""Ends the rule itself; the + of 1e+20 does not."""
KM2 = "km2"
"""Unit of a budget that is an area."""


def read_number(written: str, number: Number | None, name: str, text: str) -> tuple[float, str]:
    """Read the number of a rule and its unit; 0 where it takes none."""
    if number is None:
        if written:
            raise ConfigError(f"threshold = {text!r}: {name} takes no number.")
        return 0.0, ""
    if not written and number.default is not None:
        return number.default, ""
    unit = KM2 if number.areas and written.endswith(KM2) else ""
    value = _float(written.removesuffix(unit))
    if not abs(value) <= FLOAT32_MAX:  # scores are float32; NaN fails, too
        example = f"{name}:{number.default or 500:g}"
        raise ConfigError(f"threshold = {text!r}: write a number behind it, such as {example}.")
    problem = number.problem(value)
    if problem:  # refused here, before hours of training
        raise ConfigError(f"threshold = {text!r} {problem}.")
    return value, unit


def number_text(number: float) -> str:
    """Write a number as briefly as it reads the same."""
    return str(number).removesuffix(".0")


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def parts_of(text: str) -> tuple[str, str]:
    """Part a rule from the condition behind it, which is empty where there is none."""
    main, condition = [*CONDITION.split(text, maxsplit=1), ""][:2]
    return main, condition


def condition_of(text: str) -> float:
    """Return K of the condition ``local:K`` of a rule; 0 where there is none.

    The rule itself may be one that this version does not know.

    Raises
    ------
    ConfigError
        If the condition is unknown.
    """
    return read_condition(parts_of(text)[1], text)


def read_condition(condition: str, text: str) -> float:
    """Read ``local:K``; 0 where there is no condition."""
    if not condition:
        return 0.0
    name, _, number = (part.strip() for part in condition.partition(":"))
    value = _float(number)
    if name != "local" or not 0 < value <= FLOAT32_MAX:
        raise ConfigError(
            f"threshold = {text!r}: behind + stands local:K, K above 0, such as local:2."
        )
    return value
