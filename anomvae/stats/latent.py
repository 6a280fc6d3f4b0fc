"""How much of its code a model uses: what `info` tells, and when it is too little."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVE = 0.01  # nats; a unit below it says nothing that the prior does not
FEWEST = 1.5  # codes; below, nearly all examples have the same one


@dataclass(frozen=True)
class LatentStatistics:
    """What a code carries, averaged over training examples; empty where it has no prior."""

    units: tuple[float, ...] = ()
    """KL of each latent unit, nats, to four decimals."""
    levels: tuple[float, ...] = ()
    """The same summed over each level of a hierarchy, from the top."""
    perplexity: float | None = None
    """exp(entropy of the codes that examples have): how many codes are as good as in use."""

    @property
    def active(self) -> int:
        """Units whose KL exceeds .01 nats."""
        return sum(kl > ACTIVE for kl in self.units)

    @property
    def collapse(self) -> str | None:
        """Say what is wrong with a code that carries nothing, and what to do; else None."""
        if self.units and not self.active:
            return (
                f"The code collapsed: none of {len(self.units)} latent units carries {ACTIVE:g} "
                f"nats, so every pixel is reconstructed alike. Set training.beta = 1, "
                f"training.kl_warm_up = 0.5 or training.free_bits = 1."
            )
        if self.perplexity is not None and self.perplexity < FEWEST:
            return (
                f"The code collapsed: nearly all pixels have the same one (perplexity "
                f"{self.perplexity:g}), so they are reconstructed alike. Train on more pixels, or "
                f"with a smaller training.trim."
            )
        return None


NO_LATENT_STATISTICS = LatentStatistics()
