"""How the values of bands are stored in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Storage:
    """How values are stored: ``value = stored * scale + offset``; each has axis (band,)."""

    scale: tuple[float, ...]
    """Scale of each band."""
    offset: tuple[float, ...]
    """Offset of each band."""

    @property
    def states_scale(self) -> bool:
        """Whether a band has a scale."""
        return any(scale != 1 for scale in self.scale)

    @property
    def states_offset(self) -> bool:
        """Whether a band has an offset."""
        return any(offset != 0 for offset in self.offset)

    @property
    def states_nothing(self) -> bool:
        """Whether no band has a scale or an offset."""
        return not (self.states_scale or self.states_offset)

    def then(self, factor: float, offset: float) -> Storage:
        """Return how ``value * factor + offset`` is stored."""
        return Storage(
            tuple(scale * factor for scale in self.scale),
            tuple(own * factor + offset for own in self.offset),
        )
