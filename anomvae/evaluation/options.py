"""How maps are measured: options of evaluations."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError
from ..stats.block_bootstrap import DRAWS
from ..stats.roc3d import require_normalisation


@dataclass(frozen=True)
class EvaluateOptions:
    """How a map is measured beyond its pixels.

    Raises
    ------
    ConfigError
        When a value is impossible.

    Examples
    --------
    >>> EvaluateOptions(overlap=0.5, block=32).overlap
    0.5
    """

    overlap: float = 0.0
    """Least share of an object that must overlap for it to count as found or true, in [0, 1]; 0:
    one pixel is enough."""
    block: int | None = None
    """Side of the blocks of the bootstrap, pixels; None: the longer side of the scene over 32, at
    least 16."""
    draws: int = DRAWS
    """Draws of the bootstrap; 0: no intervals."""
    seed: int = 0
    """Seed of the bootstrap."""
    tau: str = "minmax"
    """Normalisation of scores for the 3D ROC, ``minmax`` or ``log``."""

    def __post_init__(self) -> None:
        """Check the values."""
        require_normalisation(self.tau)
        for name, fits, range_ in (
            ("overlap", 0 <= self.overlap <= 1, "in [0, 1]"),
            ("block", self.block is None or self.block > 0, "above 0"),
            ("draws", self.draws == 0 or self.draws >= 100, "0, or 100 and more"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not fits:
                value = getattr(self, name)
                raise ConfigError(f"{name} = {value} is impossible. Give a number {range_}.")


DEFAULT = EvaluateOptions()
"""What is measured by default."""
