"""The detector: bands, scaling, model, noise and threshold in one; arrays in, scores out.

For an example ``x`` in scaled units, with the code at its posterior mean::

    reconstruction = 1/2 (r - c)' S^-1 (r - c),  r = x - mean(x | z)     nats, >= 0
    kl             = kl_weight * KL(q(z | x) || p(z))                    nats, >= 0
    score          = reconstruction + kl                                 nats, higher = more unusual

The noise model (c, S) is told in `anomvae.noise`.  The reconstruction term is -log p(x | z) minus
its value at the mode, so 0 is a perfect reconstruction.  Nothing is drawn while scoring.

Blocks have axes (time, row, col, band), examples (n, ..., band), both float32 in data units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bands import Bands
from ..errors import BandMismatch, ConfigError, ModelFileError, listed
from ..families import Sizes, family_named
from ..files import write_atomically
from ..modelfile import Card, ModelFile, read_model, to_bytes
from ..models import FEWEST_OUTPUTS, Autoencoder
from ..noise import Noise
from ..pixels import Block, View
from ..scaling import Scaler
from ..thresholds import Rule, ScoreDistribution, Threshold, describe_scores
from ..tiling import Tile

CHUNK = 1024
"""Examples per pass.  Each pass has this very shape, padded: the matrix kernels then give an
example the same bits whatever its neighbours, the tile and the number of threads."""

Array = NDArray[np.float32]


class Scores(NamedTuple):
    """Scores of a block, axes (time, row, col), nats; NaN = no data."""

    total: Array
    """The score: exactly the sum of the two terms."""
    reconstruction: Array
    """The reconstruction term."""
    kl: Array
    """The KL term, with its weight."""

    def inner(self, tile: Tile) -> Scores:
        """Cut the halo of a tile off."""
        rows, cols = tile.inner
        return Scores(*(term[:, rows, cols] for term in self))


@dataclass(frozen=True, eq=False)
class Detector:
    """A fitted detector."""

    card: Card
    """What it is, in words and numbers."""
    scaler: Scaler
    """Data units to scaled units."""
    model: Autoencoder
    """The trained autoencoder, in evaluation mode."""
    noise: Noise
    """What counts as a large residual."""
    band_quantiles: NDArray[np.float64]
    """Quantiles of the training examples per band, (level, band), data units."""
    scores: ScoreDistribution | None = None
    """Scores of normal pixels that thresholds are chosen from; none before they are fitted."""

    @property
    def bands(self) -> Bands:
        """The bands a scene must have."""
        return self.card.bands

    @property
    def threshold(self) -> Threshold:
        """The cut-off; `with_threshold` fits one."""
        if self.card.threshold is None:
            raise ConfigError("The detector has no threshold yet. Fit one with `with_threshold`.")
        return self.card.threshold

    @property
    def view(self) -> View:
        """What an example is."""
        return family_named(self.card.family).view()

    @property
    def reach(self) -> int:
        """How far a score looks sideways, pixels: the halo a tile needs."""
        return self.view.reach + self.model.reach

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits that tell this detector from any other."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:12]

    def score(self, block: Block) -> Scores:
        """Score a block of shape (time, row, col, band); NaN where data lack."""
        where = self.view.where(block)
        terms = self.score_examples(self.view.split(block, where))
        reconstruction, kl = (self.view.join(term, where) for term in terms)
        return Scores(reconstruction + kl, reconstruction, kl)

    @torch.inference_mode()
    def score_examples(self, x: Array) -> tuple[Array, Array]:
        """Give reconstruction and KL term of examples (n, ..., band) without NaN, each (n, ...)."""
        terms = [self._terms(part) for part in self._passes(x)]
        return _joined([r for r, _ in terms], len(x)), _joined([kl for _, kl in terms], len(x))

    @torch.inference_mode()
    def encode(self, x: Array) -> Array:
        """Give the posterior means of examples (n, ..., band), shape (n, ..., latent)."""
        return _joined([self.model.encode(part).z for part in self._passes(x)], len(x))

    @torch.inference_mode()
    def reconstruct(self, x: Array) -> Array:
        """Give the means of p(x | z) at the posterior means, data units, the shape of ``x``."""
        means = [self.model.decode(self.model.encode(part).z) for part in self._passes(x)]
        return self.scaler.unscale(_joined(means, len(x)))

    @torch.inference_mode()
    def sample(self, count: int, seed: int) -> Array:
        """Draw examples from the model: codes from the prior, noise from the likelihood.

        Parameters
        ----------
        count : int
            Examples to draw.
        seed : int
            Decides which.

        Returns
        -------
        array, shape (count, band)
            Data units.

        Raises
        ------
        ConfigError
            If the family has no prior to draw from.
        """
        if not self.model.has_prior:
            raise ConfigError(
                f"model.family = {self.card.family!r} has no prior, so nothing can be drawn from "
                f"it. Train a family that has one, such as 'vae'."
            )
        draw = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.card.latent, generator=draw).to(self.device)
        mean = self.model.decode(z)
        noise = torch.randn(mean.shape, generator=draw).to(self.device)
        x = mean + noise * self.model.likelihood.sigma
        return self.scaler.unscale(x.cpu().numpy())

    def with_threshold(
        self, rule: Rule, scores: Array | None = None, *, held_out: bool
    ) -> Detector:
        """Choose the cut-off anew.

        Parameters
        ----------
        rule : Rule
            How.
        scores : array, optional
            Scores of normal pixels, any shape; without them those already kept.
        held_out : bool
            Whether the detector was fitted without these pixels.
        """
        known = self.scores if scores is None else describe_scores(scores)
        if known is None:
            raise ConfigError("The detector has no scores yet: give those of normal pixels.")
        card = replace(self.card, threshold=rule.threshold(known, held_out))
        return replace(self, card=card, scores=known)

    def to(self, device: str) -> Detector:
        """Compute elsewhere, on ``cpu`` or ``cuda``."""
        return replace(self, model=deepcopy(self.model).to(available(device)))

    def to_bytes(self) -> bytes:
        """Give the content of the model file; equal detectors give equal bytes."""
        tensors = {
            "bands.quantiles": self.band_quantiles,
            "noise.centre": self.noise.centre,
            "noise.whitening": self.noise.whitening,
            "scaler.centre": self.scaler.centre,
            "scaler.spread": self.scaler.spread,
        }
        if self.scores is not None:
            tensors |= {"scores.values": self.scores.values, "scores.weights": self.scores.weights}
        weights = {f"model.{k}": v.cpu().numpy() for k, v in self.model.state_dict().items()}
        return to_bytes(ModelFile(self.card, tensors | weights))

    def save(self, path: str | Path) -> None:
        """Write the detector to one safetensors file, whole or not at all.

        Raises
        ------
        RasterError
            If the file cannot be written.
        """
        write_atomically(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Detector:
        """Read a detector from its file.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, foreign, a pickle, or of a newer format.
        """
        file = read_model(path)
        try:
            return _assemble(file)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"{path} does not hold the detector its card describes ({error}). "
                f"Copy it again, or train it again."
            ) from error

    def _passes(self, x: Array) -> Iterator[Tensor]:
        """Give scaled examples in passes of one shape, the last one padded; at least one pass."""
        if x.shape[-1] != len(self.bands):
            raise BandMismatch(
                f"The array has {x.shape[-1]} bands, but this detector was trained on "
                f"{len(self.bands)} ({listed(self.bands.names)}). Give these, in this order."
            )
        for start in range(0, max(1, len(x)), CHUNK):
            part = np.zeros((CHUNK, *x.shape[1:]), np.float32)
            some = x[start : start + CHUNK]
            part[: len(some)] = self.scaler.scale(some)
            yield torch.from_numpy(part).to(self.device)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = self.model.encode(x)
        centre, whitening = self._residuals
        residual = x - self.model.decode(code.z) - centre
        white = residual @ whitening if whitening.ndim == 2 else residual * whitening
        return 0.5 * white.square().sum(-1), self.card.kl_weight * code.kl

    @cached_property
    def _residuals(self) -> tuple[Tensor, Tensor]:
        arrays = (self.noise.centre, self.noise.whitening)
        centre, whitening = (torch.from_numpy(a).float().to(self.device) for a in arrays)
        spare = max(0, FEWEST_OUTPUTS - whitening.shape[-1]) if whitening.ndim == 2 else 0
        return centre, torch.nn.functional.pad(whitening, (0, spare))  # for the reason in `Dense`


def available(name: str) -> torch.device:
    """Give a device that is there.

    Raises
    ------
    ConfigError
        If there is no such device.
    """
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device = {name!r}: this machine has no CUDA GPU. Use cpu.")
    return torch.device(name)


def _joined(parts: list[Tensor], count: int) -> Array:
    """Put passes together and cut the padding off."""
    return np.asarray(torch.cat(parts)[:count].cpu().numpy())


def _assemble(file: ModelFile) -> Detector:
    card, tensors = file.card, file.tensors
    sizes = Sizes(len(card.bands), card.latent, card.hidden)
    model = family_named(card.family).build(sizes, learn_noise=card.likelihood == "gaussian")
    weights = {k: torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()})
    scores = None
    if card.threshold is not None:
        scores = ScoreDistribution(tensors["scores.values"], tensors["scores.weights"])
    return Detector(
        card,
        Scaler(tensors["scaler.centre"], tensors["scaler.spread"]),
        model.eval(),
        Noise(tensors["noise.centre"], tensors["noise.whitening"]),
        tensors["bands.quantiles"],
        scores,
    )
