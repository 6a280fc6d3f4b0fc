"""What of a detector leaves anomvae: a program of single spectra, with bands and threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError
from ..pixels.bands import Bands
from ..program import Program
from ..stats.rule_text import condition_of
from ..stats.thresholds import Threshold


@dataclass(frozen=True, eq=False)
class Exported:
    """The parts of a detector that its exports hold."""

    program: Program
    """Its scoring program, which is dense and has no features of a context."""
    bands: Bands
    """Its bands, as the training files store them."""
    threshold: Threshold
    """Its threshold, chosen from scores of normal pixels."""
    quantiles: NDArray[np.float64]
    """Quantiles of the training pixels, (level, band), data units."""
    id: str
    """Digest of the model file."""
    family: str
    """Name of its family."""
    meaning: str
    """What its score is, in one line."""
    pixel_area: float | None
    """Mean area of a training pixel, m2; None: not known."""

    @classmethod
    def of(cls, detector: Detector) -> Exported:
        """Take what is exported of a detector.

        Raises
        ------
        ConfigError
            If its score or its threshold depends on more than the bands of a pixel.
        """
        needs = _needs(detector)
        if needs:
            raise ConfigError(
                f"This model cannot be exported: its score depends on {needs}, and an exported "
                f"one scores each pixel by its bands alone. Use `anomvae score`, or train a model "
                f"with the default configuration and --set score.noise=band."
            )
        _require_fixed(detector.threshold)
        card = detector.card
        return cls(
            program=detector.program,
            bands=detector.bands,
            threshold=detector.threshold,
            quantiles=detector.band_quantiles,
            id=detector.id,
            family=card.family,
            meaning=detector.meaning,
            pixel_area=card.training.pixel_area,
        )


def _needs(detector: Detector) -> str:
    """Return what else than the bands of a pixel a score depends on; empty: nothing."""
    if detector.covariates:
        return "covariates"
    if detector.card.noise == "scene":
        return "the noise of the scene"
    if detector.context is not None or detector.card.weighting is not None:
        return "the surroundings of a pixel"
    if detector.program.context is not None:
        return "other dates" if detector.compares_dates else "the surroundings of a pixel"
    return "" if detector.program.dense else f"the kind of score {detector.card.kind}"


def _require_fixed(threshold: Threshold) -> None:
    """Refuse a threshold that a single score cannot be compared with, with a ConfigError."""
    if threshold.provisional or threshold.pending or condition_of(threshold.rule):
        raise ConfigError(
            f"The threshold {threshold.rule} depends on the scene that is scored, and an exported "
            f"model knows one pixel. Give another rule, as in --threshold log-sigma:3."
        )
