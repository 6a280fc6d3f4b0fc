"""No file on a server is opened whose address redirects to where it must not."""

import zipfile
from urllib.parse import quote

import numpy as np
import pytest
from support.dripping import dripping
from support.hostile import RAW, document, raw, sourced
from support.scene_files import UTM, make, ramp, read
from support.servers import served

from anomvae.addresses import fetched
from anomvae.errors import RasterError
from anomvae.raster import redirects
from anomvae.raster.gdal import NETWORK

ELSEWHERE = "ftp://127.0.0.1:9/a.tif"


@pytest.fixture
def folder(tmp_path):
    """Hold a raster, and an archive with it."""
    scene = make(tmp_path / "scene.tif", ramp(1), **UTM)
    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
        archive.write(scene, "in/scene.tif")
    return tmp_path


def redirect(path):
    path.with_name(f"{path.name}.location").write_text(ELSEWHERE)


def with_login(url):
    return url.replace("://", "://user:p%40ss@")


NAMES = {
    "address": lambda url: f"{url}/scene.tif",
    "log-in": lambda url: f"{with_login(url)}/scene.tif",
    "name of GDAL": lambda url: f"/vsicurl/{url}/scene.tif",
    "log-in by GDAL": lambda url: f"/vsicurl/{with_login(url)}/scene.tif",
    "option": lambda url: f"/vsicurl?max_retry=0&url={quote(url + '/scene.tif', '')}",
    "stream": lambda url: f"/vsicurl_streaming/{url}/scene.tif",
    "directory of a TIFF": lambda url: f"GTIFF_DIR:1:/vsicurl/{url}/scene.tif",
    "archive": lambda url: f"/vsizip//vsicurl/{url}/scenes.zip/in/scene.tif",
    "archive in braces": lambda url: f"/vsizip/{{/vsicurl/{url}/scenes.zip}}/in/scene.tif",
    "VRT of a name": lambda url: f"vrt:///vsicurl/{url}/scene.tif?bands=1",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_redirect_is_checked_however_the_address_is_written(folder, name):
    with served(folder) as url:
        np.testing.assert_array_equal(read(name(url))[..., 0], ramp(1)[0])
        redirect(folder / "scene.tif")
        redirect(folder / "scenes.zip")

        with pytest.raises(RasterError, match="another scheme") as error:
            read(name(url))

    assert "p%40ss" not in str(error.value)


def test_the_redirect_of_a_name_with_spaces_and_letters_beyond_ascii_is_checked(folder):
    redirect(folder / "a scène.tif")

    with served(folder) as url, pytest.raises(RasterError, match="another scheme"):
        read(f"{url}/a scène.tif")


@pytest.mark.parametrize("end", [".msk", ".ovr"])
def test_a_mask_or_overview_that_redirects_elsewhere_is_not_fetched(folder, end):
    redirect(folder / f"scene.tif{end}")

    with served(folder) as url, pytest.raises(RasterError, match="another scheme"):
        read(f"{url}/scene.tif")


@pytest.mark.parametrize(
    "made",
    [
        document(sourced("scene.tif")),
        document(sourced("below/inner.vrt")),
        document(raw("scene.tif", 1), RAW),
    ],
    ids=["source", "inner source", "bytes"],
)
def test_a_source_of_a_vrt_that_redirects_elsewhere_is_not_fetched(folder, made):
    (folder / "a.vrt").write_text(made)
    (folder / "below").mkdir()
    (folder / "below" / "inner.vrt").write_text(document(sourced("scene.tif")))
    redirect(folder / "scene.tif")
    redirect(folder / "below" / "scene.tif")

    with served(folder) as url, pytest.raises(RasterError, match="another scheme"):
        read(f"{url}/a.vrt")


def test_a_vrt_named_by_an_option_of_gdal_reads_its_own_folder_alone(folder):
    with served(folder) as url:
        name = f"/vsicurl?url={quote(url + '/a.vrt', '')}"
        (folder / "a.vrt").write_text(document(sourced("scene.tif")))
        np.testing.assert_array_equal(read(name)[..., 0], ramp(1)[0])
        redirect(folder / "scene.tif")

        with pytest.raises(RasterError, match="another scheme"):
            read(name)


def test_an_address_that_is_none_is_refused():
    for name in ("http://[", "http://127.0.0.1:port/a.tif"):
        with pytest.raises(RasterError, match="no valid address"):
            read(name)


def test_a_server_that_drips_its_answer_is_refused_and_not_left_unchecked(monkeypatch):
    monkeypatch.setattr(redirects, "LONGEST", 0.2)

    with (
        dripping(b"HTTP/1.1 302 Found\r\nX-Slow: ") as port,
        pytest.raises(RasterError, match="does not answer in time"),
    ):
        read(f"http://127.0.0.1:{port}/a.tif")


def test_a_silent_server_has_as_long_as_gdal_waits():
    assert float(NETWORK["GDAL_HTTP_LOW_SPEED_TIME"]) == redirects.SILENCE
    assert redirects.LONGEST >= 4 * redirects.SILENCE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scene.tif", []),
        ("/vsizip/a.zip/b.tif", []),
        ("/vsis3/bucket/a.tif", []),
        ('NETCDF:"/vsicurl/https://h/a.nc":b', ["https://h/a.nc"]),
        ("/vsizip/{/vsicurl/https://h/a.zip?sig=s.t}/b.tif", ["https://h/a.zip?sig=s.t"]),
        ("/vsitar//vsicurl/https://h/v1/a.tar/b", ["https://h/v1/a.tar", "https://h/v1/a.tar/b"]),
        ("/vsicurl?url=ftp%3A%2F%2Fh%2Fa.tif", []),
    ],
)
def test_the_addresses_that_gdal_asks_for(name, expected):
    assert fetched(name) == expected
