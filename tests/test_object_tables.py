"""Objects as tables of pandas and geopandas, and in notebooks."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.rasters import land, plant, trained, write
from support.scorers import Neighbours

from anomvae.errors import ConfigError
from anomvae.mapping import score_scene
from anomvae.objects import Objects, read_objects

geopandas = pytest.importorskip("geopandas")


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    names = [f"{450 + 50 * number} nm" for number in range(6)]
    scene = write(folder / "scene.tif", plant(plant(land(seed=1)), 25, 30), names)
    detector = trained()
    return read_objects(score_scene(detector, scene, folder / "out").files.objects)


@pytest.fixture(scope="module")
def unexplained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unexplained")
    scene = write(folder / "scene.tif", plant(land(seed=1)), crs=None, transform=None)
    return read_objects(score_scene(Neighbours(), scene, folder / "out").files.objects)


def with_wavelengths(objects, *wavelengths):
    return Objects(replace(objects.provenance, wavelengths=wavelengths), objects.items)


def test_a_table_has_a_row_for_each_object(objects):
    table = objects.table()

    assert list(table.index) == [item.id for item in objects.items]
    assert list(table["score_max"]) == [item.score_max for item in objects.items]
    assert list(table["band_1"]) == [item.explanation.leading[0].band for item in objects.items]
    assert table["share_1"].dtype.kind == "f"
    assert (table[["share_reconstruction", "share_kl", "share_linear"]].sum(axis=1) > 0.999).all()
    assert "spectrum" not in table
    spectra = objects.table(spectra=True)["spectrum"]
    assert list(spectra) == [item.explanation.spectrum for item in objects.items]


def test_a_table_of_unexplained_objects_lacks_values_and_keeps_its_columns(objects, unexplained):
    table = unexplained.table()

    assert list(table.columns) == list(objects.table().columns)
    assert list(table.dtypes) == list(objects.table().dtypes)
    assert table[["share_kl", "band_1", "area_m2", "p"]].isna().all(axis=None)
    assert list(table["area_px"]) == [item.area_px for item in unexplained.items]


def test_no_objects_are_an_empty_table_with_all_columns(objects):
    none = Objects(objects.provenance, ())

    assert list(none.table().columns) == list(objects.table().columns)
    assert len(none.to_geopandas()) == len(none.table()) == 0
    assert "0" in none._repr_html_()


def test_a_geotable_has_outlines_in_longitude_and_latitude(objects):
    table = objects.to_geopandas()

    assert table.crs == "OGC:CRS84"
    areas = table.to_crs("EPSG:32633").area
    np.testing.assert_allclose(areas, table["area_px"].astype(float) * 100, rtol=2e-3)


def test_a_geotable_of_a_scene_not_on_earth_has_pixels_and_no_crs(unexplained):
    table = unexplained.to_geopandas()

    assert table.crs is None
    assert list(table.area) == list(table["area_px"])


def test_a_geopackage_holds_each_spectrum_as_a_profile_of_enmap_box(objects, tmp_path):
    objects = with_wavelengths(objects, 450.0, 500.0, 550.0, 600.0, 650.0, 700.0)

    objects.to_geopandas().to_file(tmp_path / "objects.gpkg")

    read = geopandas.read_file(tmp_path / "objects.gpkg")
    assert list(read["id"]) == [item.id for item in objects.items]
    for name in ("spectrum", "reconstruction", "annulus"):
        profiles = list(map(json.loads, read[name]))
        expected = [list(getattr(item.explanation, name)) for item in objects.items]
        assert [profile["y"] for profile in profiles] == expected
        assert {(*profile["x"], profile["xUnit"]) for profile in profiles} == {
            (450.0, 500.0, 550.0, 600.0, 650.0, 700.0, "nm")
        }


def test_a_profile_without_wavelengths_has_values_alone(objects):
    table = with_wavelengths(objects, 450.0, None, 550.0, 600.0, 650.0, 700.0).to_geopandas()

    assert {tuple(json.loads(text)) for text in table["spectrum"]} == {("y",)}


def test_a_missing_geopandas_is_one_clear_line(objects, monkeypatch):
    monkeypatch.setitem(sys.modules, "geopandas", None)

    with pytest.raises(ConfigError, match=r'pip install "anomvae\[vector\]"'):
        objects.to_geopandas()


def test_objects_are_shown_short(objects):
    assert repr(objects).startswith(f"Objects(scene.tif: {len(objects.items)}, threshold ")
    assert len(repr(objects)) < 100
    assert len(repr(objects.items[0])) < 800


def test_a_notebook_shows_the_strongest_objects_and_why(objects):
    many = Objects(replace(objects.provenance, scene="<b>.tif"), objects.items * 12)

    html = many._repr_html_()

    assert html.count("<tr") == 11  # one of the header
    assert f"and {len(many.items) - 10} more" in html
    assert objects.items[0].explanation.leading[0].band in html
    assert "<b>" not in html
