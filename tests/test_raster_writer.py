"""Maps on disk: a valid COG that keeps everything, or nothing."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from rio_cogeo import cog_validate

from anomvae.errors import RasterError
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Category, Georeference, Layout, MapWriter, Scene, open_map, open_raster

TAGS = {"ANOMVAE_MODEL": "abc", "ANOMVAE_NOTE": "Müller, 3 µm"}
SCORES = Layout("float32", np.nan, ("score", "reconstruction", "kl"), TAGS)
CATEGORIES = (
    Category(0, "normal", (235, 235, 235)),
    Category(1, "anomalous", (215, 25, 28)),
    Category(255, "no data", (0, 0, 0)),
)
FLAGS = Layout("uint8", 255, ("flag",), categories=CATEGORIES, overviews="mode", predictor=False)
UTM = CRS.from_epsg(32618).to_wkt(version="WKT2_2019")
NORTH_UP = (3.5, 0.0, 5e5, 0.0, -3.5, 4e6)


def scores(shape, seed=0):
    """Return scores with no data in the upper third, axes (band, row, col)."""
    values = np.random.default_rng(seed).normal(size=(3, *shape)).astype("float32")
    values[:, : shape[0] // 3] = np.nan
    return values


def write(path, values, *, layout=SCORES, size=(200, 300), georeference=None):
    where = georeference or Georeference(Grid(values.shape[1:], NORTH_UP, UTM))
    with MapWriter(path, where, layout) as writer:
        for tile in tiles(values.shape[1:], size):
            writer.write(tile.keep, values[:, tile.keep[0], tile.keep[1]])
    return where


def comparable(one):
    """Return the content of a georeference, however its reference systems are written."""
    crs, gcps_crs = (CRS.from_wkt(wkt) if wkt else None for wkt in (one.grid.crs, one.gcps_crs))
    gcps = [(point.row, point.col, point.x, point.y, point.z) for point in one.gcps]
    meaning = one.area_or_point if crs else "Area"  # GDAL keeps it with a system only
    return one.grid.shape, one.grid.transform, crs, gcps, gcps_crs, one.rpcs, meaning


@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (512, 512), (700, 600), (1100, 513)])
@pytest.mark.parametrize("layout", [SCORES, FLAGS], ids=["scores", "flags"])
def test_a_map_is_a_valid_cog_with_the_values_written(tmp_path, shape, layout):
    values = scores(shape)
    if layout is FLAGS:
        values = np.where(np.isnan(values[:1]), 255, values[:1] > 1).astype("uint8")

    write(tmp_path / "map.tif", values, layout=layout)

    valid, errors, warnings = cog_validate(tmp_path / "map.tif", strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(tmp_path / "map.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        np.testing.assert_equal(dataset.nodata, layout.nodata)
        assert dataset.descriptions == layout.descriptions
        assert layout.tags.items() <= dataset.tags().items()
        assert bool(dataset.overviews(1)) is (max(shape) > 512)
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


def test_two_runs_and_any_tiling_give_the_same_bytes(tmp_path):
    values = scores((700, 600))

    for number, size in enumerate([(64, 600), (200, 300), (512, 512), (700, 600), (700, 600)]):
        write(tmp_path / f"{number}.tif", values, size=size)

    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


GRIDS = {
    "north-up": Grid((20, 30), NORTH_UP, UTM),
    "south-up": Grid((20, 30), (3.5, 0.0, 5e5, 0.0, 3.5, 4e6), UTM),
    "rotated": Grid((20, 30), (3.0, 1.0, 5e5, 1.0, -3.0, 4e6), UTM),
    "no crs": Grid((20, 30), (2.0, 0.0, 7.0, 0.0, -2.0, 9.0)),
    "nothing": Grid((20, 30)),
}
GCPS = tuple(GroundControlPoint(r, c, 10 + c / 99, 50 - r / 99, 3) for r in (0, 9) for c in (0, 9))
COEFFICIENTS = [0.5] * 20, [1.0] + [0.0] * 19
RPCS = RPC(
    height_off=100, height_scale=500, lat_off=50, lat_scale=1, long_off=10, long_scale=1,
    line_off=10, line_scale=10, samp_off=15, samp_scale=15, err_bias=1.5, err_rand=0.5,
    line_num_coeff=COEFFICIENTS[0], line_den_coeff=COEFFICIENTS[1],
    samp_num_coeff=COEFFICIENTS[0], samp_den_coeff=COEFFICIENTS[1],
)  # fmt: skip
GEOREFERENCES = {
    **{name: Georeference(grid) for name, grid in GRIDS.items()},
    **{f"{name}, points": Georeference(GRIDS[name], area_or_point="Point") for name in GRIDS},
    "gcps": Georeference(Grid((20, 30)), gcps=GCPS, gcps_crs=UTM),
    "rpcs": Georeference(Grid((20, 30)), rpcs=RPCS),
}


@pytest.mark.parametrize("name", GEOREFERENCES)
def test_the_georeference_is_kept(tmp_path, name):
    expected = write(tmp_path / "a.tif", scores((20, 30)), georeference=GEOREFERENCES[name])

    with Scene.of(tmp_path / "a.tif").open() as opened:
        assert comparable(opened.georeference) == comparable(expected)
        assert opened.georeference.indirect is (name in {"gcps", "rpcs"})


def test_category_names_and_colours_are_kept(tmp_path):
    write(tmp_path / "map.tif", np.zeros((1, 20, 30), "uint8"), layout=FLAGS)

    with rasterio.open(tmp_path / "map.tif") as dataset:
        colours, tags = dataset.colormap(1), dataset.tags(1)
        assert dataset.colorinterp == (ColorInterp.palette,)
    assert colours[1] == (215, 25, 28, 255)
    assert colours[255][3] == 0  # transparent
    assert {f"CATEGORY_{one.value}": one.name for one in FLAGS.categories}.items() <= tags.items()


@pytest.mark.parametrize("layout", [SCORES, FLAGS], ids=["scores", "flags"])
def test_pixels_never_written_are_no_data(tmp_path, layout):
    with MapWriter(tmp_path / "map.tif", Georeference(Grid((600, 600))), layout):
        pass

    with open_raster(tmp_path / "map.tif") as dataset:
        assert np.isnan(dataset.read_first()).all()


@pytest.mark.parametrize("bands", [3, 4])  # an earlier version wrote three
def test_an_anomaly_map_is_read_and_any_other_raster_refused(tmp_path, bands):
    layout = replace(SCORES, descriptions=("score", "reconstruction", "kl", "linear")[:bands])
    values = np.resize(scores((40, 50)), (bands, 40, 50))
    where = write(tmp_path / "map.tif", values, layout=layout)
    write(tmp_path / "flags.tif", np.zeros((1, 20, 30), "uint8"), layout=FLAGS)

    with open_map(tmp_path / "map.tif") as result:
        score = result.dataset.read_first()

    np.testing.assert_array_equal(score, scores((40, 50))[0])
    assert result.tags["ANOMVAE_MODEL"] == "abc"
    assert comparable(Georeference(result.grid)) == comparable(where)
    with (
        pytest.raises(RasterError, match="has the bands flag, but an anomaly map has score"),
        open_map(tmp_path / "flags.tif"),
    ):
        pass


def test_an_error_or_a_layout_that_fits_no_tiff_leaves_nothing_behind(tmp_path):
    broken = Layout(dtype="uint8", nodata=255, descriptions=("a",) * 65_536)

    with (
        pytest.raises(ZeroDivisionError),
        MapWriter(tmp_path / "map.tif", Georeference(Grid((20, 30))), SCORES),
    ):
        raise ZeroDivisionError
    with (
        pytest.raises(RasterError, match=r"GDAL cannot create .*map\.tif"),
        MapWriter(tmp_path / "map.tif", Georeference(Grid((20, 30))), broken),
    ):
        pytest.fail("the map was begun")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layout", "values", "error"),
    [
        (SCORES, np.zeros((3, 4, 5), "float32"), ValueError),  # GDAL would stretch them
        (SCORES, np.zeros((1, 5, 5), "float32"), ValueError),
        (SCORES, np.zeros((3, 5, 4), "float32"), ValueError),
        (FLAGS, np.full((1, 5, 5), np.nan, "float32"), TypeError),
    ],
)
def test_values_of_another_shape_or_kind_are_refused(tmp_path, layout, values, error):
    with (
        MapWriter(tmp_path / "map.tif", Georeference(Grid((20, 30))), layout) as writer,
        pytest.raises(error, match=r"this window takes|Cannot cast"),
    ):
        writer.write((slice(0, 5), slice(0, 5)), values)


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_be_written_is_reported_in_one_line(tmp_path, folder):
    (tmp_path / "file").write_text("")

    with pytest.raises(RasterError, match=r"map\.tif cannot be written: .*\. Choose") as error:
        write(tmp_path / folder / "map.tif", scores((2, 2)))

    assert "\n" not in str(error.value)


@pytest.fixture
def limit():
    """Limit the size of files, which fails as a full disk does: while a file is written."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.8, 0.999])
@pytest.mark.parametrize("tile", [(1024, 1024), (7, 1024)], ids=["whole", "strips"])
def test_a_full_disk_is_reported_in_one_line_and_leaves_nothing(tmp_path, limit, share, tile):
    # Noise does not shrink, so that each share of the COG is full at another stage.
    values = np.random.default_rng(0).integers(1, 2**32, (1, 700, 1024)).astype("uint32")
    layout = Layout("uint32", 0, ("noise",), overviews="nearest", predictor=False)
    write(tmp_path / "map.tif", values, layout=layout)
    size = (tmp_path / "map.tif").stat().st_size
    (tmp_path / "map.tif").unlink()

    limit(int(share * size))
    with pytest.raises(RasterError, match=r"map\.tif cannot be written: .*MB are free") as error:
        write(tmp_path / "map.tif", values, layout=layout, size=tile)

    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
