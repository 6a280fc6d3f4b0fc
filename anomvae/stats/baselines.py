"""Baselines: plain detectors, fitted to the scene that they score.

A baseline is a row of `BASELINES`; a `Method` is one with its settings.  Fitted to a stream of the
scene's valid spectra, each part (n, band), it scores blocks (row, col, band), data units, NaN = no
data.  One that compares dates is fitted to series (n, time, band), and scores blocks (time, row,
col, band).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, hint
from ..pixels.annulus import Annulus
from ..pixels.views import Block
from .blocks import Array, Spectra, of_valid
from .chronochrome import NewestGivenBefore, fit_chronochrome
from .collaborative import Collaborative
from .local_rx import LocalRX
from .moments import stream_statistics
from .rx import fit_robust_rx, fit_rx
from .spectral_baselines import Forest, PrincipalComponents, Stream, sample_of

LARGEST_WINDOW = 101
SERIES = 65_536
"""Series that the chronochrome is fitted to, at most."""


class BlockScorer(Protocol):
    """A fitted baseline."""

    def score(self, block: Spectra) -> Array:
        """Return one score for each pixel of a block, axes (row, col), higher = more anomalous.

        The block is what `Method.given` returns.

        NaN where a band is NaN, or there is no score for another reason.
        """


class _OfSpectra(Protocol):
    def score(self, x: Spectra) -> NDArray[Any]: ...


@dataclass(frozen=True)
class PixelByPixel:
    """Scores each pixel of a block alone."""

    fitted: _OfSpectra
    """Scores spectra (n, band)."""

    def score(self, block: Spectra) -> Array:
        """Return the score of each pixel, axes (row, col); NaN where a band is NaN."""
        return of_valid(self.fitted.score, block)


@dataclass(frozen=True)
class Baseline:
    """A row of the table."""

    meaning: str
    """Definition of the score, with its unit."""
    fit: Callable[[Stream, Method], BlockScorer]
    """Fits it to a scene."""
    annulus: Annulus | None = None
    """The default surroundings of a pixel; None: it scores each pixel alone."""
    penalty: float | None = None
    """The default weight of its regularisation; None: it has none."""
    dates: int = 1
    """Dates that it is given, the scored one included, at most; it needs two of them, or one."""


@dataclass(frozen=True)
class Method:
    """A baseline and its settings; `of` makes one."""

    name: str
    """A name in `BASELINES`."""
    annulus: Annulus | None = None
    """The surroundings of a pixel; None: it scores each pixel alone."""
    penalty: float | None = None
    """The weight of its regularisation; None: it has none."""

    @classmethod
    def of(
        cls,
        name: str,
        window: tuple[int, int] | None = None,
        penalty: float | None = None,
    ) -> Method:
        """Choose a baseline by name, with other settings than its defaults.

        ``window`` are the sides of the outer and of the guard window, pixels.

        Raises
        ------
        ConfigError
            If the name is unknown, the baseline has no such setting, or a setting is impossible.
        """
        require_baselines([name])
        row = BASELINES[name]
        if window is not None and row.annulus is None:
            raise ConfigError(
                f"{name} scores each pixel alone and has no window: leave it out, or choose "
                f"{_some(lambda row: row.annulus is not None)}."
            )
        if penalty is not None and row.penalty is None:
            raise ConfigError(
                f"{name} has no regularisation: leave its weight out, or choose "
                f"{_some(lambda row: row.penalty is not None)}."
            )
        annulus = row.annulus if window is None else _checked_window(*window)
        return cls(name, annulus, row.penalty if penalty is None else _checked_penalty(penalty))

    @property
    def radius(self) -> int:
        """Receptive radius of a score, pixels."""
        return 0 if self.annulus is None else self.annulus.radius

    @property
    def dates(self) -> int:
        """Dates that it is given, the scored one included, at most."""
        return BASELINES[self.name].dates

    def require_dates(self, dates: int) -> None:
        """Require that a scene has as many dates as it scores.

        Raises
        ------
        ConfigError
            If there are more than one, or one for a baseline that compares dates.
        """
        if dates > 1 and self.dates == 1:
            raise ConfigError(
                f"{self.name} scores one date, but {dates} are given. Give the one to score, or "
                f"choose {_some(lambda row: row.dates > 1)}."
            )
        if dates == 1 and self.dates > 1:
            raise ConfigError(
                f"{self.name} compares the newest date with those before it, but one date is "
                f"given. Give two or more rasters of one site, or choose rx."
            )

    def given(self, block: Block) -> Spectra:
        """Return what it is given of a block (time, row, col, band): the newest date, or dates."""
        return block[-1] if self.dates == 1 else block[-self.dates :]

    def examples(self, block: Block) -> Spectra:
        """Return what it is fitted to, (n, ..., band), with data in every band of the newest."""
        valid = np.isfinite(block[-1]).all(axis=-1)
        given = self.given(block)
        return np.asarray(given[valid] if self.dates == 1 else np.moveaxis(given, 0, 2)[valid])

    @property
    def meaning(self) -> str:
        """Definition of the score, with its settings, one line."""
        text = f"{self.name}: {BASELINES[self.name].meaning}"
        if self.annulus is not None:
            text += f"; window {self.annulus.outer}, guard {self.annulus.guard} pixels"
        return text if self.penalty is None else f"{text}; regularisation {self.penalty:g}"

    def fit(self, stream: Stream) -> BlockScorer:
        """Fit it to a stream of spectra, one at least, without NaN."""
        return BASELINES[self.name].fit(stream, self)


def _local_rx(stream: Stream, method: Method) -> BlockScorer:
    assert method.annulus is not None
    assert method.penalty is not None
    return LocalRX(fit_rx(stream()), method.annulus, method.penalty)


def _collaborative(stream: Stream, method: Method) -> BlockScorer:
    assert method.annulus is not None
    assert method.penalty is not None
    std = stream_statistics(stream()).std
    scale = float(np.sqrt(np.mean(std**2)))
    return Collaborative(scale or 1.0, method.annulus, method.penalty)


BASELINES: Mapping[str, Baseline] = {
    "rx": Baseline(
        "squared Mahalanobis distance to the mean of the scene, no unit",
        lambda stream, _: PixelByPixel(fit_rx(stream())),
    ),
    "rrx": Baseline(
        "squared Mahalanobis distance by moments without the furthest 5 % of the pixels, no unit",
        lambda stream, _: PixelByPixel(fit_robust_rx(stream)),  # keeps 8 bytes per spectrum
    ),
    "local-rx": Baseline(
        "squared Mahalanobis distance to the pixels around, no unit",
        _local_rx,
        annulus=Annulus(21, 7),
        penalty=1.0,
    ),
    "crd": Baseline(
        "residual of the representation by the pixels around, standard deviations of the scene",
        _collaborative,
        annulus=Annulus(15, 7),
        penalty=0.01,
    ),
    "acd": Baseline(
        "squared Mahalanobis distance to the linear prediction by the dates before, no unit",
        lambda stream, _: NewestGivenBefore(fit_chronochrome(sample_of(stream, SERIES))),
        dates=9,
    ),
    "pca": Baseline(
        "squared residual beyond ten principal components, variances of a band",
        lambda stream, _: PixelByPixel(PrincipalComponents.of(stream)),
    ),
    "iforest": Baseline(
        "anomaly score of an isolation forest, 0 to 1",
        lambda stream, _: PixelByPixel(Forest.of(stream)),
    ),
}


def require_baselines(names: Iterable[str]) -> None:
    """Raise ConfigError when a name is not that of a baseline."""
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"No baseline is called {name!r}. {hint(name, BASELINES)}")


def _some(wanted: Callable[[Baseline], bool]) -> str:
    return " or ".join(name for name, row in BASELINES.items() if wanted(row))


def _checked_window(outer: int, guard: int) -> Annulus:
    odd = outer % 2 == 1 and guard % 2 == 1
    if not (odd and 1 <= guard < outer <= LARGEST_WINDOW):
        raise ConfigError(
            f"window = {outer},{guard}: give two odd sides, the outer window larger than the guard "
            f"window and {LARGEST_WINDOW} pixels at most, as in 21,7."
        )
    return Annulus(outer, guard)


def _checked_penalty(penalty: float) -> float:
    if not 1e-9 <= penalty <= 1e9:
        raise ConfigError(
            f"regularisation = {penalty:g}: give a weight from 1e-9 to 1e9; less would leave the "
            f"result to rounding."
        )
    return penalty
