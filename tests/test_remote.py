"""Rasters on a server: a short failure is overcome, a lasting one leaves nothing but an error."""

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from support.rasters import bands_of, land, plant, run, trained, write
from support.servers import served

import anomvae
from anomvae.errors import RasterError
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles, whole
from anomvae.raster import BandStack, Scene, StackBand, open_raster, raster_dataset
from anomvae.raster.gdal import NETWORK, is_remote, session
from anomvae.raster.warped import warped


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Retry at once, as GDAL does."""
    monkeypatch.setattr(raster_dataset, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")


@pytest.fixture
def folder(tmp_path):
    """Hold a raster that takes several requests."""
    values = plant(land((400, 400)))
    tiled = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "DEFLATE"}
    write(tmp_path / "scene.tif", values, **tiled)
    return tmp_path


def read_in_tiles(path):
    with Scene.of(path).open() as opened:
        strips = tiles(opened.grid.shape, (128, 400))
        return np.concatenate([opened.read(tile.read) for tile in strips], 1)


def stacked(url):
    return BandStack("scene", (StackBand("band_1", url),))


TRANSIENT = ["", "429:2,4", "500:1,3", "503:2-3", "drop:1", "drop:3,5", "drop:3-5"]


@pytest.mark.parametrize(
    ("product", "trouble"), [*((str, trouble) for trouble in TRANSIENT), (stacked, "drop:3,5")]
)
def test_a_server_that_fails_now_and_then_gives_the_same_pixels(folder, product, trouble):
    with served(folder, *trouble.split()) as url:
        block = read_in_tiles(product(f"{url}/scene.tif"))

    np.testing.assert_array_equal(block, read_in_tiles(product(str(folder / "scene.tif"))))


def test_a_map_of_a_remote_scene_is_that_of_the_file(folder):
    tiled = anomvae.ScoreOptions(tile=128)

    with served(folder, "drop:4-5") as url:
        remote = anomvae.score_scene(trained(), f"{url}/scene.tif", folder / "remote", tiled)
    local = anomvae.score_scene(trained(), folder / "scene.tif", folder / "local", tiled)

    np.testing.assert_array_equal(bands_of(remote.path), bands_of(local.path))


@pytest.mark.parametrize("troubles", ["404:1-", "403:1-", "500:1-", "404:4-", "500:4-", "drop:4-"])
def test_a_lasting_failure_ends_with_3_and_leaves_nothing(folder, troubles):
    model, out = folder / "model.safetensors", folder / "out"
    trained().save(model)

    with served(folder, troubles) as url:
        ran = run("score", f"{url}/scene.tif", "-m", model, "-o", out, "--tile", 128)

    assert ran.code == 3, ran.err
    *warnings, error = ran.err.splitlines()
    assert all(line.startswith("WARNING: CPLE_AppDefined") for line in warnings)  # GDAL's attempts
    assert error.startswith(f"Error: {url}/scene.tif cannot be ")
    assert not out.exists()


@pytest.mark.parametrize("product", [str, pytest.param(stacked, marks=pytest.mark.slow)])
def test_a_server_that_stalls_is_abandoned(folder, monkeypatch, product):
    for setting, value in {"LOW_SPEED_TIME": "1", "MAX_RETRY": "0"}.items():
        monkeypatch.setitem(NETWORK, f"GDAL_HTTP_{setting}", value)
    monkeypatch.setattr(raster_dataset, "PAUSES", ())
    with (
        served(folder, "stall:2-") as url,
        pytest.raises(RasterError, match="The server or the network fails"),
    ):
        read_in_tiles(product(f"{url}/scene.tif"))


def test_a_warped_raster_is_read_again_on_the_same_grid(folder):
    grid = Grid((90, 80), (2e-4, 0, 15.002, 0, -2e-4, 36.14), CRS.from_epsg(4326).to_wkt())

    def warp(path):
        with open_raster(path) as source, warped(source, grid, "scene", nearest=True) as on_grid:
            return on_grid.read(source.bands, whole(grid.shape))

    with served(folder, "drop:3-6") as url:
        values = warp(f"{url}/scene.tif")

    np.testing.assert_array_equal(values, warp(folder / "scene.tif"))
    assert np.isfinite(values).any()


def test_a_mask_file_beside_a_remote_raster_is_applied(folder):
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"),
        rasterio.open(folder / "scene.tif", "r+") as scene,
    ):
        scene.nodata = None
        scene.write_mask(np.tri(400, dtype=bool))

    with served(folder) as url:
        block = read_in_tiles(f"{url}/scene.tif")

    assert np.isnan(block[0, 0, 1:]).all()
    assert np.isfinite(block[0, -1, 1:]).all()


def test_an_object_store_is_read_by_its_own_name(folder, monkeypatch):
    (folder / "eo").mkdir()
    (folder / "scene.tif").rename(folder / "eo" / "scene.tif")
    with served(folder) as url:
        monkeypatch.setenv("AWS_S3_ENDPOINT", url.removeprefix("http://"))
        for option in ("HTTPS=NO", "VIRTUAL_HOSTING=FALSE", "NO_SIGN_REQUEST=YES"):
            monkeypatch.setenv(*f"AWS_{option}".split("="))
        block = read_in_tiles("s3://eo/scene.tif")

    np.testing.assert_array_equal(block, read_in_tiles(folder / "eo" / "scene.tif"))


HERE = ["a.tif", "/a.tif", "file:///a", 'NETCDF:"a.nc":t2m', "/vsizip/a.zip/b.tif", "/vsimem/b"]
THERE = ["https://a.b/c.tif", "s3://a/b", "/vsicurl/https://a.b/c.tif", "/vsizip//vsis3/a.zip/b"]


@pytest.mark.parametrize("name", HERE + THERE)
def test_a_name_on_a_server_is_remote(name):
    assert is_remote(name) is (name in THERE)


def test_settings_of_the_user_for_gdal_take_precedence(monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "7")
    monkeypatch.delenv("GDAL_HTTP_TIMEOUT", raising=False)

    with rasterio.Env(GDAL_HTTP_CONNECTTIMEOUT="1"), session(remote=True):
        chosen = rasterio.env.getenv()

    assert "GDAL_HTTP_MAX_RETRY" not in chosen  # that of the environment stays
    assert chosen["GDAL_HTTP_CONNECTTIMEOUT"] == "1"
    assert chosen["GDAL_HTTP_LOW_SPEED_TIME"] == NETWORK["GDAL_HTTP_LOW_SPEED_TIME"]
    assert chosen["GDAL_HTTP_TIMEOUT"] == "120"
