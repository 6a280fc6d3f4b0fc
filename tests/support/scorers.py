"""Detectors without training, and comparisons of what they write."""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import correlate

from anomvae.detector import Scores
from anomvae.pixels.bands import Bands, unnamed_bands
from anomvae.stats.domain import Domain
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import Threshold, parse_rule

from .rasters import BANDS

SIX = unnamed_bands(BANDS)
ONE = Threshold(1.0, 0.0, "fixed:1", 1, True)


@dataclass(frozen=True)
class Neighbours:
    """Scores a pixel by its distance to the mean of the window around it."""

    radius: int = 3
    id: str = "neighbours"
    meaning: str = "a distance, higher is more anomalous"
    layers: tuple = ("score", "reconstruction", "kl", "linear")
    bands: Bands = SIX
    covariates: tuple = ()
    threshold: Threshold = ONE
    scores: NormalScores | None = None
    domain: Domain | None = None
    device: str = "cpu"

    def require_dates(self, dates):
        """Accept any number."""

    def score(self, block):
        bands = block[..., : len(self.bands)]
        valid = np.isfinite(bands).all(axis=-1)
        filled = np.where(valid[..., None], bands, 0).astype(np.float64)
        window = np.ones((1, 2 * self.radius + 1, 2 * self.radius + 1, 1))
        total = correlate(filled, window, mode="constant")
        count = correlate(valid.astype(np.float64), window[..., 0], mode="constant")
        distance = np.abs(filled - total / np.maximum(count, 1)[..., None]).sum(axis=-1)
        scores = np.where(valid, distance, np.nan).astype(np.float32)
        return Scores.of(scores, np.zeros_like(scores), np.zeros_like(scores))


@dataclass(frozen=True)
class Changes(Neighbours):
    """Scores the newest of three dates by its distance to the mean of the others."""

    radius: int = 0
    id: str = "changes"

    def score(self, block):
        assert len(block) == 3
        change = np.abs(block - block[:-1].mean(axis=0)).sum(axis=-1)
        return Scores.of(change, np.zeros_like(change), np.zeros_like(change))


@dataclass(frozen=True)
class Failing(Neighbours):
    """Raises errors, in their order, then scores as `Neighbours` does."""

    errors: list[BaseException] = field(default_factory=list)
    step: str = "score"

    def require_dates(self, dates):
        self._fail("require_dates")

    def score(self, block):
        self._fail("score")
        return super().score(block)

    def _fail(self, step):
        if step == self.step and self.errors:
            raise self.errors.pop(0)


def ruled(rule):
    """Return a detector whose threshold a rule chooses from scores of a gamma distribution."""
    normal = NormalScores.of(np.random.default_rng(1).gamma(4, 0.02, 5000), held_out=True)
    return Neighbours(id=rule, threshold=parse_rule(rule).threshold(normal), scores=normal)


def same_files(one, other):
    """Whether two results have equal maps, objects and quick looks, byte for byte."""
    pairs = zip(one.written[:-1], other.written[:-1], strict=True)
    return all(first.read_bytes() == second.read_bytes() for first, second in pairs)


def content(folder):
    """Read every file in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
