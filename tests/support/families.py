"""Rows of the table of families for tests that repeat for each."""

import pytest

from anomvae.models.families import FAMILIES

TRAINED_OTHERWISE = {"beta-vae", "vae-gan"}
"""Families that differ from ``vae`` in the objective of training alone; all their parts are its."""


def rows(names=tuple(FAMILIES)):
    """Return names of families; those that only train otherwise are slow."""
    return [
        pytest.param(name, marks=pytest.mark.slow) if name in TRAINED_OTHERWISE else name
        for name in names
    ]
