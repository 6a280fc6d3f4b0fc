"""Rasters of every kind that GDAL writes, and scenes read whole."""

import numpy as np
import rasterio
from hypothesis import HealthCheck, settings

from anomvae.pixels.tiling import whole
from anomvae.raster import Scene
from anomvae.raster.gdal import unwarned

in_folder = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
"""Settings of a property test that writes into one folder."""
UTM = {"crs": "EPSG:32618", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}


def make(path, values, *, describe=None, **options):
    """Write values, axes (band, row, col); `describe` changes the dataset before it is closed."""
    values = np.asarray(values)
    count, height, width = values.shape
    options = {"driver": "GTiff", "dtype": values.dtype, **options}
    with (
        unwarned(),
        rasterio.open(path, "w", count=count, height=height, width=width, **options) as dataset,
    ):
        dataset.write(values)
        if describe:
            describe(dataset)
    return path


def setting(**attributes):
    """Return a `describe` that sets attributes of the dataset."""

    def describe(dataset):
        for name, value in attributes.items():
            setattr(dataset, name, value)

    return describe


def ramp(count=2, rows=3, cols=4, dtype="uint8"):
    """Return 1, 2, 3, ..., axes (band, row, col)."""
    return np.arange(1, count * rows * cols + 1).reshape(count, rows, cols).astype(dtype)


def vrt(path, bands, shape=(3, 4)):
    """Write a VRT; `bands` are (type, inner XML)."""
    inner = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{number}">{xml}</VRTRasterBand>'
        for number, (kind, xml) in enumerate(bands, start=1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{shape[1]}" rasterYSize="{shape[0]}">{inner}</VRTDataset>'
    )
    return path


def source(file, band=1):
    """Return the XML of a band of a VRT that is a band of a file beside it."""
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="1">{file}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource>"
    )


def read(path, **options):
    """Read a whole scene of one date, axes (row, col, value)."""
    with Scene.of(path, **options).open() as opened:
        return opened.read(whole(opened.grid.shape))[0]


def bands_in(path):
    """Return the bands of a raster."""
    with Scene.of(path).open() as opened:
        return opened.bands


def is_sentence(error):
    """Return whether a caught error has one line that ends with a full stop."""
    return "\n" not in str(error.value) and str(error.value).endswith(".")
