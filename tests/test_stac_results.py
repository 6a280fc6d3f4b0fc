"""STAC items of scored scenes and of models: where, when, which files, and derived from what."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from support.rasters import BANDS, land, plant, run, trained, write
from support.refusals import refused
from support.scorers import Neighbours, content

from anomvae.mapping import ScoreOptions, read_summary, rethreshold, score_scene
from anomvae.mapping.stac import href_of, times_of
from anomvae.objects import footprint
from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference, Selection, scenes_of

pytest.importorskip("pystac", minversion="1.13")
from support.stac import checked

STAC = ScoreOptions(stac=True)
ANTARCTIC, ARCTIC, FIJI = (CRS.from_epsg(code).to_wkt() for code in (3031, 3413, 32760))
DEGREES = CRS.from_epsg(4326).to_wkt()


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "site_2024-06-01.tif", plant(land()))


def item_of(scene, folder, options=STAC, detector=None):
    return checked(score_scene(detector or Neighbours(), scene, folder, options).files.item)


def outline(crs, left, top, side, shape=(40, 48)):
    return footprint(Georeference(Grid(shape, (side, 0.0, left, 0.0, -side, top), crs)))


def test_an_item_names_every_deliverable_with_its_checksum(scene, tmp_path):
    everything = ScoreOptions(stac=True, gpkg=True, explain=True)

    item = item_of(scene, tmp_path / "out", everything, trained())

    names = {Path(asset.get_absolute_href()).name for asset in item.assets.values()}
    assert names == {path.name for path in (tmp_path / "out").iterdir()} - {
        Path(item.self_href).name
    }
    for key, asset in item.assets.items():
        data = Path(asset.get_absolute_href()).read_bytes()
        if key == "summary":
            assert "file:size" not in asset.extra_fields
        else:
            assert asset.extra_fields["file:size"] == len(data)
            digest = hashlib.sha256(data).hexdigest()
            assert asset.extra_fields["file:checksum"] == f"1220{digest}"
        assert asset.media_type
        assert asset.roles


def test_bands_of_an_item_are_those_of_the_files(scene, tmp_path):
    item = item_of(scene, tmp_path / "out", ScoreOptions(stac=True, explain=True), trained())

    for asset in item.assets.values():
        path = asset.get_absolute_href()
        if not path.endswith(".tif"):
            continue
        with rasterio.open(path) as dataset:
            bands = asset.extra_fields["bands"]
            assert [band["name"] for band in bands] == list(dataset.descriptions)
            assert {band["data_type"] for band in bands} == set(dataset.dtypes)
            nodata = {str(band["nodata"]) for band in bands}
            assert nodata == {f"{value:g}" for value in dataset.nodatavals}
    score = item.assets["score"].extra_fields["bands"][0]
    result = read_summary(score_scene(trained(), scene, tmp_path / "again", STAC).files)
    assert score["unit"] == "nats"
    assert score["statistics"]["maximum"] == result.quantiles["1"]


def test_extensions_of_pystac_read_an_item(scene, tmp_path):
    item = item_of(scene, tmp_path / "out")

    with rasterio.open(scene) as dataset:
        assert item.ext.proj.code == "EPSG:32633"
        assert item.ext.proj.shape == list(dataset.shape)
        assert item.ext.proj.transform == list(dataset.transform)[:6]
        assert item.ext.proj.bbox == list(dataset.bounds)
    assert item.assets["score"].ext.file.size > 0
    (band,) = item.assets["flags"].extra_fields["bands"]
    named = {one["value"]: one["name"] for one in band["classification:classes"]}
    assert named == {0: "normal", 1: "anomalous", 254: "masked", 255: "no_data"}
    assert item.assets["score"].extra_fields["raster:spatial_resolution"] == pytest.approx(10, 0.01)


def test_the_day_of_a_scene_is_the_interval_of_its_item(scene, tmp_path):
    item = item_of(scene, tmp_path / "out")

    assert item.datetime is None
    assert item.properties["start_datetime"] == "2024-06-01T00:00:00Z"
    assert item.properties["end_datetime"] == "2024-06-01T23:59:59Z"


def test_no_date_is_invented(tmp_path):
    item = item_of(write(tmp_path / "coast.tif", plant(land())), tmp_path / "out")

    assert item.properties["start_datetime"] == times_of(None)["start_datetime"]
    assert item.properties["end_datetime"] == times_of(None)["end_datetime"]


def test_an_item_is_derived_from_its_scene(scene, tmp_path):
    item = item_of(scene, tmp_path / "out")

    (link,) = [link for link in item.links if link.rel == "derived_from"]
    assert Path(link.get_absolute_href()) == Path(scene)


def test_an_item_names_the_model(scene, tmp_path):
    model, out = tmp_path / "model.safetensors", tmp_path / "out"
    trained().save(model)
    ran = run("score", scene, "-m", model, "-o", out, "--stac")
    assert ran.code == 0, ran.err
    (path,) = out.glob("*.stac.json")

    rethreshold(out / "site_2024-06-01.anomaly.tif", "quantile:0.1", options=STAC)

    (link,) = checked(path).get_links("model")
    assert Path(link.get_absolute_href()) == model


def test_an_item_repeats_to_the_bit(scene, tmp_path):
    for name in ("a", "b"):
        item_of(scene, tmp_path / name)

    one, other = (tmp_path / name / "site_2024-06-01.stac.json" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


def test_another_threshold_keeps_date_and_source(tmp_path, scene, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = score_scene(Neighbours(), Path(scene).name, "out", STAC).files
    before = checked(files.item)
    monkeypatch.chdir("/")

    result = rethreshold(tmp_path / files.scores, "quantile:0.1", options=STAC)

    after = checked(result.files.item)
    sources = [[link.href for link in item.get_links("derived_from")] for item in (before, after)]
    assert sources[0] == sources[1] != []
    assert after.properties["start_datetime"] == before.properties["start_datetime"]
    assert after.properties["anomvae:threshold"] == result.threshold.value


def test_a_scene_without_location_has_no_geometry(tmp_path):
    path = write(tmp_path / "bare.tif", plant(land()), crs=None, transform=None)

    item = item_of(path, tmp_path / "out")

    assert item.geometry is None
    assert item.bbox is None
    assert item.properties["proj:code"] is None
    assert "proj:transform" not in item.properties


def test_items_that_anomvae_wrote_are_no_scenes(scene, tmp_path):
    out = tmp_path / "out"
    item_of(scene, out)
    trained().save(tmp_path / "model.safetensors")
    run("export", tmp_path / "model.safetensors", "--stac", out / "model.json")
    write(out / "another.tif", land())

    assert [one.name for one in scenes_of([out], Selection(), one_site=False)] == [
        str(out / "another.tif")
    ]


def test_an_item_of_the_name_that_is_not_ours_is_refused(scene, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "site_2024-06-01.stac.json").write_text('{"type": "Feature", "properties": {}}')
    before = content(out)

    ran = run("detect", scene, "-o", out, "--stac", "--method", "rx")

    refused(ran, 3, "was not written by anomvae")
    assert content(out) == before


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("https://user:word@eo.example/a b.tif?sig=s", "https://eo.example/a b.tif"),
        ("missing.tif", None),
        ("<VRTDataset/>", None),
        ("NETCDF:a.nc:b", None),
    ],
)
def test_sources_that_cannot_be_named_are_left_out(tmp_path, name, href):
    assert href_of(name, tmp_path) == href


def test_names_of_files_are_quoted(tmp_path):
    (tmp_path / "a #1 é%.tif").touch()

    assert href_of(str(tmp_path / "a #1 é%.tif"), tmp_path) == "a%20%231%20é%25.tif"


def test_a_scene_across_the_180th_meridian_is_cut_there():
    found = outline(FIJI, 810_000, 8_100_000, 5000.0)

    west, south, east, north = found.box
    assert len(found.rings) == 2
    assert west > 170
    assert -180 < east < -170
    assert south < north < 0
    assert found.geometry["type"] == "MultiPolygon"
    for ring in found.rings:
        longitudes = [lon for lon, _ in ring]
        assert max(longitudes) - min(longitudes) < 10
        assert ring[0] == ring[-1]


@pytest.mark.parametrize(("crs", "pole"), [(ANTARCTIC, -90.0), (ARCTIC, 90.0)])
def test_a_scene_around_a_pole_ends_at_it(crs, pole):
    found = outline(crs, -1e6, 1e6, 50_000.0)

    (ring,) = found.rings
    assert (found.box[0], found.box[2]) == (-180.0, 180.0)
    assert pole in (found.box[1], found.box[3])
    assert {(-180.0, pole), (180.0, pole)} <= set(ring)


@pytest.mark.parametrize(("left", "side"), [(-180.0, 7.5), (0.0, 7.5), (170.0, 0.5)])
def test_outlines_in_degrees_stay_within_the_map(left, side):
    found = outline(DEGREES, left, 90.0, side, shape=(24, 48))

    assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for ring in found.rings for lon, lat in ring)
    if side > 1:
        assert found.box == (-180.0, -90.0, 180.0, 90.0)
    else:
        assert found.box[:1] + found.box[2:3] == (170.0, -166.0)


@given(st.floats(-6e6, 6e6), st.floats(-6e6, 6e6), st.floats(10, 2e4), st.sampled_from([1, -1]))
@settings(max_examples=60, deadline=None)
def test_rings_are_closed_and_counter_clockwise_anywhere(left, top, side, turn):
    found = outline(ARCTIC if turn > 0 else ANTARCTIC, left, top, side)

    for ring in () if found is None else found.rings:
        lon, lat = np.array(ring).T
        assert ring[0] == ring[-1]
        assert (lon[:-1] * lat[1:] - lon[1:] * lat[:-1]).sum() >= 0
        assert np.abs(lon).max() <= 180
        assert np.abs(lat).max() <= 90


def test_a_model_is_an_item_of_the_extension_for_models(tmp_path):
    path = tmp_path / "model.safetensors"
    trained().save(path)

    ran = run("export", path, "--stac", tmp_path / "model.json")

    assert ran.code == 0, ran.err
    item, card = checked(tmp_path / "model.json"), trained().card
    assert item.geometry is None
    model = item.ext.mlm
    assert model.architecture == "variational autoencoder (vae)"
    assert model.tasks == ["regression", "segmentation"]
    (given_,) = model.input
    assert [band.name for band in given_.bands] == list(card.bands.names)
    assert given_.input.shape == [-1, BANDS]
    assert [output.name for output in model.output] == ["score", "flag"]
    assert model.total_parameters > 0
    assert item.assets["model"].ext.mlm.artifact_type == "safetensors.torch.save_file"
    assert item.properties["anomvae:threshold"] == trained().threshold.value
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert item.assets["model"].extra_fields["file:checksum"] == f"1220{digest}"
    assert Path(item.assets["model"].get_absolute_href()) == path


def test_an_item_has_no_number_that_json_lacks(tmp_path):
    path = write(tmp_path / "empty.tif", np.full((BANDS, 40, 48), -1.0, "float32"))

    files = score_scene(Neighbours(), path, tmp_path / "out", STAC).files

    def finite(value):
        raise AssertionError(value)

    document = json.loads(files.item.read_text(), parse_constant=finite)
    assert math.isfinite(document["properties"]["anomvae:threshold"])
    checked(files.item)
