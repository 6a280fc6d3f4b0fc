"""Kinds of scores of a pixel, as configurations name them.

elbo            reconstruction + KL at the posterior mean, the terms of the evidence lower bound
reconstruction  its reconstruction term alone (An & Cho 2015, at the posterior mean)
kl              its KL term alone
iwae:K          the importance weighted bound of K draws (Burda, Grosse & Salakhutdinov 2016)
latent          the Mahalanobis distance of the code to those of the training pixels
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError, hint
from .limits import MAX_DRAWS

ELBO, RECONSTRUCTION, KL, IWAE, LATENT = "elbo", "reconstruction", "kl", "iwae", "latent"
KINDS = (ELBO, RECONSTRUCTION, KL, IWAE, LATENT)


@dataclass(frozen=True)
class ScoreKind:
    """What a score measures."""

    name: str = ELBO
    """One of `KINDS`."""
    draws: int = 0
    """Draws from the posterior, of ``iwae``; 0: others draw nothing."""

    @property
    def meaning(self) -> str:
        """The terms of the score, in words."""
        return {
            ELBO: "reconstruction + kl",
            RECONSTRUCTION: "reconstruction",
            KL: "kl",
            IWAE: f"reconstruction + kl (importance weighted bound of {self.draws} draws)",
            LATENT: "kl (half the squared Mahalanobis distance of the code)",
        }[self.name]

    def __str__(self) -> str:
        """Return the kind as a configuration names it."""
        return f"{self.name}:{self.draws}" if self.draws else self.name


def parse_kind(text: str) -> ScoreKind:
    """Read a kind, as in ``iwae:16``.

    Raises
    ------
    ConfigError
        If there is no such kind, or it has a number of draws where none belongs, or none where one
        does.
    """
    name, colon, number = text.strip().partition(":")
    if name not in KINDS:
        raise ConfigError(f"score.kind = {text!r} is unknown. {hint(name, KINDS)}")
    if name != IWAE and not colon:
        return ScoreKind(name)
    draws = int(number) if number.isdecimal() and len(number) <= len(str(MAX_DRAWS)) else 0
    if name != IWAE or not 1 <= draws <= MAX_DRAWS:
        example = f"iwae:K with K from 1 to {MAX_DRAWS}, such as iwae:16" if name == IWAE else name
        raise ConfigError(f"score.kind = {text!r}: give {example}.")
    return ScoreKind(name, draws)
