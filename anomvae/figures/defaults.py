"""Isolation of what is drawn from the settings that a user or a host program gave matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def matplotlib_defaults(style: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw with the defaults of matplotlib and numpy, changed by a style, and without warnings.

    The settings of the host are back afterwards.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a text may need any font
        from matplotlib import rc_context, rcParamsDefault

        settings: Any = {key: rcParamsDefault[key] for key in rcParamsDefault if key != "backend"}
        settings.update(style or {})
        with rc_context(settings):
            yield
