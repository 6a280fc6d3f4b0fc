"""What is decided about the bands of a file, each in one line of the log."""

from __future__ import annotations

import logging

from rasterio.enums import ColorInterp

from ..errors import listed
from ..pixels.bands import Bands
from .dataset import Dataset
from .description import bad_bands_of

log = logging.getLogger(__name__)


def log_decisions(dataset: Dataset, bands: Bands) -> None:
    """Log how a file is read whose ``bands`` are in use; call it within a session of GDAL."""
    if dataset.validity.masks:
        log.info("%s: pixels are masked by %s", dataset.name, ", ".join(dataset.validity.masks))
    for index in dataset.validity.alphas:
        log.warning(
            "%s declares band %d as alpha, and it looks like a mask, so it hides pixels. If it "
            "holds data, declare it as such (gdal_edit.py -colorinterp_%d undefined).",
            *(dataset.name, index, index),
        )
    for index in dataset.validity.alpha_data:
        log.warning(
            "%s declares band %d as alpha, but it has many values, so it is read as data. Declare "
            "it as such (gdal_edit.py -colorinterp_%d undefined); if it is a mask with soft edges, "
            "extract it (gdal_translate -b %d) and give it as --mask.",
            *(dataset.name, index, index, index),
        )
    if ColorInterp.palette in dataset.handle.colorinterp:
        log.warning(
            "%s has a colour table; its numbers are read as they are. "
            "Expand it first if the colours are meant (gdal_translate -expand rgb).",
            dataset.name,
        )
    marked = bad_bands_of(dataset.handle)
    bad = [band.name for band in bands if band.index in marked]
    if bad:
        log.warning(
            "%s marks %d of the bands in use as bad (bbl): %s. Choose others by --bands.",
            *(dataset.name, len(bad), listed(bad)),
        )
