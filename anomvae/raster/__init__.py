"""Reading and writing of rasters: the only room that calls GDAL.

A user names a `Scene`; an `OpenScene` reads blocks, axes (time, row, col, value), float32, NaN = no
data.  A `MapWriter` writes a map window by window, axes (band, row, col), as a valid COG or not at
all.
"""

from .dataset import open_raster
from .earth import in_degrees, on_earth, to_degrees
from .georeference import Georeference
from .maps import AnomalyMap, read_labels, read_map
from .open_scene import OpenScene
from .products import BandStack, Product
from .scene import Scene, scenes_of
from .writer import Category, Layout, MapWriter

__all__ = [
    "AnomalyMap",
    "BandStack",
    "Category",
    "Georeference",
    "Layout",
    "MapWriter",
    "OpenScene",
    "Product",
    "Scene",
    "in_degrees",
    "on_earth",
    "open_raster",
    "read_labels",
    "read_map",
    "scenes_of",
    "to_degrees",
]
