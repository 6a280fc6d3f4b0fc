"""What is decided about a file, and guessed about a product, each in one line of the log."""

from __future__ import annotations

import logging

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from .product_facts import ProductFacts
from .validity import Validity

log = logging.getLogger(__name__)


def log_decisions(name: str, handle: DatasetReader, validity: Validity) -> None:
    """Log how a file called ``name`` is read; call it within a session of GDAL."""
    if validity.masks:
        log.info("%s: pixels are masked by %s", name, ", ".join(validity.masks))
    for index in validity.alphas:
        log.warning(
            "%s declares band %d as alpha, and it looks like a mask, so it hides pixels. If it "
            "holds data, declare it as such (gdal_edit.py -colorinterp_%d undefined).",
            *(name, index, index),
        )
    for index in validity.alpha_data:
        log.warning(
            "%s declares band %d as alpha, but it has many values, so it is read as data. Declare "
            "it as such (gdal_edit.py -colorinterp_%d undefined); if it is a mask with soft edges, "
            "extract it (gdal_translate -b %d) and give it as --mask.",
            *(name, index, index, index),
        )
    if ColorInterp.palette in handle.colorinterp:
        log.warning(
            "%s has a colour table; its numbers are read as they are. "
            "Expand it first if the colours are meant (gdal_translate -expand rgb).",
            name,
        )


def log_guesses(name: str, facts: ProductFacts) -> None:
    """Warn of what the files of the product called ``name`` leave open."""
    for sentence in facts.guessed:
        log.warning("%s: %s.", name, sentence)
