"""Translate model files of format 1, which anomvae 0.1 wrote: the same content, other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

KEYS = {
    "": {"dead": "dropped", "prominence": "weighting"},
    "context": {
        "ring": "annulus",
        "means": "mean_components",
        "spreads": "std_components",
        "limit": "clip_sigma",
    },
    "weighting": {"ring": "annulus", "contrast": "local_contrast", "novelty": "latent_distance"},
    "training": {"batch": "batch_size", "code": "latent"},
}
"""New key by the old one, for the card and for its tables."""
KINDS = {"numbers": "continuous", "classes": "categorical"}
TENSORS = {
    "context.spread": "context.std",
    "model.context_network.unseen": "model.context_network.missing",
    "scaler.spread": "scaler.std",
}


def renamed_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card of format 1 with the keys and words of format 2."""
    new = _renamed("", card)
    for table in KEYS.keys() & new.keys():
        new[table] = _renamed(table, new[table])
    if new["likelihood"] == "unit":
        new["likelihood"] = "mse"
    if "threshold" in new:
        rule = new["threshold"]["rule"].replace("clipped:", "sigma-clip:")
        new["threshold"] = {**new["threshold"], "rule": rule}
    if "covariates" in new:
        new["covariates"] = [
            {**one, "kind": KINDS.get(one["kind"], one["kind"])} for one in new["covariates"]
        ]
    return new


def renamed_tensors(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the tensors of format 1 under the names of format 2."""
    return {TENSORS.get(name, name): array for name, array in tensors.items()}


def _renamed(table: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {KEYS[table].get(key, key): value for key, value in data.items()}
