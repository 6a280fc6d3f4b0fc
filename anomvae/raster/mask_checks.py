"""What is doubtful about a mask, each in one line of the log: a bounded part of it is read."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import spread_windows
from .mask_rules import Zero

if TYPE_CHECKING:
    from .layer_masks import LayerMask

log = logging.getLogger(__name__)

SIDE = 256
"""Side of a window that is read, pixels: scenes of 1024 x 1024 pixels are read whole."""
LISTED = 6
"""Most values of a histogram that are listed."""


def log_doubts(mask: LayerMask, shape: tuple[int, int]) -> None:
    """Warn where a mask on a grid of ``shape`` is not what its rule expects.

    A mask without classes should have two values, and hide some pixels but not all.  Classes and
    bits should be defined.
    """
    values = np.concatenate([mask.values(window).ravel() for window in spread_windows(shape, SIDE)])
    sample = _Sample(values)
    if isinstance(mask.rule, Zero):
        _log_binary(mask, sample)
        return
    unknown = values[mask.rule.unknown(values)]
    if unknown.size:
        log.warning(
            "%s holds values that are no class or bit of its kind: %s of %d pixels read. They hide "
            "no pixel by themselves; check that it is such a mask.",
            *(mask.dataset.name, sample.histogram(unknown), values.size),
        )


@dataclass(frozen=True)
class _Sample:
    """Values of a mask, shape (n,)."""

    values: NDArray[np.float32]

    def histogram(self, part: NDArray[np.float32]) -> str:
        """Describe the most frequent values of a part, with their shares of all."""
        known = part[np.isfinite(part)]
        numbers, counts = np.unique(known, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        shares = [
            f"{number:g} ({100 * count / self.values.size:.3g} %)"
            for number, count in zip(numbers[order][:LISTED], counts[order][:LISTED], strict=True)
        ]
        shares += ["..."] * (numbers.size > LISTED)
        empty = part.size - known.size
        shares += [f"no data ({100 * empty / self.values.size:.3g} %)"] * bool(empty)
        return ", ".join(shares)


def _log_binary(mask: LayerMask, sample: _Sample) -> None:
    values, name = sample.values, mask.dataset.name
    number = np.unique(values[np.isfinite(values)]).size
    if number > 2:
        log.warning(
            "%s is read as a mask of two values, 0 or no data = hidden, and has %d: %s. If these "
            "are classes, name them: --mask scl:FILE, qa_pixel:FILE, fmask:FILE, or "
            "classes:FILE=NUMBERS of those to hide.",
            *(name, number, sample.histogram(values)),
        )
        return
    hidden = int(mask.rule.hides(values).sum())
    if hidden in {0, values.size}:
        log.warning(
            "%s hides %s of %d pixels read: %s. 0 or no data is hidden, any other number is not.",
            *(name, "all" if hidden else "none", values.size, sample.histogram(values)),
        )
