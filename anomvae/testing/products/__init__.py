"""Products as agencies distribute them, written from one physical cube.

`WRITERS` has a row for each product that `anomvae.raster.products` recognises: the same cube
written as each must be read with the same values, mask, wavelengths, place and date.  To add one,
write a module with a `ProductWriter` and a row here.
"""

from .cf import HDF5, NetCDF3, NetCDF4
from .cube import ProductCube, draw_cube
from .desis import DESIS
from .emit import EMIT
from .enmap import EnMAP
from .envi import EnviCube, HeaderBesideGeoTIFF
from .hls import Hls
from .landsat import Landsat
from .prisma import PRISMA, PRISMAL1
from .sentinel2 import Sentinel2
from .stac import StacWriter
from .writer import GeoTIFF, ProductWriter

WRITERS: tuple[ProductWriter, ...] = (
    GeoTIFF(),
    NetCDF4(),
    NetCDF3(),
    HDF5(),
    EMIT(),
    Sentinel2("L2A"),
    Sentinel2("L1C"),
    EnviCube(),
    HeaderBesideGeoTIFF(),
    Landsat(),
    Landsat("L1TP", mission=8),
    Hls(),
    EnMAP(),
    DESIS(),
    PRISMA(),
    PRISMAL1(),
    StacWriter(),
)

__all__ = [
    "DESIS",
    "EMIT",
    "HDF5",
    "PRISMA",
    "PRISMAL1",
    "WRITERS",
    "EnMAP",
    "EnviCube",
    "GeoTIFF",
    "HeaderBesideGeoTIFF",
    "Hls",
    "Landsat",
    "NetCDF3",
    "NetCDF4",
    "ProductCube",
    "ProductWriter",
    "Sentinel2",
    "StacWriter",
    "draw_cube",
]
