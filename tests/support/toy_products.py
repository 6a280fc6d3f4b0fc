"""A toy product for tests of many files: a folder ``*.TOY`` of bands, recognised by its B1."""

from pathlib import PurePath

import pytest

from anomvae.raster.products import RECOGNISERS, BandStack, ProductFiles, StackBand


def recognise_toy(name, options):
    """Recognise a folder ``*.TOY``, and any one file of it."""
    del options
    path = PurePath(name)
    root = path if path.suffix == ".TOY" else path.parent
    files = ProductFiles.of(str(root))
    if root.suffix != ".TOY" or "B1.tif" not in files.names:
        return None
    bands = tuple(StackBand(PurePath(file).stem, files.path(file)) for file in files.names)
    return BandStack(str(root), bands)


@pytest.fixture
def toys(monkeypatch):
    """Add the toy product for one test."""
    monkeypatch.setattr("anomvae.raster.products.RECOGNISERS", (recognise_toy, *RECOGNISERS))
