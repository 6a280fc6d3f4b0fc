"""How a term is shared among its parts."""

from __future__ import annotations

from .arithmetic import Arithmetic, Values


def shared(total: Values, shares: Values, a: Arithmetic) -> Values:
    """Share a term (n, ...) in proportion to ``shares`` (n, ..., part), equally where all are 0."""
    whole = shares.sum(-1)[..., None]
    equal = 1 / max(1, shares.shape[-1])
    some = whole > 0
    share = a.names.where(some, shares / a.names.where(some, whole, 1.0), equal)
    return total[..., None] * share
