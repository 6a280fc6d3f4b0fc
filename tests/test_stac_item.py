"""STAC items: which assets are bands and masks, and what holds where files and item differ."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from support import servers
from support.rasters import land, plant, run, write
from support.scene_files import read

from anomvae.errors import AnomvaeError, ConfigError, RasterError
from anomvae.hosts import Reach
from anomvae.raster import Scene
from anomvae.raster.products import recognise
from anomvae.raster.products.expansion import expanded
from anomvae.raster.products.stac import StacItem
from anomvae.testing.products.stac import BANDS, StacWriter

FAR, NEAR = {"eo.example": Reach.NETWORK}, Reach.LINK
EARTH, PLANETARY = StacWriter(), StacWriter(planetary=True)
KINDS = {
    "STAC 1.0": EARTH,
    "STAC 1.1": StacWriter(version="1.1.0"),
    "offset subtracted": StacWriter(subtracted=True),
    "old baseline": StacWriter(baseline="02.14"),
    "Planetary Computer": PLANETARY,
    "Planetary Computer, old": StacWriter(planetary=True, baseline="03.01"),
}


def written(folder, writer=EARTH, **changes):
    """Write an item, and change its document."""
    path = writer.write(writer.cube(), folder)
    document = json.loads(path.read_text())
    for key, change in changes.items():
        change(document[key]) if callable(change) else document.update({key: change})
    path.write_text(json.dumps(document))
    return path


def facts_of(path):
    with Scene.of(path).open() as opened:
        return opened.newest.dataset.facts


def expected(cube):
    values = cube.reflectance.copy()
    values[cube.hidden] = np.nan
    return values


@pytest.mark.parametrize("writer", KINDS.values(), ids=KINDS)
def test_reflectance_is_the_same_however_an_item_states_it(tmp_path, writer):
    cube = writer.cube()

    path = writer.write(cube, tmp_path)

    np.testing.assert_allclose(read(path), expected(cube), atol=1e-6)
    with Scene.of(path).open() as opened:
        assert opened.grid.shape == cube.shape
        assert [band.wavelength for band in opened.bands] == pytest.approx(cube.wavelengths)
        assert [band.fwhm for band in opened.bands] == pytest.approx(cube.fwhm)
        dataset = opened.newest.dataset
        assert dataset.facts.unit == "reflectance"
        assert [layer.title[:4] for layer in dataset.masks] == ["SCL:"]


@pytest.mark.parametrize(
    ("writer", "guess"),
    [
        (EARTH, ""),
        (StacWriter(subtracted=True), "is subtracted already: none is applied"),
        (PLANETARY, "states no scale: reflectance = (DN - 1000) / 10000, of baseline 05.09"),
        (StacWriter(planetary=True, baseline="03.01"), "states no scale: reflectance = DN / 10000"),
        (StacWriter(planetary=True, baseline=""), "states neither scale nor baseline"),
    ],
)
def test_what_is_guessed_of_an_offset_is_stated(tmp_path, writer, guess):
    known = writer if writer.baseline else replace(writer, baseline="03.01")
    path = written(tmp_path, known)
    if not writer.baseline:
        document = json.loads(path.read_text())
        del document["properties"]["s2:processing_baseline"]
        path.write_text(json.dumps(document))

    guessed = facts_of(path).guessed

    assert [guess in line for line in guessed] == [True] * bool(guess)


def test_only_data_are_bands_each_once_on_the_grid_that_is_asked_for(tmp_path):
    path = written(tmp_path)

    with Scene.of(path).open() as opened, Scene.of(path, resolution=10).open() as fine:
        assert opened.bands.names == tuple(BANDS)
        assert fine.grid.shape == (120, 120)
    with (
        pytest.raises(ConfigError, match="no raster with pixels of 30"),
        Scene.of(path, resolution=30).open(),
    ):
        pass


def test_of_several_assets_with_one_band_the_original_is_read(tmp_path):
    def add(assets):
        coarse = assets["blue"] | {
            "href": "./coarse.tif",
            "roles": ["data", "sampling:downsampled"],
        }
        original = assets.pop("blue") | {"roles": ["data", "sampling:original"]}
        stack = {"href": "./all.tif", "roles": ["data"], "type": "image/tiff"}
        stack["eo:bands"] = [assets["red"]["eo:bands"][0], assets["green"]["eo:bands"][0]]
        assets |= {"B02_60m": coarse, "B02_10m": original, "stack": stack}

    with Scene.of(written(tmp_path, assets=add)).open() as opened:
        assert sorted(opened.bands.names) == sorted(["B02", *(set(BANDS) - {"blue"})])


def test_what_a_file_states_holds_and_a_contradiction_is_a_line(tmp_path):
    path = written(tmp_path)
    with rasterio.open(tmp_path / "B02.tif", "r+") as file:
        file.scales, file.offsets, file.nodata = (0.0002,), (-0.2,), 7

    values, facts = read(path), facts_of(path)

    cube = EARTH.cube()
    np.testing.assert_allclose(values[..., 0], 2 * expected(cube)[..., 0], atol=1e-6)
    assert [line[:20] for line in facts.guessed] == ["The file of blue sta"] * 2
    assert "scale 0.0002 and offset -0.2, the item 0.0001 and -0.1" in facts.guessed[0]
    assert "nodata 7, the item 0" in facts.guessed[1]


def test_one_asset_may_hold_all_bands(tmp_path):
    values = plant(land())
    write(tmp_path / "all.tif", values)
    item = {"type": "Feature", "stac_version": "1.1.0", "id": "flight/3", "geometry": None}
    asset = {"href": "all.tif", "roles": ["data"], "type": "image/tiff"}
    bands = [{"name": f"b{n}", "eo:center_wavelength": 0.4 + n / 10} for n in range(len(values))]
    path = tmp_path / "item.geojson"
    properties = {"datetime": None, "start_datetime": "2024-05-31T23:30:00.1234567-02:00"}

    path.write_text(json.dumps(item | {"properties": properties, "assets": {"all": asset}}))
    np.testing.assert_array_equal(read(path), read(tmp_path / "all.tif"))
    with Scene.of(path).open() as plain:
        assert not plain.bands.named
    path.write_text(
        json.dumps(item | {"properties": properties, "assets": {"all": asset | {"bands": bands}}})
    )

    with Scene.of(path).open() as opened:
        assert [band.wavelength for band in opened.bands][:2] == pytest.approx([400, 500])
        assert opened.bands.names[1] == "b1"
        assert opened.scene.stem == "flight_3" or opened.scene.stem.startswith("flight")
        assert str(opened.scene.dates[0].date) == "2024-06-01"
    path.write_text(
        json.dumps(item | {"properties": {}, "assets": {"all": asset | {"bands": bands[:2]}}})
    )
    with pytest.raises(RasterError, match="describes 2 bands of asset 'all', but its file has 6"):
        read(path)


def test_an_item_on_a_server_is_read_there(tmp_path):
    path = written(tmp_path)
    shutil.copy(path, tmp_path / "S2A.json")

    with servers.served(tmp_path) as url:
        values = read(f"{url}/S2A.json")
        gone = recognise(f"{url}/gone.json")
        lost = r"gone\.json cannot be read as a STAC item: .*404"
        with pytest.raises(RasterError, match=lost), gone.open():
            pass

    np.testing.assert_array_equal(values, read(path))
    assert gone.stem == "gone"


@pytest.mark.parametrize(
    "href",
    [
        "/etc/passwd.tif",
        "file:///etc/a.tif",
        "http://169.254.169.254/a.tif",
        "/vsicurl/file:///a.tif",
    ],
)
def test_an_item_on_a_server_names_no_file_of_this_machine(tmp_path, monkeypatch, href):
    path = written(tmp_path, assets=lambda assets: assets["blue"].update(href=href))
    monkeypatch.setattr("anomvae.hosts.reach_of", lambda host: FAR.get(host, NEAR))
    product = recognise(path)

    remote = replace(product, name="https://eo.example/i.json", origin="https://eo.example/i.json")

    if href == "/etc/passwd.tif":  # a path on that server
        assert "https://eo.example/etc/passwd.tif" in remote.paths
        return
    with pytest.raises(AnomvaeError, match="is not read"), remote.open():
        pass


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"assets": lambda assets: assets.clear()}, "None of its assets is data"),
        ({"assets": lambda assets: assets["blue"].update(href=3)}, "href of its asset 'blue' is 3"),
        (
            {"assets": lambda a: a["blue"]["eo:bands"][0].update(center_wavelength="x")},
            "center_wavelength of its asset 'blue' is 'x', expected a number",
        ),
        ({"assets": []}, "its assets is [], expected an object"),
        ({"properties": {"datetime": "soon"}}, "Invalid isoformat string: 'soon'"),
        ({"id": 5}, "its id is 5, expected a text"),
        ({"assets": lambda a: a["red"].update(href="<VRTDataset/>")}, "an item names paths"),
    ],
)
def test_an_item_that_is_none_is_answered_in_one_line(tmp_path, changes, answer):
    path = written(tmp_path, **changes)

    result = run("detect", path, "-o", tmp_path / "out")

    assert result.code == 3
    assert answer in result.err
    assert result.err.count("\n") == 1


def test_other_documents_of_json_are_no_items(tmp_path):
    for name, text in {"a.json": '{"type": "Feature"}', "b.json": "[", "c.geojson": "{}"}.items():
        (tmp_path / name).write_text(text)
        assert not isinstance(recognise(tmp_path / name), StacItem)
    with pytest.raises(ConfigError, match="holds no scene"):
        expanded([tmp_path])


def test_in_a_folder_the_files_of_an_item_are_one_scene(tmp_path):
    path = written(tmp_path)

    assert [product.name for product in expanded([tmp_path])] == [str(path)]
