"""Reading and writing of rasters: the only room that calls GDAL.

A user names a `Scene`; an `OpenScene` reads blocks, axes (time, row, col, value), float32, NaN = no
data.  A `MapWriter` writes a map window by window, axes (band, row, col), as a valid COG or not at
all.
"""

from .access import UNLIMITED, Access
from .band_tags import BandTags, spectral_tags
from .dataset import Dataset
from .earth import in_degrees, on_earth, to_degrees
from .georeference import Georeference
from .ground import Ground, ground_of
from .layout import Category, Layout
from .limits import Limits
from .maps import OpenMap, open_labels, open_map, read_labels
from .masks import identify_normal
from .open_scene import OpenScene
from .product_facts import ProductFacts
from .products import ArrayProduct, BandStack, Product, StackBand
from .raster_dataset import open_raster
from .scene import Scene
from .scenes import scenes_of
from .selection import EVERYTHING, Selection
from .writer import MapWriter

__all__ = [
    "EVERYTHING",
    "UNLIMITED",
    "Access",
    "ArrayProduct",
    "BandStack",
    "BandTags",
    "Category",
    "Dataset",
    "Georeference",
    "Ground",
    "Layout",
    "Limits",
    "MapWriter",
    "OpenMap",
    "OpenScene",
    "Product",
    "ProductFacts",
    "Scene",
    "Selection",
    "StackBand",
    "ground_of",
    "identify_normal",
    "in_degrees",
    "on_earth",
    "open_labels",
    "open_map",
    "open_raster",
    "read_labels",
    "scenes_of",
    "spectral_tags",
    "to_degrees",
]
