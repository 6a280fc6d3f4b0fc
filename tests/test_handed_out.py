"""What is handed out of a real scene opens in the programs that people have."""

import os
from pathlib import Path

import pyogrio
import pytest
import rasterio
from support.exports import lacks
from support.qgis import opened_by_qgis
from support.rasters import run
from support.stac import checked

from anomvae.mapping import Deliverables

AIRPORT = Path(os.environ.get("ANOMVAE_SCENES", "none"), "sandiego-utm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AIRPORT.is_dir(), reason="ANOMVAE_SCENES has no sandiego-utm"),
]


@pytest.fixture(scope="module")
def airport(tmp_path_factory):
    """Detect on the airport, with everything that is handed out, and report it."""
    folder = tmp_path_factory.mktemp("airport")
    more = ("--stac", "--gpkg", "--explain")
    detected = run("detect", AIRPORT / "scene.tif", "-o", folder / "out", *more)
    reported = run("report", folder / "out", "-o", folder / "report.html")
    assert (detected.code, reported.code) == (0, 0), detected.err + reported.err
    return folder


@pytest.fixture
def files(airport):
    return Deliverables(airport / "out", "scene")


def test_rasterio_opens_every_layer_on_the_grid_of_the_scene(files):
    with rasterio.open(AIRPORT / "scene.tif") as scene:
        expected = scene.shape, scene.transform, scene.crs

    for path in (files.scores, files.flags, files.explanation):
        with rasterio.open(path) as layer:
            assert (layer.shape, layer.transform, layer.crs) == expected


def test_pyogrio_opens_the_same_objects_from_both_files(files):
    package = pyogrio.read_info(files.package, layer="objects")  # styles are a layer, too
    beside = pyogrio.read_info(files.objects)

    assert package["crs"] == "EPSG:26711"
    assert beside["crs"] == "EPSG:4326"
    assert package["features"] == beside["features"] > 3


def test_pystac_opens_the_item_with_every_file_that_was_written(files):
    item = checked(files.item)

    hrefs = {Path(asset.href).name for asset in item.assets.values()}
    written = {path.name for path in files.folder.iterdir() if path.suffix != ".qml"}
    assert hrefs >= written - {files.item.name}
    assert [link.rel for link in item.links].count("derived_from") == 1


def test_chromium_opens_the_report_without_an_error(browser, airport):
    page = browser.open(airport / "report.html")

    assert "are unusual, in" in page.one(".headline").text
    assert page.errors() == []


@pytest.mark.skipif(lacks("qgis.core"), reason="Debian's python3-qgis is not here")
def test_qgis_opens_the_layers_styled(files, tmp_path):
    package = f"{files.package}|layername=objects"

    found = opened_by_qgis(
        files, tmp_path / "all.png", outlines=[files.objects, package], others=[files.explanation]
    )

    assert found["crs"] == "EPSG:26711"
    assert any("threshold (log-sigma:3)" in label for _, _, label in found["stops"])
