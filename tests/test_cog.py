"""Maps are laid out as cloud-optimised GeoTIFFs, each block compressed once; overviews of cells."""

import subprocess
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.shutil import copy
from rio_cogeo import cog_validate

from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Georeference, Layout, MapWriter, cog
from anomvae.raster.pyramid import Pyramid, blocks_of, shape_of_level

SCORES = Layout("float32", np.nan, ("score", "kl"), {"A": "b"}, overviews="maximum")
CLASSES = Layout("uint8", 255, ("flags",), overviews="mode", predictor=False)
UTM = CRS.from_epsg(32633).to_wkt(version="WKT2_2019")
PLACE = Grid((1100, 1600), (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), UTM)
SYSTEM_PYTHON = "/usr/bin/python3"


def drawn(layout, shape, seed=0):
    """Draw values of a layout, axes (band, row, col), a third of them without data."""
    rng = np.random.default_rng(seed)
    bands = len(layout.descriptions)
    values = rng.integers(0, 4, (bands, *shape)) + (
        rng.random((bands, *shape)) * (layout.dtype == "float32")
    )
    empty = np.broadcast_to(rng.random(shape) < 0.3, values.shape)
    return np.where(empty, layout.nodata, values).astype(layout.dtype)


def written(path, layout, values, size=(512, 512)):
    where = Georeference(Grid(values.shape[1:], PLACE.transform, PLACE.crs))
    with MapWriter(path, where, layout) as out:
        for tile in tiles(values.shape[1:], size):
            out.write(tile.keep, values[:, *tile.keep])
    return path


def shown(overviews, cell, nodata):
    """Return what an overview shows of a cell, (pixel,), by the words of its definition."""
    if overviews == "nearest":
        return cell[0]
    known = cell[np.isfinite(cell) & (cell != nodata)]
    if not known.size:
        return nodata
    if overviews == "mode":
        values, counts = np.unique(known, return_counts=True)
        return values[counts == counts.max()].max()
    return {"average": np.mean, "maximum": np.max, "minimum": np.min}[overviews](known)


def reduced(layout, values, level):
    """Return a level of one band, cell by cell."""
    rows, cols = shape_of_level(values.shape, level)
    side = 1 << level
    return np.array(
        [
            [
                shown(
                    layout.overviews,
                    values[row * side :, col * side :][:side, :side].ravel(),
                    layout.nodata,
                )
                for col in range(cols)
            ]
            for row in range(rows)
        ]
    )


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["average", "maximum", "minimum", "mode", "nearest"]),
    st.integers(0, 99),
)
def test_an_overview_shows_of_each_cell_what_the_layout_names_without_those_of_no_data(
    shape, overviews, seed
):
    classes = overviews in {"mode", "nearest"}
    kind = ("uint8", 255) if classes else ("float32", np.nan)
    layout = Layout(*kind, ("a", "b"), overviews=overviews)
    values = drawn(layout, shape, seed)
    pyramid = Pyramid(shape, 8, layout, Path(gettempdir()))

    for block, (rows, cols) in reversed(list(blocks_of(shape, 8))):
        pyramid.add(block, 0, values[:, rows, cols])

    for level in range(1, pyramid.levels + 1):
        expected = reduced(layout, values[1], level)
        for block, window in blocks_of(expected.shape, 8):
            got = pyramid.read(level, block, 1)
            np.testing.assert_allclose(got, expected[window], rtol=1e-6)
    assert max(shape_of_level(shape, pyramid.levels)) <= 8 or pyramid.levels == 3
    pyramid.close()


def levels_of(path):
    """Return what a file declares of each level, the raster first: its dataset stays open."""
    main = rasterio.open(path)
    return [main, *(rasterio.open(path, OVERVIEW_LEVEL=n) for n in range(len(main.overviews(1))))]


def block_places(dataset):
    """Return offset and size of each block, band by band and row by row."""
    return [
        tuple(
            int(dataset.get_tag_item(f"BLOCK_{item}_{col}_{row}", "TIFF", bidx=band))
            for item in ("OFFSET", "SIZE")
        )
        for band in dataset.indexes
        for (row, col), _ in dataset.block_windows(band)
    ]


@pytest.mark.parametrize("limit", [2**32, 10_000], ids=["classic", "big"])
@pytest.mark.parametrize("layout", [SCORES, CLASSES], ids=["scores", "classes"])
def test_directories_come_first_and_blocks_follow_from_the_smallest_overview_on(
    tmp_path, monkeypatch, layout, limit
):
    monkeypatch.setattr(cog, "CLASSIC_BYTES", limit)
    values = drawn(layout, PLACE.shape)
    path = written(tmp_path / "map.tif", layout, values)

    content, levels = path.read_bytes(), levels_of(path)
    directories = [int(one.get_tag_item("IFD_OFFSET", "TIFF", bidx=1)) for one in levels]
    blocks = [place for one in reversed(levels) for place in block_places(one)]

    assert content[2] == (42 if limit == 2**32 else 43)
    assert directories == sorted(directories)
    end = blocks[0][0] - 4
    assert end > directories[-1]
    for offset, size in blocks:
        assert offset == end + 4  # no gap, in this order
        assert int.from_bytes(content[end:offset], "little") == size
        end = offset + size + 4
        assert content[end - 4 : end] == content[end - 8 : end - 4]
    assert end == len(content)
    np.testing.assert_array_equal(levels[0].read(), values)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])


def test_the_ghost_area_is_that_of_gdal(tmp_path):
    path = written(tmp_path / "map.tif", SCORES, drawn(SCORES, (600, 700)))
    copy(str(path), str(tmp_path / "gdal.tif"), driver="COG", COMPRESS="ZSTD", PREDICTOR="YES")

    begins = [(tmp_path / name).read_bytes()[:192] for name in ("map.tif", "gdal.tif")]

    assert begins[0] == begins[1]
    assert b"LAYOUT=IFDS_BEFORE_DATA" in begins[0]


@pytest.mark.parametrize("layout", [SCORES, CLASSES], ids=["scores", "classes"])
def test_the_validator_of_gdal_finds_nothing(tmp_path, layout):
    try:
        subprocess.run([SYSTEM_PYTHON, "-c", "import osgeo_utils"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("Debian's python3-gdal is not installed")
    check = [SYSTEM_PYTHON, "-m", "osgeo_utils.samples.validate_cloud_optimized_geotiff"]
    path = written(tmp_path / "map.tif", layout, drawn(layout, PLACE.shape))

    done = subprocess.run([*check, "--full-check=yes", str(path)], capture_output=True, text=True)

    assert "is a valid cloud optimized GeoTIFF" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout


@pytest.mark.parametrize("error", [1e-3, 0.5])
def test_a_map_with_errors_is_smaller_and_errs_by_no_more(tmp_path, error):
    values = np.exp(np.random.default_rng(0).normal(1, 0.5, (2, 600, 700))).astype("float32")
    values[:, :300, :250] = np.nan
    lossless = written(tmp_path / "a.tif", SCORES, values)
    layout = Layout("float32", np.nan, ("score", "kl"), overviews="maximum", max_error=error)
    where = Georeference(Grid(values.shape[1:], PLACE.transform, UTM))

    with MapWriter(tmp_path / "b.tif", where, layout) as out:
        out.write((slice(0, 600), slice(0, 700)), values)
        seen = out.read_first((slice(0, 600), slice(0, 700)))

    with rasterio.open(tmp_path / "b.tif") as dataset:
        kept = dataset.read()
    assert (tmp_path / "b.tif").stat().st_size < lossless.stat().st_size * 0.7
    np.testing.assert_array_equal(np.isnan(kept), np.isnan(values))
    assert np.nanmax(np.abs(kept - values)) <= error + 1e-6  # of float32
    np.testing.assert_array_equal(seen, kept[0])  # flags are those of what is stored
