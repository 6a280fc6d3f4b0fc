"""Small rasters on disk, a detector of their kind, and the command line, for several tests."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import rasterio
from affine import Affine
from click.testing import CliRunner

from anomvae.cli import main
from anomvae.config import shipped
from anomvae.raster.gdal import unwarned

from .scene_files import make, setting

BANDS = 6
NODATA = -1.0
QUICK = ("training.max_steps=120", "training.trim=0")
SAMPLES = shipped("data_samples")


def land(shape=(40, 48), bands=BANDS, seed=0):
    """Mix three materials smoothly, with noise, axes (band, row, col)."""
    rng = np.random.default_rng(seed)
    materials = np.random.default_rng(99).uniform(0.1, 0.6, (3, bands))
    rows, cols = np.mgrid[: shape[0], : shape[1]] / max(shape)
    turn = rng.uniform(0, 6, 3)
    weights = np.stack([1 + np.sin(5 * rows + 4 * cols * k + turn[k]) for k in range(3)])
    mixed = np.tensordot(materials.T, weights / weights.sum(axis=0), axes=1)
    return (mixed + rng.normal(0, 0.01, mixed.shape)).astype("float32")


def plant(values, row=10, col=12):
    """Put a 2 x 2 object of another material in, and a row without data at the top."""
    planted = values.copy()
    planted[:, row : row + 2, col : col + 2] = np.linspace(0.9, 0.1, len(values))[:, None, None]
    planted[:, 0] = NODATA
    return planted


def write(path, values, names=None, scales=None, **profile):
    """Write values, axes (band, row, col), as a GeoTIFF in UTM."""
    given = {"descriptions": names, "scales": scales}
    describe = setting(**{name: value for name, value in given.items() if value is not None})
    utm = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
    return make(path, values, describe=describe, **{"nodata": NODATA} | utm | profile)


def write_labels(path, shape=(40, 48), row=10, col=12):
    """Write the labels that belong to `plant`."""
    labels = np.zeros((1, *shape), "uint8")
    labels[0, row : row + 2, col : col + 2] = 1
    return write(path, labels, nodata=255)


def bands_of(path):
    """Read all bands of a raster as they are stored, axes (band, row, col)."""
    with unwarned(), rasterio.open(path) as dataset:
        return dataset.read()


@cache
def trained(config="default"):
    """Fit a detector to made-up land; once for all tests of a process."""
    import tempfile

    import anomvae
    from anomvae.config import resolve_config

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "normal.tif", land())
        return anomvae.train([path], resolve_config(config, QUICK).config)


def run(*arguments):
    """Run the command line in this process."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)
