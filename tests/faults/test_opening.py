"""A raster is what its file holds: no other file, no address, by whatever name it comes."""

import os
import zipfile
from functools import partial

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy
from support.hostile import RAW, SECRET, counting, document, raw, sourced, warped, wcs, wms
from support.rasters import run
from support.refusals import refused
from support.scene_files import UTM, make, ramp, read
from support.servers import served

from anomvae.errors import ConfigError, RasterError
from anomvae.monitoring.config import SiteConfig
from anomvae.monitoring.scoring import access_of
from anomvae.raster import Access, Scene, read_labels


@pytest.fixture
def scene(tmp_path):
    """Make a raster in a folder below one that holds a secret."""
    (tmp_path / "secret.bin").write_bytes(SECRET)
    folder = tmp_path / "data"
    folder.mkdir()
    return make(folder / "scene.tif", ramp(1), **UTM)


def write(path, text):
    path.write_text(text)
    return path


# Each makes a file that leads out of its folder, or to an address, and returns its path.
def service(scene, url):
    return write(scene.with_name("a.tif"), wcs(url))


def tiles_of_a_service(scene, url):
    return write(scene.with_name("a.tif"), wms(url, scene.parent / "cache"))


def overviews(scene, url):
    write(scene.with_name("scene.tif.ovr"), wcs(url))
    return scene


def mask(scene, url):
    write(scene.with_name("scene.tif.msk"), wcs(url))
    return scene


def mask_of_bytes(scene, url):
    write(scene.with_name("scene.tif.msk"), document(raw("../secret.bin", 1), RAW))
    return scene


def named_overviews(scene, url):
    other = service(scene, url)
    with rasterio.open(scene, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(other))
    return scene


def vrt(scene, url, text):
    return write(scene.with_name("a.tif"), text.replace("SECRET", str(scene.parents[1])))


def vrt_of_a_service(scene, url):
    write(scene.with_name("service.tif"), wcs(url))
    return vrt(scene, url, document(sourced("service.tif")))


def vrt_of_text(scene, url):
    return vrt(scene, url, document(sourced(wcs(url).replace("<", "&lt;"), 0)))


def vrt_of_an_address(scene, url):
    return vrt(scene, url, document(sourced(f"/vsicurl/{url}/a.tif", 0)))


def warped_service(scene, url):
    write(scene.with_name("service.tif"), wcs(url))
    return vrt(scene, url, warped("service.tif"))


def nested(scene, url):
    (scene.parent / "below").mkdir()
    write(scene.parent / "below" / "b.vrt", document(raw("../../secret.bin", 1), RAW))
    return vrt(scene, url, document(sourced("below/b.vrt")))


def linked(scene, url):
    os.symlink("../secret.bin", scene.parent / "link.bin")
    return vrt(scene, url, document(raw("link.bin", 1), RAW))


BYTES = {
    "absolute": document(raw("SECRET/secret.bin"), RAW),
    "relative": document(raw("../secret.bin", 1), RAW),
    "lower case": document(raw("../secret.bin", 1), RAW).replace(
        "SourceFilename", "sourcefilename"
    ),
    "as attribute": document('<SimpleSource SourceFilename="SECRET/secret.bin" SourceBand="1"/>'),
    "class as element": document(f"<subClass>VRTRawRasterBand</subClass>{raw('../secret.bin', 1)}"),
    "mask": document(
        f'{sourced("scene.tif")}<MaskBand><VRTRasterBand dataType="Byte" {RAW}>'
        f"{raw('../secret.bin', 1)}</VRTRasterBand></MaskBand>"
    ),
    "entity": '<!DOCTYPE v [<!ENTITY up "..">]>' + document(raw("&up;/secret.bin", 1), RAW),
    "code": document(
        "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python"
        "</PixelFunctionLanguage>" + sourced("scene.tif"),
        'subClass="VRTDerivedRasterBand"',
    ),
    "option": document(
        sourced("scene.tif", 1, '<OpenOptions><OOI key="ROOT_PATH">SECRET</OOI></OpenOptions>')
    ),
}
HOSTILE = [
    *(service, tiles_of_a_service, overviews, mask, mask_of_bytes, named_overviews),
    *(vrt_of_a_service, vrt_of_text, vrt_of_an_address, warped_service, nested, linked),
    *(pytest.param(partial(vrt, text=text), id=name) for name, text in BYTES.items()),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_file_that_names_others_at_will_is_refused_and_nothing_is_asked_or_written(
    scene, hostile
):
    visits = []
    with counting(visits) as url:
        path = hostile(scene, url)
        before = sorted(scene.parent.iterdir())

        with pytest.raises(RasterError) as error:
            read(path)

    assert visits == []
    assert sorted(scene.parent.iterdir()) == before
    assert "\n" not in str(error.value)
    assert "--allow-driver" in str(error.value)


@pytest.mark.parametrize("role", ["mask", "normal", "covariates", "labels"])
def test_masks_covariates_and_labels_pass_the_same_door(scene, role):
    hostile = write(scene.with_name("a.tif"), document(raw("../secret.bin", 1), RAW))
    with Scene.of(scene).open() as opened:
        grid = opened.grid

    opened = {
        "mask": partial(read, scene, mask=hostile),
        "normal": partial(read, scene, normal=hostile),
        "covariates": partial(read, scene, covariates=[hostile]),
        "labels": partial(read_labels, hostile, grid, "scene"),
    }

    with pytest.raises(RasterError, match="does not lie in its own folder"):
        opened[role]()


def test_a_mosaic_reads_the_files_of_its_folder_and_below(scene):
    (scene.parent / "below").mkdir()
    make(scene.parent / "below" / "b.tif", ramp(1) + 100, **UTM)
    write(scene.with_name("inner.vrt"), document(sourced("below/b.tif")))
    inside = scene.parent / "scene.tif"
    texts = [sourced("scene.tif"), sourced("inner.vrt"), sourced(inside, 0)]

    values = [read(write(scene.with_name("a.vrt"), document(text)))[..., 0] for text in texts]

    expected = ramp(1)[0]
    np.testing.assert_array_equal(values, [expected, expected + 100, expected])


def test_a_mosaic_of_two_thousand_sources_is_opened(scene):
    source = sourced("scene.tif")
    path = write(scene.with_name("a.vrt"), document(source * 2000))

    with Scene.of(path).open() as opened:
        assert opened.grid.shape == (3, 4)


def test_raw_pixels_in_the_folder_of_the_vrt_are_read(scene):
    scene.with_name("pixels.bin").write_bytes(ramp(1).tobytes())
    path = write(scene.with_name("a.vrt"), document(raw("pixels.bin", 1), RAW))

    np.testing.assert_array_equal(read(path)[..., 0], ramp(1)[0])


def test_a_link_to_a_vrt_reads_the_files_beside_the_vrt(scene):
    write(scene.with_name("a.vrt"), document(sourced("scene.tif")))
    os.symlink("data/a.vrt", scene.parents[1] / "link.vrt")

    np.testing.assert_array_equal(read(scene.parents[1] / "link.vrt")[..., 0], ramp(1)[0])


@pytest.mark.parametrize("name", ["/vsizip/{}/a.vrt", "zip://{}!a.vrt"])
def test_a_vrt_in_an_archive_reads_the_archive_alone(scene, name):
    for text in (sourced("scene.tif"), sourced("../../secret.bin"), sourced(scene, 0)):
        write(scene.with_name("a.vrt"), document(text))
        archive = scene.with_name("a.zip")
        with zipfile.ZipFile(archive, "w") as file:
            file.write(scene, "scene.tif")
            file.write(scene.with_name("a.vrt"), "a.vrt")

        if text == sourced("scene.tif"):
            np.testing.assert_array_equal(read(name.format(archive))[..., 0], ramp(1)[0])
        else:
            with pytest.raises(RasterError, match="does not lie in its own folder"):
                read(name.format(archive))


def test_the_text_of_a_vrt_is_the_users_own_word(scene):
    text = document(raw(scene.parents[1] / "secret.bin"), RAW)

    assert read(text).astype("uint8").tobytes() == SECRET[:12]


def test_a_vrt_that_the_user_allows_may_read_any_file(scene):
    path = write(scene.with_name("a.vrt"), document(raw("../secret.bin", 1), RAW))

    values = read(path, access=Access.of(["vrt"]))

    assert values.astype("uint8").tobytes() == SECRET[:12]


def test_the_command_line_allows_a_driver(scene):
    path = write(scene.with_name("a.vrt"), document(raw("../secret.bin", 1), RAW))

    refused(run("info", path), 3, "secret.bin", "--allow-driver VRT")
    assert run("info", path, "--allow-driver", "VRT").code == 0
    refused(run("info", path, "--allow-driver", "VTR"), 2, "'VTR'", "VRT")


def test_a_format_that_may_link_to_other_files_is_opened_by_its_name_alone(scene):
    file = scene.with_name("a.nc")
    copy(scene, file, driver="netCDF")
    np.testing.assert_array_equal(read(file)[..., 0], ramp(1)[0])
    np.testing.assert_array_equal(read(f'NETCDF:"{file}":Band1')[..., 0], ramp(1)[0])
    file.rename(scene.with_name("b.tif"))

    with pytest.raises(RasterError, match="--allow-driver NAME"):
        read(scene.with_name("b.tif"))

    values = read(scene.with_name("b.tif"), access=Access.of(["netCDF"]))
    np.testing.assert_array_equal(values[..., 0], ramp(1)[0])


def test_an_unknown_driver_is_named_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"no driver 'SENTINEL3'.*SENTINEL2"):
        Access.of(["SENTINEL3"])


@pytest.mark.parametrize("text", ["{}/scene.tif", "SECRET/secret.bin", "../secret.bin"])
def test_a_vrt_on_a_server_reads_its_own_folder_alone(scene, text):
    name = text.replace("SECRET", str(scene.parents[1]))
    with served(scene.parent) as url:
        for made in (
            document(raw(name.format(scene.parent), int("." in name[:1])), RAW),
            warped(name.format(scene.parent), 0),
        ):
            write(scene.with_name("a.vrt"), made)
            with pytest.raises(RasterError, match="does not lie in its own folder"):
                read(f"{url}/a.vrt")
        write(scene.with_name("a.vrt"), document(sourced("scene.tif")))

        np.testing.assert_array_equal(read(f"{url}/a.vrt")[..., 0], ramp(1)[0])


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("ftp://other.example/a.tif", "another scheme"),
        ("file:///etc/hostname", "another scheme"),
        ("http://169.254.169.254/latest/meta-data", "local link"),
    ],
)
def test_a_redirect_to_another_scheme_or_to_the_local_link_is_not_followed(location, words):
    visits = []
    with (
        counting(visits, location) as url,
        pytest.raises(RasterError, match=words),
        Scene.of(f"{url}/a.tif").open(),
    ):
        pass

    assert visits == ["/a.tif"]


def test_a_site_allows_drivers_and_lifts_limits(scene):
    site = {"name": "a", "model": "m", "out": "o", "folder": {"path": "."}}

    access = access_of(SiteConfig(**site, allow_drivers=["vrt"], no_limits=True))

    assert access == Access(("VRT",), limits=None)
    assert access_of(SiteConfig(**site)) == Access()
