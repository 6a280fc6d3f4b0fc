"""Rasters on a server: a passing failure is overcome, a lasting one is told and leaves nothing."""

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, land, plant, run, trained, write
from support.servers import served

from anomvae.errors import RasterError
from anomvae.mapping import score_scene
from anomvae.pixels.tiling import tiles
from anomvae.raster import RasterReader
from anomvae.raster import dataset as source_module
from anomvae.raster.gdal import NETWORK, is_remote, session
from anomvae.raster.stack import write_stack


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Wait for nothing between two attempts, GDAL neither."""
    monkeypatch.setattr(source_module, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")


@pytest.fixture
def folder(tmp_path):
    """Hold a raster of several requests, and a mask beside it."""
    values = plant(land((400, 400)))
    tiled = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "DEFLATE"}
    write(tmp_path / "scene.tif", values, **tiled)
    trained().save(tmp_path / "model.safetensors")
    return tmp_path


def read_in_tiles(name):
    with RasterReader(name) as reader:
        return np.concatenate(
            [reader.read(tile.read) for tile in tiles(reader.shape, (128, 400))], 1
        )


TRANSIENT = [
    (),
    ("429:2,4",),
    ("500:1,3",),
    ("503:2-3",),
    ("drop:1",),
    ("drop:3,5",),
    ("drop:3-5",),
]


@pytest.mark.parametrize("troubles", TRANSIENT)
def test_a_server_that_fails_now_and_then_gives_the_same_pixels(folder, troubles):
    with served(folder, *troubles) as server:
        found = read_in_tiles(f"{server.url}/scene.tif")

    assert np.array_equal(found, read_in_tiles(folder / "scene.tif"), equal_nan=True)


@pytest.mark.parametrize("troubles", [(), ("drop:4-5",)])
def test_a_map_of_a_remote_scene_is_that_of_the_file(folder, troubles):
    with served(folder, *troubles) as server:
        remote = score_scene(trained(), f"{server.url}/scene.tif", folder / "remote", tile=128)
    local = score_scene(trained(), folder / "scene.tif", folder / "local", tile=128)

    assert np.array_equal(bands_of(remote.path), bands_of(local.path), equal_nan=True)


@pytest.mark.parametrize("troubles", ["404:1-", "403:1-", "500:1-", "404:4-", "500:4-", "drop:4-"])
def test_a_lasting_failure_ends_with_3_and_leaves_nothing(folder, troubles):
    out = folder / "out"
    with served(folder, troubles) as server:
        url = f"{server.url}/scene.tif"
        ran = run("score", url, "-m", folder / "model.safetensors", "-o", out, "--tile", 128)

    assert ran.code == 3, ran.err
    *warnings, error = ran.err.splitlines()
    assert all(line.startswith("WARNING: CPLE_AppDefined") for line in warnings)  # GDAL's attempts
    assert error.startswith(f"Error: {url} cannot be ")
    assert not out.exists()


@pytest.mark.parametrize("joined", [False, True])
def test_a_server_that_falls_silent_is_left_in_time(folder, monkeypatch, joined):
    for setting, value in {"LOW_SPEED_TIME": "1", "MAX_RETRY": "0"}.items():
        monkeypatch.setitem(NETWORK, f"GDAL_HTTP_{setting}", value)
    monkeypatch.setattr(source_module, "PAUSES", ())
    with served(folder, "stall:2-") as server:
        name = f"{server.url}/scene.tif"
        if joined:
            name = write_stack(folder / "scene.vrt", [name], ["band_1"])

        with pytest.raises(RasterError, match="The server or the network fails"):
            read_in_tiles(name)


def test_the_parts_of_a_vrt_are_read_again_where_they_lie_on_a_server(folder):
    with served(folder, "drop:3,5") as server:
        stack = write_stack(folder / "scene.vrt", [f"{server.url}/scene.tif"], ["band_1"])
        found = read_in_tiles(stack)

    assert np.array_equal(found, read_in_tiles(folder / "scene.tif")[..., :1], equal_nan=True)


def test_a_server_that_fails_for_one_scene_does_not_stop_the_others(folder):
    out = folder / "out"
    with served(folder) as server:
        scenes = [f"{server.url}/missing.tif", f"{server.url}/scene.tif"]
        ran = run("score", *scenes, "-m", folder / "model.safetensors", "-o", out)

    assert ran.code == 5
    assert "missing.tif cannot be opened" in ran.err
    assert (out / "scene.json").exists()
    assert not list(out.glob("*missing*"))


def test_a_mask_beside_a_remote_raster_counts(folder):
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"),
        rasterio.open(folder / "scene.tif", "r+") as scene,
    ):
        scene.nodata = None
        scene.write_mask(np.tri(400, dtype=bool))

    with served(folder) as server:
        found = read_in_tiles(f"{server.url}/scene.tif")

    assert np.isnan(found[0, 0, 1:]).all()
    assert np.isfinite(found[0, -1, 1:]).all()


def test_an_object_store_is_read_by_its_own_name(folder, monkeypatch):
    (folder / "eo").mkdir()
    (folder / "scene.tif").rename(folder / "eo" / "scene.tif")
    with served(folder) as server:
        monkeypatch.setenv("AWS_S3_ENDPOINT", server.url.removeprefix("http://"))
        for name, value in {
            "HTTPS": "NO",
            "VIRTUAL_HOSTING": "FALSE",
            "NO_SIGN_REQUEST": "YES",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        found = read_in_tiles("s3://eo/scene.tif")

    assert np.array_equal(found, read_in_tiles(folder / "eo" / "scene.tif"), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scene.tif", False),
        ("/data/scene.tif", False),
        ("file:///data/scene.tif", False),
        ('NETCDF:"a.nc":t2m', False),
        ("/vsizip/a.zip/b.tif", False),
        ("/vsimem/b.tif", False),
        ("https://eo.example/a.tif", True),
        ("s3://eo/a.tif", True),
        ("/vsicurl/https://eo.example/a.tif", True),
        ("/vsizip//vsis3/eo/a.zip/b.tif", True),
    ],
)
def test_what_comes_from_a_server_is_known_by_its_name(name, expected):
    assert is_remote(name) is expected


def test_what_a_user_has_set_for_gdal_holds(monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "7")

    with rasterio.Env(GDAL_HTTP_CONNECTTIMEOUT="1"), session(remote=True):
        chosen = rasterio.env.getenv()

    assert "GDAL_HTTP_MAX_RETRY" not in chosen  # the environment's stays
    assert chosen["GDAL_HTTP_CONNECTTIMEOUT"] == "1"
    assert chosen["GDAL_HTTP_LOW_SPEED_TIME"] == NETWORK["GDAL_HTTP_LOW_SPEED_TIME"]


def test_a_damaged_local_file_is_read_only_once(folder):
    data = (folder / "scene.tif").read_bytes()
    (folder / "scene.tif").write_bytes(data[: len(data) // 2])

    with pytest.raises(RasterError, match="damaged or cut short"):
        read_in_tiles(folder / "scene.tif")
