"""What a model card holds: facts of a model file, each None where the file does not have it.

Nothing here is guessed.  What no model file records is listed in `NOT_RECORDED`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...notebooks import short

if TYPE_CHECKING:
    from ...pixels.annulus import Annulus
    from ...pixels.band import Band
    from ...pixels.covariates import Covariates
    from ...stats.held_out import HeldOutRate
    from ...stats.latent import LatentStatistics
    from .sections import Section

NOT_RECORDED = (
    "acquisition dates of the training scenes, other than in their names",
    "masks that hid training pixels, and the masks of normal pixels",
    "names of the units of the bands: physical value = stored value x scale + offset",
    "evaluation against labels (`anomvae evaluate`, with RX beside it)",
    "sensitivity to planted spectra, which depends on a scene (`anomvae score --sensitivity`)",
    "licence and origin of the training data",
)
"""What no model file holds."""
CODE_LICENCE = "Apache-2.0"
"""Licence of anomvae; pyproject.toml has the same."""


@dataclass(frozen=True)
class Architecture:
    """What the model is made of."""

    family: str
    bands: int
    latent: int
    """Units of the code."""
    hidden: tuple[int, ...]
    """Widths of the encoder's layers; the decoder mirrors them."""
    parameters: int
    """Numbers in the tensors of the network."""
    likelihood: str
    radius: int
    """How far a score depends on its surroundings, pixels; 0: each pixel alone."""
    dates: int
    """Dates of an example; 1 for a family that does not compare dates."""
    patch: Annulus | None
    """Patch of `spatial`, and its guard window; None for others."""
    surroundings: Annulus | None
    """Annulus that the model is conditioned on; None where it is on none."""


@dataclass(frozen=True)
class TrainingBand:
    """A band, and its values in training, in data units."""

    band: Band
    low: float
    """The 1 % quantile."""
    median: float
    high: float
    """The 99 % quantile."""
    noise: float
    """Standard deviation of the noise that residuals are measured in."""


@dataclass(frozen=True)
class TrainingData:
    """What the model learnt from."""

    scenes: tuple[str, ...]
    """File names without folders; empty for arrays."""
    examples: int
    """Pixels, or series of pixels, that training read."""
    nodata: float
    """Share of the pixels of the training scenes that has no data."""
    pixel_area: float | None
    """Mean area of a pixel of the first scene, m2; None where it is not located."""
    bands: tuple[TrainingBand, ...]
    dropped: tuple[str, ...]
    """Bands of a single value, which the model does without."""
    covariates: Covariates
    drift: bool
    """Whether it keeps how far its training scenes lie from each other."""


@dataclass(frozen=True)
class History:
    """The course of training: means of about fifty equal parts, nats per pixel."""

    loss: tuple[float, ...]
    reconstruction: tuple[float, ...]
    """Error without the KL; empty in older files."""
    kl: tuple[float, ...]
    """KL without weight; empty in older files."""


@dataclass(frozen=True)
class Fitting:
    """How it was trained."""

    seed: int
    steps: int
    batch_size: int
    trim: float
    """Share of each batch, the worst by loss, that did not count."""
    beta: float
    """Weight of the KL in the loss."""
    warm_up: float
    """Share of training over which the weight of the KL rose to ``beta``."""
    free_bits: float
    """KL below which the loss was constant, nats."""
    elbo: float | None
    """Of held-out pixels, nats per pixel in scaled units, higher is better; None: not measured."""
    history: History
    latent: LatentStatistics
    settings: str | None
    """All settings but the device, TOML; None in older files."""


@dataclass(frozen=True)
class ScoreFacts:
    """What a score measures."""

    meaning: str
    """Its definition in a line."""
    kind: str
    draws: int
    """Draws from the posterior, of the kind ``iwae``; 0 for others."""
    noise: str
    """Noise model: ``unit``, ``band``, ``covariance``, or ``scene``, estimated on each scene."""
    kl_weight: float
    linear_weight: float
    """Weight of the linear term; 0: there is none."""
    local_contrast: Annulus | None
    """Annulus of the factor on the score; None without one."""


@dataclass(frozen=True)
class ThresholdFacts:
    """The threshold, its promise, and what was measured."""

    value: float | None
    """Scores above it are anomalous; None: it is chosen on each scored scene."""
    rule: str
    promise: float | None
    """Share of normal pixels that the rule promises to flag; None if it promises none."""
    share: float
    """Share above it of the pixels that it was chosen from."""
    pixels: int
    """Their number."""
    held_out: bool
    """Whether training read none of them."""
    measured: HeldOutRate | None
    """The rate on held-out blocks, with a 90 % interval; None where none were held out."""
    doubt: str
    """Why the promise is contradicted; empty where it is not."""


@dataclass(frozen=True)
class ScoreQuantiles:
    """Scores of normal pixels, which thresholds are chosen from."""

    levels: tuple[float, ...]
    values: tuple[float, ...]
    pixels: int


@dataclass(frozen=True)
class ModelCard:
    """What a model is for, what it was made of and from, and what is known of its errors.

    `sections` are its facts in words, `markdown` the same as a document, `to_dict` as JSON.
    """

    name: str | None
    """Name of the model file without its folder; None for a detector in memory."""
    id: str
    """The first twelve digits of ``digest``, as results of the model carry it."""
    digest: str
    """SHA-256 of the content of the model file as this version writes it."""
    purpose: tuple[str, ...]
    """What it is for, sentences."""
    limits: tuple[str, ...]
    """When not to use it, sentences."""
    architecture: Architecture
    data: TrainingData
    fitting: Fitting
    score: ScoreFacts
    threshold: ThresholdFacts | None
    """None before one is fitted."""
    scores: ScoreQuantiles | None
    """None before a threshold is fitted."""
    anomvae: str
    """Version of anomvae that wrote it."""
    torch: str
    """Version of torch that it was trained with."""
    reproduce: tuple[str, ...]
    """Commands that fit it again, given `Fitting.settings` as a file; empty in older files."""
    licence: str = CODE_LICENCE
    """Of the code of anomvae; that of the training data is not recorded."""
    not_recorded: tuple[str, ...] = NOT_RECORDED
    """What the file does not hold."""

    def __repr__(self) -> str:
        """Return one line."""
        model = self.architecture
        return f"ModelCard({short(self.name or self.id)}, {model.family}, {model.bands} bands)"

    @property
    def sections(self) -> tuple[Section, ...]:
        """Its facts in words, for documents and pages; texts are those of others, not escaped."""
        from .sections import sections_of

        return sections_of(self)

    @property
    def markdown(self) -> str:
        """The card as a document of Markdown."""
        from .markdown import markdown_of

        return markdown_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return its facts as JSON holds them; a fact that is not recorded is None."""
        return asdict(self)

    def _repr_markdown_(self) -> str:
        """Return the document, for notebooks."""
        return self.markdown
