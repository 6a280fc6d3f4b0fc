"""scikit-learn estimators of the detectors, on rows of pixels.

``X`` has shape (n_pixels, n_bands), data units, without NaN.  The signs are scikit-learn's: higher
is more normal, -1 is an outlier.  `anomaly_score` has the sign of the maps: higher is worse.  Rows
have no neighbours and no dates, so families that need them are refused; score blocks with
`Detector.score` instead.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..config import Config, build_config
from ..config.table import types_of
from ..detector import Detector, fit_detector
from ..detector.encoding import MEAN, Encoding
from ..errors import ConfigError
from ..models.plan import ModelPlan
from ..pixels.bands import Band, Bands, unnamed_bands
from ..pixels.views import Spectra
from ..stats.scores import NormalScores
from ..training.sampling import HELD_OUT, Sample
from .outliers import Array, RXDetector, ScoredOutliers, require_rows_rule

__all__ = ["RXDetector", "VAEDetector"]

DEFAULT = Config()
MODEL, TRAINING, SCORE = DEFAULT.model, DEFAULT.training, DEFAULT.score


class VAEDetector(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ScoredOutliers):
    """An autoencoder that scores spectra by reconstruction, KL and linear term, nats.

    Parameters
    ----------
    family, latent, hidden, likelihood
        As in the table ``[model]`` of a configuration; a family that takes each pixel alone.
    epochs, max_steps, batch_size, learning_rate, trim, beta
        As in the table ``[training]``.
    kind, noise, kl_weight, linear
        As in the table ``[score]``.
    threshold, device
        As in a configuration, but by default ``sigma:3``: scikit-learn's checks expect outliers
        among 300 rows of three normal distributions, and ``log-sigma:3`` flags none.  The threshold
        is fitted on all rows, of which training does not read a fifth.
    random_state : int, RandomState or None, default None
        Seed of weights, shuffling and held-out rows; an int repeats to the bit on one machine.

    Attributes
    ----------
    detector_ : Detector
        The fitted detector; ``detector_.save(path)`` writes a model file for the command line.
    columns_ : list of int
        Columns of ``X`` that the detector reads, from 0; the others have one value.
    mean_ : array of float32, shape (n_bands,)
        Mean of each column in training: what `inverse_transform` returns of a dropped band.
    offset_ : float
        Minus the threshold.
    n_features_in_ : int
        Number of bands.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes.
    An & Cho (2015), Variational autoencoder based anomaly detection using reconstruction
    probability.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 6))
    >>> vae = VAEDetector(max_steps=50, random_state=0).fit(X)
    >>> bool(vae.anomaly_score(X + 5).mean() > vae.anomaly_score(X).mean())
    True
    """

    def __init__(  # noqa: PLR0913 - scikit-learn asks for every parameter by name
        self,
        *,
        family: str = MODEL.family,
        latent: int | str = MODEL.latent,
        hidden: tuple[int, ...] | str = MODEL.hidden,
        likelihood: str = MODEL.likelihood,
        epochs: int = TRAINING.epochs,
        max_steps: int = TRAINING.max_steps,
        batch_size: int = TRAINING.batch_size,
        learning_rate: float = TRAINING.learning_rate,
        trim: float | str = TRAINING.trim,
        beta: float | str = TRAINING.beta,
        kind: str = SCORE.kind,
        noise: str = SCORE.noise,
        kl_weight: float = SCORE.kl_weight,
        linear: float | str = SCORE.linear,
        threshold: str = "sigma:3",
        device: str = DEFAULT.device,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.family = family
        self.latent = latent
        self.hidden = hidden
        self.likelihood = likelihood
        self.epochs = epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.trim = trim
        self.beta = beta
        self.kind = kind
        self.noise = noise
        self.kl_weight = kl_weight
        self.linear = linear
        self.threshold = threshold
        self.device = device
        self.random_state = random_state

    @classmethod
    def from_detector(cls, detector: Detector) -> VAEDetector:
        """Wrap a fitted detector, such as one read by `Detector.load`.

        ``X`` then has the detector's bands as columns, in their order.

        Raises
        ------
        ConfigError
            When its scores need neighbours or dates, or it has no threshold.
        """
        alone = type(detector.view) is Spectra
        _require_rows(detector.card.family, detector.radius, alone=alone)
        vae = cls(family=detector.card.family)
        vae.detector_ = detector
        vae.columns_ = list(range(len(detector.bands)))
        vae.n_features_in_ = len(detector.bands)
        if detector.bands.named:
            vae.feature_names_in_ = np.array(detector.bands.names, dtype=object)
        vae.mean_ = np.asarray(detector.scaler.centre, np.float32)
        vae.offset_ = -detector.threshold.value
        return vae

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn spectra that are mostly normal, and fit the threshold; ``y`` is ignored.

        Column names of a DataFrame become band names.

        Raises
        ------
        ConfigError
            When a parameter is unknown or impossible, or the family needs neighbours or dates.
        NotEnoughPixels
            When every band is constant.
        """
        plan = self._plan()
        rows = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        order = np.random.default_rng(seed).permutation(len(rows))
        held_out = np.zeros(len(rows), np.bool_)
        held_out[order[: max(1, round(HELD_OUT * len(rows)))]] = True
        sample = Sample(rows[~held_out], rows[held_out])
        detector = fit_detector(sample, self._bands(), plan, seed)
        self.columns_ = [index - 1 for index in detector.bands.indexes]
        self.mean_ = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        scores = detector.score_examples(rows[:, self.columns_]).total
        normal = NormalScores.of(scores, held_out=held_out)
        self.detector_ = detector.with_threshold(plan.threshold, normal)
        self.offset_ = -self.detector_.threshold.value
        return self

    def anomaly_score(self, X: ArrayLike) -> Array:
        """Return the anomaly score, nats, shape (n_pixels,): higher is worse, as in the maps."""
        examples = self._examples(X)
        return self.detector_.score_examples(examples).total.astype(np.float64)

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the posterior means, shape (n_pixels, latent)."""
        examples = self._examples(X)
        return self.detector_.encode(examples)

    def encode(
        self,
        X: ArrayLike,
        how: str = MEAN,
        *,
        n_samples: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.float32]:
        """Return codes, shape (n_pixels, latent): posterior means, draws, or averages of draws.

        Parameters
        ----------
        X : array, shape (n_pixels, n_bands)
            Spectra.
        how : {"mean", "sample", "average"}, default "mean"
            As `transform`; a draw from each posterior; or the mean of ``n_samples`` draws.
        n_samples : int, optional
            Draws of an average, by default 16.
        random_state : int or RandomState, optional
            Seed of the draws; by default that of the estimator.

        Raises
        ------
        ConfigError
            When a parameter does not fit, or the family has no posterior to draw from.
        """
        examples = self._examples(X)
        state = self.random_state if random_state is None else random_state
        seed = 0 if how == MEAN else int(check_random_state(state).randint(2**31 - 1))
        places = np.column_stack([np.arange(len(examples)), np.zeros(len(examples), int)])
        return Encoding(how, n_samples, seed).codes(self.detector_, examples, places).z

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.float32]:
        """Decode codes, shape (n_pixels, latent), to spectra in data units, (n_pixels, n_bands).

        A band that was dropped in training has its mean of the training pixels.
        """
        check_is_fitted(self)
        spectra = self.detector_.decode(check_array(Z, dtype=np.float32))
        rows = np.tile(self.mean_, (len(spectra), 1))
        rows[:, self.columns_] = spectra
        return rows

    def reconstruct(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the reconstructed spectra, data units, shape (n_pixels, n_bands).

        A band that was dropped in training is returned as it is.
        """
        rows = self._rows(X).copy()
        rows[:, self.columns_] = self.detector_.reconstruct(rows[:, self.columns_])
        return rows

    def sample(self, n_samples: int = 1) -> NDArray[np.float32]:
        """Draw spectra from the model, data units, shape (n_samples, kept bands)."""
        check_is_fitted(self)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return self.detector_.sample(n_samples, seed)

    @property
    def _n_features_out(self) -> int:
        return self.detector_.card.latent

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn has no stubs
        """Declare that `transform` returns float32."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _examples(self, X: ArrayLike) -> NDArray[np.float32]:
        rows = self._rows(X)
        return rows[:, self.columns_]

    def _plan(self) -> ModelPlan:
        parameters = self.get_params()
        data: dict[str, Any] = {
            name: {key: parameters[key] for key in types_of(type(table)) if key in parameters}
            for name, table in (("model", MODEL), ("training", TRAINING), ("score", SCORE))
        }
        data |= {"threshold": self.threshold, "device": self.device}
        plan = ModelPlan.of(build_config(data, "VAEDetector"))
        alone = type(plan.view) is Spectra and plan.context is None
        _require_rows(plan.name, 0, alone=alone)
        require_rows_rule(plan.threshold)
        return plan

    def _bands(self) -> Bands:
        if not hasattr(self, "feature_names_in_"):
            return unnamed_bands(self.n_features_in_)
        items = tuple(Band(i, name) for i, name in enumerate(self.feature_names_in_, start=1))
        return Bands(items, source=len(items), named=True)


def _require_rows(family: str, radius: int, *, alone: bool) -> None:
    if radius or not alone:
        what = "This detector" if alone else f"family = {family!r}"
        raise ConfigError(
            f"{what} needs neighbours or dates, which rows of pixels do not have. "
            f"Train it on rasters (anomvae.train) and use Detector.score on blocks."
        )
