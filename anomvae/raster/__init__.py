"""Rasters: the only package that reads and writes them.

A scene is read as blocks, axes (time, row, col, band), float32, NaN = no data; a map is written
window by window, axes (band, row, col), and becomes a valid COG or nothing.
"""

from .gdal import everywhere
from .georeference import Georeference
from .maps import AnomalyMap, read_labels, read_map
from .masks import NormalMask, open_normal
from .reader import RasterReader, stem_of
from .series import SeriesReader
from .writer import Category, Layout, MapWriter

__all__ = [
    "AnomalyMap",
    "Category",
    "Georeference",
    "Layout",
    "MapWriter",
    "NormalMask",
    "RasterReader",
    "SeriesReader",
    "everywhere",
    "open_normal",
    "read_labels",
    "read_map",
    "stem_of",
]
