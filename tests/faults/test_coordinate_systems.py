"""Coordinate reference systems: the same coordinates from every file format, at every step."""

import json
import pickle

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform
from scipy.ndimage import center_of_mass, label
from support.rasters import bands_of, land, plant, trained
from support.scene_files import make, ramp

from anomvae.mapping import score_scene
from anomvae.pixels.tiling import whole
from anomvae.raster import Layout, MapWriter, Scene, to_degrees
from anomvae.raster.gdal import GDAL_ERRORS, session, unwarned

CARRIERS = {
    "GTiff": "tif", "COG": "tif", "HFA": "img", "EHdr": "bil", "AAIGrid": "asc", "ENVI": "dat",
    "PNG": "png", "VRT": "vrt", "JP2OpenJPEG": "jp2", "GPKG": "gpkg",
    "Zarr": "zarr",
}  # fmt: skip
"""Formats that hold a coordinate reference system each in their own way, by driver of GDAL."""
WITHOUT_CODE = ("HFA", "EHdr", "AAIGrid")
"""Formats that hold no EPSG code."""
OF_GDAL = ("PNG", "JP2OpenJPEG", "VRT", "COG", "Zarr")
"""Formats whose coordinates GDAL writes as it does for a GeoTIFF, as WKT or with their code."""
SWAPPED = {32661: (30, 86), 5041: (30, 86), 32761: (50, -84), 5042: (50, -84), 5482: (175, -80)}
"""Polar systems, some with x and y in the order of northing and easting, and a place in each."""
OTHERS = {
    3031: (50, -84), 3413: (-40, 75), 32633: (15, 50), 4326: (15, 50), 2193: (174, -41),
    5514: (16, 50), 2065: (16, 50), 27700: (-2, 53), 22092: (19, -20), 2046: (19, -34),
    3857: (7, 7),
}  # fmt: skip
DEGREES = CRS.from_epsg(4326)


def carried(folder, driver, crs, place, values=None, before=0):
    """Write a raster in a format of GDAL; it begins some pixels before a place."""
    with session():
        (x,), (y,) = transform(DEGREES, crs, [place[0]], [place[1]])
    values = ramp(1, 4, 5) if values is None else values
    size = 1e-4 if crs.is_geographic else 10
    affine = Affine(size, 0, x, 0, -size, y) @ Affine.translation(-before, -before)
    plain = folder / "plain.tif"
    make(plain, values, crs=crs, transform=affine)
    if driver == "GTiff":
        return plain
    path = folder / f"scene.{CARRIERS[driver]}"
    if path.exists():
        rasterio.shutil.delete(path)
    with unwarned(), session():
        rasterio.shutil.copy(plain, path, driver=driver)
    return path


def degrees_by_gdal(path, points):
    """Return where a raster itself puts points (col, row), axes (point, coordinate)."""
    with unwarned(), rasterio.open(path) as dataset, session():
        xs, ys = dataset.transform @ points.T
        return np.transpose(transform(dataset.crs, DEGREES, xs.tolist(), ys.tolist()))


def degrees_by_anomvae(path, points):
    """Return the same by the georeference that a worker gets."""
    with Scene.of(path).open() as opened:
        where = pickle.loads(pickle.dumps(opened.georeference))
    return to_degrees(where, points)


def has_crs(path):
    with unwarned(), rasterio.open(path) as dataset:
        return bool(dataset.crs)


def assert_equal_places(path, code):
    points = np.array([[0.0, 0.0], [5.0, 4.0], [2.5, 1.0]])
    ours, theirs = (degrees(path, points) for degrees in (degrees_by_anomvae, degrees_by_gdal))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9, err_msg=f"EPSG:{code}")
    assert np.isfinite(ours).all(), code


@pytest.mark.parametrize(
    "driver",
    [pytest.param(each, marks=pytest.mark.slow) if each in OF_GDAL else each for each in CARRIERS],
)
def test_every_format_gives_the_coordinates_that_gdal_gives(tmp_path, driver):
    for code, place in (SWAPPED | OTHERS).items():
        path = carried(tmp_path, driver, CRS.from_epsg(code), place)
        if not has_crs(path):  # the format holds some only
            assert code not in SWAPPED
            continue

        assert_equal_places(path, code)


@pytest.mark.slow
@pytest.mark.parametrize("driver", WITHOUT_CODE)
def test_every_kind_of_projection_and_axes_gives_the_coordinates_that_gdal_gives(tmp_path, driver):
    for code, place in kinds_of_projected_systems():
        try:
            path = carried(tmp_path, driver, CRS.from_epsg(code), place)
            degrees_by_gdal(path, np.zeros((1, 2)))
        except GDAL_ERRORS:
            continue  # no inverse, or no form in this format

        assert_equal_places(path, code)


def kinds_of_projected_systems():
    """Return code and place of an EPSG system for each projection with each order of axes."""
    kinds = {}
    for code in range(2000, 32800):
        try:
            with session():  # else GDAL prints that there is no such code
                system = CRS.from_epsg(code).to_dict(projjson=True)
        except CRSError:
            continue
        box = system.get("bbox")
        if system["type"] == "ProjectedCRS" and box:
            axes = [(a["name"], a["direction"]) for a in system["coordinate_system"]["axis"]]
            longitude = (box["west_longitude"] + box["east_longitude"]) / 2
            place = longitude, (box["south_latitude"] + box["north_latitude"]) / 2
            kinds[system["conversion"]["method"]["name"], *axes] = code, place
    return list(kinds.values())


@pytest.mark.parametrize("driver", ["GTiff", *WITHOUT_CODE])
@pytest.mark.parametrize("code", SWAPPED)
def test_a_map_lies_where_its_scene_lies(tmp_path, driver, code):
    path = carried(tmp_path, driver, CRS.from_epsg(code), SWAPPED[code])
    with Scene.of(path).open() as opened:
        where = opened.georeference

    with MapWriter(tmp_path / "map.tif", where, Layout("float32", np.nan, ("score",))):
        pass

    points = np.array([[0.0, 0.0], [5.0, 4.0], [2.5, 1.0]])
    np.testing.assert_allclose(
        degrees_by_gdal(tmp_path / "map.tif", points), degrees_by_gdal(path, points), atol=1e-9
    )


@pytest.mark.parametrize("code", [32661, 5482])
def test_polygons_select_the_pixels_that_they_enclose(tmp_path, code):
    path = carried(tmp_path, "HFA", CRS.from_epsg(code), SWAPPED[code], ramp(1, 20, 30))
    corners = np.array([[3.0, 2.0], [9.0, 2.0], [9.0, 7.0], [3.0, 7.0], [3.0, 2.0]])
    polygon = {"type": "Polygon", "coordinates": [degrees_by_gdal(path, corners).tolist()]}
    (tmp_path / "normal.geojson").write_text(json.dumps(polygon))

    with Scene.of(path, normal=tmp_path / "normal.geojson").open() as opened:
        selected = opened.normal(whole(opened.grid.shape))

    expected = np.zeros((20, 30), bool)
    expected[2:7, 3:9] = True
    np.testing.assert_array_equal(selected, expected)


@pytest.mark.parametrize(("code", "other"), [(32661, 3413), (5482, 3031), (32661, 32661)])
@pytest.mark.parametrize("drivers", [("HFA", "GTiff"), ("GTiff", "HFA"), ("HFA", "HFA")])
def test_covariates_are_warped_to_the_pixels_that_they_cover(tmp_path, code, other, drivers):
    """A covariate whose values are its own columns and rows."""
    place, cols_and_rows = SWAPPED[code], np.indices((80, 80))[::-1] + 0.5
    for folder in ("scene", "covariate"):
        (tmp_path / folder).mkdir()
    scene = carried(tmp_path / "scene", drivers[0], CRS.from_epsg(code), place, ramp(1, 20, 30))
    values = cols_and_rows.astype("float32")
    covariate = carried(
        tmp_path / "covariate", drivers[1], CRS.from_epsg(other), place, values, before=40
    )

    with Scene.of(scene, covariates=[covariate]).open() as opened:
        read = opened.read(whole(opened.grid.shape))[0, ..., 1:]

    with rasterio.open(scene) as one, rasterio.open(covariate) as two, session():
        xs, ys = one.transform @ (np.indices((20, 30))[::-1] + 0.5).reshape(2, -1)
        there = np.array(transform(one.crs, two.crs, xs.tolist(), ys.tolist()))
        expected = np.transpose(~two.transform @ there).reshape(20, 30, 2)
    np.testing.assert_allclose(read, expected, atol=1e-3)


@pytest.mark.parametrize("driver", WITHOUT_CODE[:2])
def test_objects_lie_where_the_map_lies(tmp_path, driver):
    values = plant(land(seed=1), row=10, col=12)
    scene = carried(tmp_path, driver, CRS.from_epsg(32661), SWAPPED[32661], values)

    result = score_scene(trained(), scene, tmp_path / "out")

    labels, count = label(bands_of(result.files.flags)[0] == 1, np.ones((3, 3)))
    centres = np.array(center_of_mass(labels > 0, labels, range(1, count + 1)))[:, ::-1] + 0.5
    objects = json.loads(result.files.objects.read_text())["features"]
    properties = [one["properties"] for one in objects]
    found = [[one[f"centroid_{axis}"] for axis in "xy"] for one in properties]
    numbers = [labels[one["peak_row"], one["peak_col"]] for one in properties]  # by rank
    centres = centres[np.array(numbers) - 1]
    assert sorted(numbers) == list(range(1, count + 1))
    np.testing.assert_allclose(found, degrees_by_gdal(scene, centres), atol=1e-6)
    np.testing.assert_allclose(found, degrees_by_gdal(result.path, centres), atol=1e-6)
