"""A scene is a closed list of names; open, it reads blocks of axes (time, row, col, value)."""

import datetime
import os
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from support.scene_files import UTM, in_folder, make, ramp, read, setting, source, vrt

from anomvae.errors import BandMismatch, ConfigError, CovariateMismatch, GridMismatch, RasterError
from anomvae.pixels.covariates import Covariate, day_values
from anomvae.pixels.grid import IDENTITY
from anomvae.pixels.tiling import whole
from anomvae.raster import Scene, Selection, scenes_of

NAMED = setting(descriptions=("red", "nir"))


@pytest.fixture
def files(tmp_path):
    """Write a scene of two dates and all that may be named with it."""
    for day, first in {"2024-06-11": 0, "2024-06-01": 100}.items():
        make(tmp_path / f"{day}.tif", ramp() + np.uint8(first), describe=NAMED, **UTM)
    make(tmp_path / "mask.tif", np.uint8([[[1, 1, 1, 1], [1, 0, 1, 1], [2, 9, 1, 1]]]), nodata=9)
    make(tmp_path / "normal.tif", ramp(1) % 2)
    make(tmp_path / "dem.tif", ramp(1, dtype="float32"), **UTM)
    return tmp_path


def everything(folder, *, dates="", bands="nir", covariates=("dem.tif", "day")):
    return Scene.of(
        [folder / "2024-06-11.tif", folder / "2024-06-01.tif"],
        dates=dates,
        bands=bands,
        mask=folder / "mask.tif",
        normal=folder / "normal.tif",
        covariates=[one if one == "day" else folder / one for one in covariates],
    )


def block_of(scene, *detector):
    with scene.open(*detector) as opened:
        return opened.read(whole(opened.grid.shape))


def test_a_scene_is_made_without_opening_a_file():
    scene = everything(Path("gone"))

    assert scene.name == str(Path("gone/2024-06-11.tif"))
    assert scene.stem == "2024-06-11"
    assert [date.stem for date in scene.dates] == ["2024-06-01", "2024-06-11"]
    assert len(scene.identity) == 5  # two dates, mask, normal and dem; the day is no file
    assert Scene.of(scene) is scene
    listed = everything(Path("gone"), dates="as-listed")
    assert [date.stem for date in listed.dates] == ["2024-06-11", "2024-06-01"]


def test_a_pickled_scene_with_absolute_paths_reads_the_same_anywhere(files, monkeypatch):
    monkeypatch.chdir(files)
    scene = everything(Path())
    block = block_of(scene)
    sent = pickle.dumps(scene.absolute())
    monkeypatch.chdir("/")

    copy = pickle.loads(sent)

    assert copy == copy.absolute() == everything(files)
    np.testing.assert_array_equal(block_of(copy), block)
    with copy.open() as opened:
        assert opened.normal(whole((3, 4))).sum() == 6


@pytest.mark.parametrize("name", ["s3://eo/a.tif", 'NETCDF:"a.nc":t2m', "/vsizip/a.zip/b.tif"])
def test_a_name_that_is_no_path_stays_as_it_is(name):
    scene = Scene.of(name, mask=name, normal=name, covariates=[name, "day:2024-06-01"])

    assert scene.absolute() == scene


@pytest.mark.parametrize("name", ["2024-06-01.tif", "mask.tif", "normal.tif", "dem.tif"])
def test_the_identity_changes_with_every_file(files, name):
    scene = everything(files)
    before = scene.identity

    os.utime(files / name, ns=(0, 1))

    assert [a == b for a, b in zip(before, scene.identity, strict=True)].count(False) == 1


def test_scenes_are_one_of_all_dates_or_one_of_each_raster_with_its_own_normal_pixels():
    options = {"bands": "2", "mask": "m.tif", "covariates": ["day"]}

    one, two = (Selection(normal=names, **options) for names in (["n"], ["n", "o"]))
    place = scenes_of(["a", "b"], one, one_site=True)
    scenes = scenes_of(["a", "b"], two, one_site=False)
    shared = scenes_of(["a", "b"], Selection(normal=["n"]), one_site=False)

    assert place == [Scene.of(["a", "b"], normal="n", **options)]
    assert scenes == [Scene.of("a", normal="n", **options), Scene.of("b", normal="o", **options)]
    assert [scene.normal for scene in shared] == ["n", "n"]


@pytest.mark.parametrize(
    ("make_scene", "message"),
    [
        (lambda: Scene.of([]), "No scene is given"),
        (lambda: scenes_of([], one_site=False), "No scene is given"),
        (
            lambda: scenes_of(["a"], Selection(normal=["m", "n"]), one_site=False),
            "2 masks .* 1 scenes",
        ),
        (lambda: Scene.of(["a", "b"], dates=""), "no date in its name"),
        (lambda: Scene.of("a", dates="2024-06-01,2024-06-02"), "2 dates for 1 rasters"),
        (lambda: Scene.of("a", covariates=["categorical:"]), "names no file"),
        (lambda: Scene.of(Scene.of("a"), bands="2"), "a is a Scene with options of its own"),
    ],
)
def test_an_impossible_scene_is_an_error_of_configuration(make_scene, message):
    with pytest.raises(ConfigError, match=message):
        make_scene()


def test_a_block_holds_every_date_with_bands_in_use_then_covariates(files):
    scene = everything(files, bands="nir,1")

    with scene.open() as opened:
        block = opened.read((slice(1, 3), slice(0, 4)))

    assert (opened.bands.names, opened.values_per_pixel) == (("nir", "red"), 10)
    assert opened.covariates == (Covariate("continuous", "dem.tif"), Covariate("day"))
    assert (opened.stem, opened.name) == ("2024-06-11", scene.name)
    assert [Path(name).stem for name in opened.names] == ["2024-06-01", "2024-06-11"]
    assert block.dtype == np.float32
    assert block.shape == (2, 2, 4, 5)
    bands = np.stack([ramp() + 100, ramp()]).astype(float)[:, ::-1, 1:].transpose(0, 2, 3, 1)
    bands[:, [0, 1], [1, 1]] = np.nan  # 0 and no data in the mask
    np.testing.assert_array_equal(block[..., :2], bands)
    np.testing.assert_array_equal(block[:, :, :, 2], 2 * [ramp(1)[0, 1:]])
    days = [day_values(datetime.date(2024, 6, day)) for day in (1, 11)]
    np.testing.assert_array_equal(block[:, 1, 2, 3:], days)


@pytest.mark.parametrize("crs", ["", "EPSG:32618"])
@pytest.mark.parametrize("transform", [IDENTITY, (2, 0, 5, 0, 2, 7), (3.5, 0, 5e5, 0, -3.5, 4e6)])
def test_the_newest_date_gives_grid_georeference_and_storage(tmp_path, crs, transform):
    where = {"crs": crs or None, "transform": rasterio.Affine(*transform)}
    old, new = (make(tmp_path / f"{day}.tif", ramp(), **where) for day in (1, 2))

    with Scene.of([old, new]).open() as opened:
        grid = opened.grid
        assert opened.georeference.grid == grid == opened.newest.grid
        assert opened.block_shape == (3, 4)
        assert opened.normal((slice(0, 2), slice(1, 4))).tolist() == 2 * [3 * [True]]

    assert (grid.shape, grid.transform, grid.epsg) == ((3, 4), transform, crs[5:])


def test_the_bands_of_a_detector_are_found_in_every_date_whatever_their_order(files):
    make(files / "2024-06-21.tif", ramp()[::-1], describe=setting(descriptions=("nir", "red")))
    with everything(files).open() as opened:
        detector = opened.bands

    block = block_of(Scene.of([files / "2024-06-21.tif", files / "2024-06-11.tif"]), detector)

    np.testing.assert_array_equal(block, 2 * [ramp()[1, ..., None]])


@pytest.mark.parametrize("file", ["2024-06-01.tif", "mask.tif", "dem.tif"])
def test_the_state_of_an_open_scene_changes_with_every_file_that_pixels_come_from(files, file):
    name = vrt(files / "a.vrt", [("Byte", source("2024-06-01.tif"))])
    options = {"mask": files / "mask.tif", "covariates": [files / "dem.tif", "day:2024-06-01"]}

    def state():
        with Scene.of(name, **options).open() as opened:
            return opened.files

    before = state()
    (files / f"{file}.aux.xml").write_text("<PAMDataset/>")  # the statistics of a viewer
    same = state()
    os.utime(files / file, ns=(0, 1))
    after = state()
    options["covariates"][1] = "day:2024-06-02"

    names = ["a.vrt", "2024-06-01.tif", "mask.tif", "dem.tif", "day:2024-06-01"]
    assert [one.name for one in before] == names
    assert before == same != after != state()


DEGREES = {"crs": "EPSG:4326", "transform": rasterio.Affine(2e-4, 0, -74.9995, 0, -2e-4, 36.144)}
SHAPE = (300, 60)
LAYOUTS = {
    "strips": {},
    "pixels together": {"interleave": "pixel"},
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 32},
    "compressed": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
}


@pytest.fixture(scope="module", params=LAYOUTS.values(), ids=LAYOUTS)
def large(request, tmp_path_factory):
    """Return a scene with nodata, a mask and covariates on another grid, and its whole block."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 9, (3, *SHAPE)).astype("int16")
    hills = rng.normal(500, 90, (1, 140, 40)).astype("float32")
    make(folder / "a.tif", values, nodata=5, **UTM, **request.param)
    make(folder / "mask.tif", rng.integers(0, 5, (1, *SHAPE)).astype("uint8"))
    make(folder / "dem.tif", hills, nodata=hills[0, 50, 20], **DEGREES)
    covariates = [folder / "dem.tif", f"categorical:{folder / 'dem.tif'}", "day:2024-06-01"]
    scene = Scene.of(folder / "a.tif", mask=folder / "mask.tif", covariates=covariates)
    block = read(scene)
    hidden = np.isnan(block[..., :5]).mean(axis=(0, 1))
    assert ((hidden > 0) & (hidden < 1)).all()
    return scene, block


def parts(side):
    """Draw half-open parts that together are an axis."""
    cuts = st.sets(st.integers(1, side - 1), max_size=4)
    return cuts.map(lambda inner: list(pairwise([0, *sorted(inner), side])))


@in_folder
@given(rows=parts(SHAPE[0]), cols=parts(SHAPE[1]))
def test_windows_that_tile_a_scene_give_the_block_of_the_whole(large, rows, cols):
    scene, block = large
    rebuilt = np.zeros_like(block)

    with scene.open() as opened:
        for window in ((slice(*row), slice(*col)) for row in rows for col in cols):
            rebuilt[window] = opened.read(window)[0]

    np.testing.assert_array_equal(rebuilt, block)


def opened_files():
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return [os.readlink(link) for link in links if os.path.lexists(link)]


GONE = r"gone\.tif does not exist"
SMALL = r"small\.tif has 5 x 5 pixels, but .* has 3 x 4"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bands": "swir"}, ConfigError, "No band is 'swir'"),
        ({"mask": "gone.tif"}, RasterError, GONE),
        ({"normal": "gone.tif"}, RasterError, GONE),
        ({"covariates": ["gone.tif"]}, RasterError, GONE),
        ({"covariates": ["categorical:gone.tif"]}, RasterError, GONE),
        ({"path": ["gone.tif", "2024-06-11.tif"]}, RasterError, GONE),
        ({"mask": "small.tif"}, GridMismatch, SMALL),
        ({"normal": "small.tif"}, GridMismatch, SMALL),
        ({"covariates": ["small.tif"]}, GridMismatch, SMALL),
        ({"path": "other.tif", "covariates": ["day"]}, CovariateMismatch, "no date in its name"),
        ({"path": ["2024-06-11.tif", "small.tif"]}, GridMismatch, r"2024-06-11\.tif has 3 x 4"),
        ({"path": ["other.tif", "2024-06-11.tif"]}, BandMismatch, r"other\.tif .* lacks red, nir"),
    ],
)
def test_a_scene_that_cannot_be_opened_is_named_and_all_its_files_are_closed(
    files, monkeypatch, options, error, message
):
    monkeypatch.chdir(files)
    make("small.tif", ramp(2, 5, 5))
    make("other.tif", ramp(), describe=setting(descriptions=("a", "b")))

    with (
        pytest.raises(error, match=message),
        Scene.of(**{"path": "2024-06-11.tif"} | options).open(),
    ):
        pass

    if os.path.isdir("/proc/self/fd"):
        assert not [name for name in opened_files() if name.startswith(str(files))]


def test_bands_and_covariates_are_those_of_the_detector_or_refused(files):
    with everything(files).open() as opened:
        bands, covariates = opened.bands, opened.covariates

    with pytest.raises(BandMismatch, match=r"It lacks nir"):
        block_of(everything(files, bands="red"), bands)
    with pytest.raises(CovariateMismatch, match=r"continuous:dem\.tif --covariates day"):
        block_of(everything(files, covariates=["day"]), bands, covariates)
    with pytest.raises(CovariateMismatch, match="trained without any"):
        block_of(everything(files), bands, ())


def test_what_a_side_car_states_of_a_band_is_part_of_the_identity_of_a_scene(tmp_path):
    path = make(tmp_path / "a.tif", ramp())
    found = []

    for scale in (1, 2):
        band = f'<PAMRasterBand band="1"><Scale>{scale}</Scale></PAMRasterBand>'
        (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
        with Scene.of(path).open() as opened:
            found.append(opened.files[0])

    assert found[0].sample == found[1].sample
    assert found[0].header != found[1].header
