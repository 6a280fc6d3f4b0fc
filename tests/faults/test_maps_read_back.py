"""Maps: what is published lies where the scene lies, or nothing is published."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.warp import transform
from support.rasters import NODATA, QUICK, bands_of, land, plant, run, trained, write
from support.scene_files import make, setting

from anomvae.errors import RasterError
from anomvae.files import staging
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.objects import read_objects
from anomvae.objects.items import PIXELS
from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference, Layout, MapWriter, Scene
from anomvae.raster.gdal import session, unwarned
from anomvae.raster.readback import require_kept

ROTATED_POLE = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +ellps=WGS84"
IN_SIDE_CAR = {
    "rotated pole": (ROTATED_POLE, Affine(1e-3, 0, 5, 0, -1e-3, 3)),
    "healpix": ("+proj=healpix +ellps=WGS84", Affine(10, 0, 5e5, 0, -10, 4e5)),
    "rhealpix": ("+proj=rhealpix +ellps=WGS84", Affine(10, 0, 5e5, 0, -10, 4e5)),
    "isea": ("+proj=isea +ellps=WGS84", Affine(10, 0, 5e5, 0, -10, 4e5)),
}
"""Systems that a GeoTIFF cannot hold itself."""
OTHER_WAY = "IAU_2015:19916"
"""Mercury with longitudes to the west, which a GeoTIFF turns into longitudes to the east."""
MAP = Layout("float32", np.nan, ("score",))
UTM = "EPSG:32633"
QUICKLY = [part for setting in QUICK for part in ("--set", setting)]
NORTH_UP = (10.0, 0.0, 5e5, 0.0, -10.0, 4e6)


def wkt(text):
    return CRS.from_user_input(text).to_wkt()


def places(path):
    """Return where a raster puts four pixels, axes (point, coordinate): degrees."""
    with unwarned(), rasterio.open(path) as dataset, session():
        xs, ys = dataset.transform @ np.array([[0.0, 10, 0, 10], [0, 0, 10, 10]])
        return np.transpose(transform(dataset.crs, "EPSG:4326", xs.tolist(), ys.tolist()))


@pytest.mark.parametrize("name", IN_SIDE_CAR)
def test_a_system_that_a_geotiff_cannot_hold_is_published_beside_the_map(tmp_path, name):
    crs, affine = IN_SIDE_CAR[name]
    scene = write(tmp_path / "scene.tif", plant(land(seed=1)), crs=crs, transform=affine)

    result = score_scene(trained(), scene, tmp_path / "out")

    for path in (result.path, result.files.flags):
        np.testing.assert_allclose(places(path), places(scene), rtol=0, atol=1e-9)
        assert path.with_name(path.name + ".aux.xml").exists()
    first = read_objects(result.files.objects).items[0]
    assert first.area_m2 is not None
    with Scene.of(result.path).open() as opened:
        assert opened.georeference.grid.crs


def test_the_side_car_of_a_map_that_is_replaced_goes_with_it(tmp_path):
    crs, affine = IN_SIDE_CAR["rotated pole"]
    scene = write(tmp_path / "scene.tif", plant(land(seed=1)), crs=crs, transform=affine)
    score_scene(trained(), scene, tmp_path / "out")
    (tmp_path / "scene.tif.aux.xml").unlink()
    write(scene, plant(land(seed=1)))

    result = score_scene(trained(), scene, tmp_path / "out", ScoreOptions(overwrite=True))

    np.testing.assert_array_equal(places(result.path), places(scene))
    names = {path.name for path in result.files.folder.iterdir()}
    assert names == {path.name for path in result.written}


def test_files_are_published_with_their_own_side_cars_only(tmp_path):
    for name in ("a.tif.aux.xml", "b.tif.aux.xml", "c.tif.aux.xml"):
        (tmp_path / name).write_text("old")

    with staging(tmp_path, "run") as stage:
        stage.path("a.tif").write_text("new")
        stage.path("a.tif.aux.xml").write_text("new")
        stage.path("b.tif").write_text("new")
        stage.publish("a.tif", "b.tif")

    content = {path.name: path.read_text() for path in tmp_path.iterdir()}
    new = dict.fromkeys(("a.tif", "a.tif.aux.xml", "b.tif"), "new")
    assert content == new | {"c.tif.aux.xml": "old"}


def test_a_system_that_no_side_car_holds_either_is_refused_before_anything_is_scored(tmp_path):
    where = Georeference(Grid((40, 48), NORTH_UP, wkt(OTHER_WAY)))

    with (
        pytest.raises(RasterError, match=r'system "Mercury .*" only in part.*gdalwarp') as error,
        MapWriter(tmp_path / "map.tif", where, MAP),
    ):
        pytest.fail("the map was begun")

    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


POINTS = tuple(GroundControlPoint(r, c, 10 + c / 99, 50 - r / 99) for r in (0, 9) for c in (0, 9))
MOVED = tuple(GroundControlPoint(p.row, p.col, p.x + 0.1, p.y) for p in POINTS)
ASKED = Georeference(Grid((40, 48), NORTH_UP, wkt(UTM)))
BY_POINTS = Georeference(Grid((40, 48)), gcps=POINTS, gcps_crs=wkt("EPSG:4326"))


@pytest.mark.parametrize(
    ("asked", "written", "lost"),
    [
        (ASKED, {"height": 41}, "shape"),
        (ASKED, {"crs": None}, "coordinate reference system"),
        (ASKED, {"crs": "EPSG:32634"}, "coordinate reference system"),
        (ASKED, {"crs": "EPSG:23033"}, "coordinate reference system"),  # another datum: 150 m
        (ASKED, {"transform": Affine(10, 0, 5e5, 0, -10, 4000002)}, "transform"),
        (ASKED, {"transform": Affine(10.1, 0, 5e5, 0, -10, 4e6)}, "transform"),
        (BY_POINTS, {"gcps": list(MOVED)}, "control points"),
        (BY_POINTS, {"gcps": list(POINTS[:3])}, "control points"),
        (BY_POINTS, {"crs": "EPSG:32633"}, "control points"),
    ],
)
def test_a_raster_that_lies_elsewhere_than_asked_is_found_out(tmp_path, asked, written, lost):
    made = {"count": 1, "dtype": "uint8", **asked.creation()}
    for name, content in (("same.tif", made), ("other.tif", made | written)):
        with unwarned(), rasterio.open(tmp_path / name, "w", driver="GTiff", **content):
            pass

    require_kept(tmp_path / "same.tif", asked)
    with pytest.raises(RasterError, match=f"keeps the {lost}.*only in part"):
        require_kept(tmp_path / "other.tif", asked)


def test_control_points_without_a_system_are_repeated_by_the_map(tmp_path):
    scene = tmp_path / "scene.tif"
    make(scene, plant(land(seed=1)), nodata=NODATA, describe=setting(gcps=(POINTS, CRS())))

    done = run("detect", scene, "-o", tmp_path / "out", *QUICKLY)

    assert (done.code, done.err) == (0, "")
    for end in ("anomaly", "flags"):
        with unwarned(), rasterio.open(tmp_path / f"out/scene.{end}.tif") as dataset:
            points, crs = dataset.gcps
            assert (crs, dataset.crs) == (None, None)
            assert [(p.row, p.col, p.x, p.y) for p in points] == [
                (p.row, p.col, p.x, p.y) for p in POINTS
            ]
    objects = read_objects(tmp_path / "out/scene.objects.geojson")
    flags = bands_of(tmp_path / "out/scene.flags.tif")[0] == 1
    assert objects.provenance.coordinates == PIXELS
    assert sum(item.area_px for item in objects.items) == flags.sum() > 0


def test_polygons_on_control_points_without_a_system_are_refused_in_one_line(tmp_path):
    scene = tmp_path / "scene.tif"
    make(scene, land(), nodata=NODATA, describe=setting(gcps=(POINTS, CRS())))
    polygon = '{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}'
    (tmp_path / "normal.geojson").write_text(polygon)

    done = run("train", scene, "--normal", tmp_path / "normal.geojson", "-o", tmp_path / "m")

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert "located by control points or polynomials only" in done.err
