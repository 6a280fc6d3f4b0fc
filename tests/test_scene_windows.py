"""A block does not depend on the windows it is read by."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from support.scene_files import UTM, in_folder, make, read

from anomvae.raster import Scene

DEGREES = {"crs": "EPSG:4326", "transform": rasterio.Affine(2e-4, 0, -74.9995, 0, -2e-4, 36.144)}
SHAPE = (300, 60)
LAYOUTS = {
    "strips": {},
    "pixels together": {"interleave": "pixel"},
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 32},
    "compressed": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def large(request, tmp_path_factory):
    """Return a scene with nodata, a mask and covariates on another grid, and its whole block."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 9, (3, *SHAPE)).astype("int16")
    hills = rng.normal(500, 90, (1, 140, 40)).astype("float32")
    make(folder / "a.tif", values, nodata=5, **UTM, **LAYOUTS[request.param])
    make(folder / "mask.tif", rng.integers(0, 5, (1, *SHAPE)).astype("uint8"))
    make(folder / "dem.tif", hills, nodata=hills[0, 50, 20], **DEGREES)
    covariates = [folder / "dem.tif", f"categorical:{folder / 'dem.tif'}", "day:2024-06-01"]
    scene = Scene.of(folder / "a.tif", mask=folder / "mask.tif", covariates=covariates)
    block = read(scene)
    hidden = np.isnan(block[..., :5]).mean(axis=(0, 1))
    assert ((hidden > 0) & (hidden < 1)).all()
    return scene, block


def parts(side):
    """Draw half-open parts that together are an axis."""
    cuts = st.sets(st.integers(1, side - 1), max_size=4)
    return cuts.map(lambda c: list(zip([0, *sorted(c)], [*sorted(c), side], strict=True)))


@in_folder
@given(rows=parts(SHAPE[0]), cols=parts(SHAPE[1]))
def test_windows_that_tile_a_scene_give_the_block_of_the_whole(large, rows, cols):
    scene, block = large
    rebuilt = np.zeros_like(block)

    with scene.open() as opened:
        for window in ((slice(*row), slice(*col)) for row in rows for col in cols):
            rebuilt[window] = opened.read(window)[0]

    np.testing.assert_array_equal(rebuilt, block)
