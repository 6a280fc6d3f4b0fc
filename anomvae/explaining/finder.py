"""What scores the pixels of a scene by their likeness to a target."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import Block, Spectra
from ..stats.domain import Domain
from ..stats.target import LAYERS, Target
from ..stats.thresholds import Rule, Threshold

VIEW = Spectra()


@dataclass(frozen=True, eq=False)
class Finder:
    """Scores pixels by ACE and matched filter, with the covariance that a detector has learnt."""

    detector: Detector
    """Has the background."""
    spectrum: NDArray[np.float32]
    """The target, (band,), data units."""
    name: str
    """What the target is, for messages and tags."""
    rule: Rule
    """Chooses the threshold, from the scores of the scene."""
    target: Target
    """The target, whitened."""
    scores: None = None
    radius: int = 0
    layers: tuple[str, ...] = LAYERS

    @classmethod
    def of(cls, detector: Detector, spectrum: NDArray[np.float32], name: str, rule: Rule) -> Finder:
        """Make a spectrum (band,), data units, a target.

        Raises
        ------
        ConfigError
            If the detector has no covariance, or the target is the mean of its background.
        """
        target = Target(detector.whiten(spectrum[np.newaxis])[0].astype(np.float64))
        if not target.energy:
            raise ConfigError(
                f"The target, {name}, is the mean of the spectra that the model was trained on: "
                f"it does not differ from the background. Give another one."
            )
        return cls(detector, spectrum, name, rule, target)

    @property
    def id(self) -> str:
        """Identity: detector and target."""
        digest = hashlib.sha256(f"like {self.detector.id} {self.rule} {self.name}".encode())
        digest.update(self.spectrum.tobytes())
        return digest.hexdigest()[:12]

    @property
    def bands(self) -> Bands:
        """Bands of the detector."""
        return self.detector.bands

    @property
    def covariates(self) -> Covariates:
        """Covariates of the detector, so that scenes are opened as it has them."""
        return self.detector.covariates

    @property
    def meaning(self) -> str:
        """Definition of the score, one line."""
        return (
            f"score = ACE, the squared cosine of the angle to the target ({self.name}) by the "
            f"covariance of model {self.detector.id}, 0 to 1, higher is more like it"
        )

    @property
    def domain(self) -> Domain | None:
        """What the detector keeps of its training scenes, but for its scores: these are others."""
        domain = self.detector.domain
        return None if domain is None else replace(domain, scores=None)

    @property
    def threshold(self) -> Threshold:
        """The rule alone: the value is chosen when the scene is scored."""
        return Threshold(math.nan, math.nan, str(self.rule), 0, False)

    def require_dates(self, dates: int) -> None:
        """Require as many dates as the detector does."""
        self.detector.require_dates(dates)

    def score(self, block: Block) -> tuple[NDArray[np.float32], ...]:
        """Return the layers of a block, each (time, row, col); NaN without data."""
        spectra = block[..., : len(self.bands)]
        where = VIEW.where(spectra)
        whitened = self.detector.whiten(np.asarray(VIEW.split(spectra, where)[:]))
        return tuple(VIEW.join(layer, where) for layer in self.target.score(whitened))
