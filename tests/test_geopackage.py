"""Objects as a GeoPackage: the coordinates of the scene, the properties of the objects file."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from support.exports import lacks, run_by_system
from support.qgis import opened_by_qgis
from support.rasters import land, plant, run, trained, write
from support.refusals import refused
from support.scorers import Neighbours, content

from anomvae.errors import NotWritten
from anomvae.mapping import ScoreOptions, rethreshold, score_scene
from anomvae.objects import (
    Listing,
    PackageFile,
    ScoredTile,
    package_digest,
    read_objects,
    write_objects,
)
from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference

pyogrio = pytest.importorskip("pyogrio")
GPKG = ScoreOptions(gpkg=True)
UTM = Grid((40, 48), (10.0, 0.0, 5e5, 0.0, -10.0, 4e6), CRS.from_epsg(32633).to_wkt())
LOCAL = 'LOCAL_CS["mine",UNIT["metre",1]]'
ROTATED_POLE = (
    'GEOGCRS["rotated",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",'
    '6378137,298.257223563]]],DERIVINGCONVERSION["Pole rotation",METHOD["Pole rotation (GRIB '
    'convention)"],PARAMETER["Latitude of the southern pole (GRIB convention)",-40,ANGLEUNIT['
    '"degree",0.0174532925199433]],PARAMETER["Longitude of the southern pole (GRIB convention)",'
    '10,ANGLEUNIT["degree",0.0174532925199433]],PARAMETER["Axis rotation (GRIB convention)",0,'
    'ANGLEUNIT["degree",0.0174532925199433]]],CS[ellipsoidal,2],AXIS["latitude",north],AXIS['
    '"longitude",east],ANGLEUNIT["degree",0.0174532925199433]]'
)
needs_gdal = pytest.mark.skipif(lacks("osgeo.gdal"), reason="Debian's python3-gdal is not here")
needs_qgis = pytest.mark.skipif(lacks("qgis.core"), reason="Debian's python3-qgis is not here")


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land()))


def packed(folder, flags, grid=UTM, **listing):
    """Write the objects of flags as both files; return the GeoPackage."""
    folder.mkdir(exist_ok=True)
    scores = np.random.default_rng(0).random(flags.shape, np.float32)
    tile = ScoredTile(tuple(slice(0, side) for side in flags.shape), scores, flags)
    path = folder / "o.objects.gpkg"
    where = Georeference(replace(grid, shape=flags.shape))
    also = PackageFile(path, "a scene", "<qgis/>")
    write_objects(folder / "o.geojson", [tile], where, {}, Listing(0.0, **listing), also=also)
    return path


def some_flags(shape=(40, 48), seed=1):
    flags = np.random.default_rng(seed).random(shape) > 0.8
    flags[20:27, 20:27], flags[22:25, 22:25], flags[23, 23] = True, False, True  # a hole
    return flags


def rows_of(path):
    """Read all features, by pyogrio."""
    with_fid = pyogrio.raw.read(path, layer="objects", return_fids=True)
    meta, fids, geometries, columns = with_fid
    return meta, fids, geometries, dict(zip(meta["fields"], columns, strict=True))


def test_fields_are_the_properties_of_the_objects_file(scene, tmp_path):
    files = score_scene(trained(), scene, tmp_path / "out", GPKG).files

    meta, fids, _, columns = rows_of(files.package)

    features = json.loads(files.objects.read_text())["features"]
    assert meta["geometry_type"] == "MultiPolygon"
    assert fids.tolist() == columns["id"].tolist() == [one["id"] for one in features]
    for number, feature in enumerate(features):
        for name, value in feature["properties"].items():
            found = columns[name][number]
            if isinstance(value, list):
                assert json.loads(found)["y"] == value
            elif value is not None:
                assert found == value
            else:
                assert found is None or found != found


def test_outlines_are_exact_in_the_coordinates_of_the_scene(tmp_path):
    flags = some_flags()

    path = packed(tmp_path, flags)

    import shapely
    from rasterio.features import rasterize

    meta, _, geometries, columns = rows_of(path)
    outlines = shapely.from_wkb(geometries)
    assert meta["crs"] == "EPSG:32633"
    assert shapely.is_valid(outlines).all()
    assert (shapely.area(outlines) == 100.0 * columns["area_px"]).all()
    burnt = rasterize(outlines, out_shape=flags.shape, transform=Affine(*UTM.transform))
    np.testing.assert_array_equal(burnt.astype(bool), flags)


@pytest.mark.parametrize(
    ("grid", "crs", "corner"),
    [
        (replace(UTM, crs=CRS.from_epsg(4326).to_wkt()), "EPSG:4326", (500000, 4000000)),
        (replace(UTM, crs=LOCAL), "mine", (500000, 4000000)),
        (replace(UTM, crs=ROTATED_POLE), "rotated", (500000, 4000000)),
        (replace(UTM, crs=""), None, (500000, 4000000)),
        (Grid((40, 48)), None, (0, 0)),
        (Grid((40, 48), (3.0, 4.0, 0.0, 4.0, -3.0, 0.0), UTM.crs), "EPSG:32633", (0, 0)),
    ],
    ids=["degrees", "local", "WKT 2", "no system", "no location", "rotated"],
)
def test_any_system_is_kept(tmp_path, grid, crs, corner):
    flags = np.zeros((40, 48), bool)
    flags[0, 0] = True

    path = packed(tmp_path, flags, grid)

    meta, _, (geometry,), _ = rows_of(path)
    import shapely

    corners = shapely.get_coordinates(shapely.from_wkb(geometry)).round(6).tolist()
    assert list(map(float, corner)) in corners
    assert (crs or "Undefined") in str(meta["crs"])
    about = pyogrio.read_info(path, layer="objects")["layer_metadata"]["DESCRIPTION"]
    assert ("column, minus row" in about) == (not grid.located)


@needs_gdal
@pytest.mark.parametrize("crs", [UTM.crs, ROTATED_POLE, ""], ids=["UTM", "WKT 2", "none"])
@pytest.mark.parametrize("count", [0, 1])
def test_gdal_finds_no_fault_in_the_format(tmp_path, crs, count):
    path = packed(tmp_path, some_flags() * bool(count), replace(UTM, crs=crs))

    run_by_system("-m", "osgeo_utils.samples.validate_gpkg", path)


@needs_gdal
def test_another_program_can_edit_the_layer(tmp_path):
    path = packed(tmp_path, some_flags())
    code = """
import sys
from osgeo import ogr
ogr.UseExceptions()
source = ogr.Open(sys.argv[1], 1)
layer = source.GetLayerByName("objects")
before = layer.GetFeatureCount()
feature = layer.GetNextFeature()
layer.DeleteFeature(feature.GetFID())
copy = feature.Clone()
copy.SetFID(-1)
copy.SetGeometry(ogr.CreateGeometryFromWkt("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"))
layer.CreateFeature(copy)
layer.SetSpatialFilterRect(-1, -1, 2, 2)
print(before, layer.GetFeatureCount())
"""

    before, found = map(int, run_by_system("-c", code, path).split())

    assert found == 1 < before


def test_the_index_finds_objects_of_a_window(tmp_path):
    path = packed(tmp_path, some_flags())

    box = (500100, 3999800, 500200, 3999900)
    some = pyogrio.raw.read(path, layer="objects", bbox=box)[2]
    every = rows_of(path)[2]

    with closing(sqlite3.connect(path)) as database:
        indexed = database.execute("SELECT count(*) FROM rtree_objects_geom").fetchone()[0]
    assert indexed == len(every) > len(some) > 0


def test_the_file_repeats_to_the_bit_whatever_the_tiles(scene, tmp_path):
    one = score_scene(Neighbours(), scene, tmp_path / "a", GPKG).files
    other = score_scene(Neighbours(), scene, tmp_path / "b", replace(GPKG, tile=7, threads=2)).files

    assert one.package.read_bytes() == other.package.read_bytes()
    assert one.objects.read_bytes() == other.objects.read_bytes()


def test_the_objects_file_is_the_same_without_it(scene, tmp_path):
    with_package = score_scene(trained(), scene, tmp_path / "a", GPKG).files
    alone = score_scene(trained(), scene, tmp_path / "b").files

    ours, theirs = (read_objects(files.objects) for files in (with_package, alone))
    assert ours.items == theirs.items
    assert not alone.package.exists()


def test_another_threshold_makes_it_anew_or_removes_it(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out", GPKG)

    again = rethreshold(result.path, "quantile:0.1", options=GPKG)

    assert package_digest(again.files.package) == again.digest != result.digest
    assert len(rows_of(again.files.package)[1]) == again.objects
    assert not rethreshold(result.path, "quantile:0.1", options=GPKG).newly_written
    rethreshold(result.path, "quantile:0.2")
    assert not result.files.package.exists()


@pytest.mark.parametrize("how", ["text", "database"])
def test_a_file_of_the_name_that_is_not_ours_is_refused(scene, tmp_path, how):
    out = tmp_path / "out"
    out.mkdir()
    path = out / "scene.objects.gpkg"
    if how == "text":
        path.write_text("mine")
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE gpkg_metadata (md_standard_uri, metadata)")
    before = content(out)

    ran = run("detect", scene, "-o", out, "--gpkg", "--method", "rx")

    refused(ran, 3, "was not written by anomvae")
    assert content(out) == before


def test_a_full_disk_is_an_error_of_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("anomvae.objects.geopackage._insert", full)

    with pytest.raises(NotWritten, match=r"gpkg cannot be written: database or disk is full\."):
        packed(tmp_path, some_flags())


def test_only_what_is_listed_is_in_it(tmp_path):
    path = packed(tmp_path, some_flags(), top=3, min_area=2)

    assert rows_of(path)[1].tolist() == [1, 2, 3]


def test_hostile_names_are_text_in_every_layer(tmp_path):
    names = [f"b{number} <&\"'> \u202e {{}} é" for number in range(6)]
    path = write(tmp_path / "a&b'c %20.tif", plant(land()), names=names)

    ran = run(
        *("detect", path, "-o", tmp_path / "out", "--gpkg", "--stac", "--explain"),
        *("--threshold", "quantile:0.05", "--set", "training.max_steps=50"),
    )

    assert ran.code == 0, ran.err
    (package,) = (tmp_path / "out").glob("*.gpkg")
    bands = set(rows_of(package)[3]["band_1"].tolist())
    assert bands
    assert bands <= {name.replace("\u202e", "\\u202e") for name in names}


def test_a_title_that_is_no_text_is_escaped(tmp_path):
    path = tmp_path / "o.gpkg"
    flags = some_flags()
    tile = ScoredTile((slice(0, 40), slice(0, 48)), np.ones(flags.shape, np.float32), flags)

    also = PackageFile(path, "bay\udce9\n", "<qgis/>")
    write_objects(tmp_path / "o.geojson", [tile], Georeference(UTM), {}, Listing(0.0), also=also)

    about = pyogrio.read_info(path, layer="objects")["layer_metadata"]["DESCRIPTION"]
    assert about.startswith("bay\\udce9\\n;")


@needs_qgis
def test_qgis_lays_objects_on_a_scene_without_location(tmp_path):
    write(tmp_path / "bare.tif", plant(land()), crs=None, transform=None)
    files = score_scene(Neighbours(), tmp_path / "bare.tif", tmp_path / "out", GPKG).files

    layer = f"{files.package}|layername=objects"
    found = opened_by_qgis(files, tmp_path / "bare.png", outlines=[layer])

    (outlines,) = found["outlines"]
    first = min(one.peak for one in read_objects(files.objects).items)
    left, top = outlines[6]
    assert 0 <= left < 48
    assert -40 < top <= -first[0]
