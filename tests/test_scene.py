"""A scene is a closed list of names; open, it reads blocks of axes (time, row, col, value)."""

import datetime
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.scene_files import UTM, make, ramp, setting, source, vrt

from anomvae.errors import BandMismatch, ConfigError, CovariateMismatch, GridMismatch, RasterError
from anomvae.pixels.covariates import Covariate, day_values
from anomvae.pixels.grid import IDENTITY
from anomvae.pixels.tiling import whole
from anomvae.raster import Scene, scenes_of

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


def everything(folder, **options):
    return Scene.of(
        [folder / "2024-06-11.tif", folder / "2024-06-01.tif"],
        **{
            "dates": "",
            "bands": "nir",
            "mask": folder / "mask.tif",
            "normal": folder / "normal.tif",
            "covariates": [folder / "dem.tif", "day"],
        }
        | options,
    )


def block_of(scene, *detector):
    with scene.open(*detector) as opened:
        return opened.read(whole(opened.grid.shape))


# -- closed ---------------------------------------------------------------------------------------


def test_a_scene_is_made_without_opening_a_file():
    scene = everything(Path("gone"))

    assert scene.name == str(Path("gone/2024-06-11.tif"))
    assert scene.stem == "2024-06-11"
    assert [date.stem for date in scene.dates] == ["2024-06-01", "2024-06-11"]
    assert len(scene.identity) == 5  # two dates, mask, normal and dem; the day is no file
    assert Scene.of(scene) is scene
    assert [date.stem for date in everything(Path("gone"), dates="as-listed").dates] == [
        *("2024-06-11", "2024-06-01")
    ]


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

    (place,) = scenes_of(["a.tif", "b.tif"], one_place=True, normal=["n.tif"], **options)
    scenes = scenes_of(["a.tif", "b.tif"], one_place=False, normal=["n.tif", "o.tif"], **options)
    shared = scenes_of(["a.tif", "b.tif"], one_place=False, normal=["n.tif"])

    assert place == Scene.of(["a.tif", "b.tif"], normal="n.tif", **options)
    assert scenes == [
        Scene.of("a.tif", normal="n.tif", **options),
        Scene.of("b.tif", normal="o.tif", **options),
    ]
    assert [scene.normal for scene in shared] == ["n.tif", "n.tif"]


@pytest.mark.parametrize(
    ("make_scene", "message"),
    [
        (lambda: Scene.of([]), "No scene is given"),
        (lambda: scenes_of([], one_place=False), "No scene is given"),
        (lambda: scenes_of([], one_place=True), "No scene is given"),
        (lambda: scenes_of(["a"], one_place=False, normal=["m", "n"]), "2 masks .* 1 scenes"),
        (lambda: Scene.of(["a", "b"], dates=""), "no date in its name"),
        (lambda: Scene.of("a", dates="2024-06-01,2024-06-02"), "2 dates for 1 rasters"),
        (lambda: Scene.of("a", covariates=["categorical:"]), "names no file"),
        (lambda: Scene.of(Scene.of("a"), bands="2"), "a is a Scene with options of its own"),
    ],
)
def test_an_impossible_scene_is_an_error_of_configuration(make_scene, message):
    with pytest.raises(ConfigError, match=message):
        make_scene()


# -- open -----------------------------------------------------------------------------------------


def test_a_block_holds_every_date_with_bands_in_use_then_covariates(files):
    scene = everything(files, bands="nir,1")

    with scene.open() as opened:
        block = opened.read((slice(1, 3), slice(0, 4)))
        described = opened.bands.names, opened.covariates, opened.values_per_pixel
        names = opened.stem, opened.name, [Path(name).stem for name in opened.names]

    assert described == (("nir", "red"), (Covariate("continuous", "dem.tif"), Covariate("day")), 10)
    assert names == ("2024-06-11", scene.name, ["2024-06-01", "2024-06-11"])
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

    assert [one.name for one in before] == [
        *("a.vrt", "2024-06-01.tif", "mask.tif", "dem.tif", "day:2024-06-01")
    ]
    assert before == same != after != state()


# -- refused --------------------------------------------------------------------------------------


def opened_files():
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return [os.readlink(link) for link in links if os.path.lexists(link)]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bands": "swir"}, ConfigError, "No band is 'swir'"),
        ({"mask": "gone.tif"}, RasterError, r"gone\.tif does not exist"),
        ({"normal": "gone.tif"}, RasterError, r"gone\.tif does not exist"),
        ({"covariates": ["gone.tif"]}, RasterError, r"gone\.tif does not exist"),
        ({"covariates": ["categorical:gone.tif"]}, RasterError, r"gone\.tif does not exist"),
        ({"mask": "small.tif"}, GridMismatch, r"small\.tif has 5 x 5 pixels, but .* has 3 x 4"),
        ({"normal": "small.tif"}, GridMismatch, r"small\.tif has 5 x 5 pixels, but .* has 3 x 4"),
        ({"covariates": ["small.tif"]}, GridMismatch, r"small\.tif has 5 x 5 pixels, but"),
        ({"path": "other.tif", "covariates": ["day"]}, CovariateMismatch, "no date in its name"),
        ({"path": ["2024-06-11.tif", "small.tif"]}, GridMismatch, r"2024-06-11\.tif has 3 x 4"),
        ({"path": ["gone.tif", "2024-06-11.tif"]}, RasterError, r"gone\.tif does not exist"),
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
    with pytest.raises(
        CovariateMismatch, match=r"--covariates continuous:dem.tif --covariates day"
    ):
        block_of(everything(files, covariates=["day"]), bands, covariates)
    with pytest.raises(CovariateMismatch, match="trained without any"):
        block_of(everything(files), bands, ())


def test_importing_rasters_loads_nothing_heavy():
    heavy = {"torch", "scipy", "pandas", "sklearn", "pydantic", "matplotlib"}
    code = f"import sys, anomvae.raster; sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
