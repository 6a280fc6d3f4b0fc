"""Rasters: the only package that reads and writes them.

A scene is read as blocks, axes (time, row, col, band), float32, NaN = no data; a map is written
window by window, axes (band, row, col), and becomes a valid COG or nothing.
"""

from .covariates import CovariateReader, SceneReader, absolute_specs, with_covariates
from .earth import in_degrees, on_earth, to_degrees
from .gdal import absolute_uri
from .georeference import Georeference
from .maps import AnomalyMap, read_labels, read_map
from .masks import NormalMask, open_normal
from .reader import RasterReader, stem_of
from .series import SeriesReader, opened_dates
from .writer import Category, Layout, MapWriter

__all__ = [
    "AnomalyMap",
    "Category",
    "CovariateReader",
    "Georeference",
    "Layout",
    "MapWriter",
    "NormalMask",
    "RasterReader",
    "SceneReader",
    "SeriesReader",
    "absolute_specs",
    "absolute_uri",
    "in_degrees",
    "on_earth",
    "open_normal",
    "opened_dates",
    "read_labels",
    "read_map",
    "stem_of",
    "to_degrees",
    "with_covariates",
]
