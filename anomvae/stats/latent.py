"""Latent statistics: how much information a model's code carries, and when it has collapsed."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVE = 0.01  # nats; a unit with less equals its prior
FEWEST_CODES = 1.5  # codes; below it, nearly all examples have the same code


@dataclass(frozen=True)
class LatentStatistics:
    """Information in the code, averaged over training examples; empty without a prior."""

    units: tuple[float, ...] = ()
    """KL of each latent unit, nats, to four decimals."""
    levels: tuple[float, ...] = ()
    """The same summed over each level of a hierarchy, from the top."""
    perplexity: float | None = None
    """exp(entropy of the codes of all examples): the effective number of codes."""

    @property
    def active(self) -> int:
        """Units with a KL above 0.01 nats."""
        return sum(kl > ACTIVE for kl in self.units)

    @property
    def collapse(self) -> str | None:
        """Explain that the code has collapsed, with advice; None if it has not."""
        if self.units and not self.active:
            return (
                f"The code collapsed: none of {len(self.units)} latent units carries {ACTIVE:g} "
                f"nats, so every pixel is reconstructed alike. Set training.beta = 1, "
                f"training.kl_warm_up = 0.5 or training.free_bits = 1."
            )
        if self.perplexity is not None and self.perplexity < FEWEST_CODES:
            return (
                f"The code collapsed: nearly all pixels have the same one (perplexity "
                f"{self.perplexity:g}), so they are reconstructed alike. Train on more pixels, or "
                f"with a smaller training.trim."
            )
        return None


NO_LATENT_STATISTICS = LatentStatistics()
