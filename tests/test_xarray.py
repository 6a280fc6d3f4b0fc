"""``da.anomvae``: DataArrays have the scores of their files, to the bit, and stay lazy."""

import pickle
import re
import shutil
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imports import loaded as packages_after
from support.rasters import NODATA, QUICK, bands_of, land, plant, trained, write
from support.scene_files import in_folder, is_sentence, make

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import BandMismatch, ConfigError, CovariateMismatch
from anomvae.pixels.tiling import fitting_size

xarray = pytest.importorskip("xarray")
rioxarray = pytest.importorskip("rioxarray")
dask = pytest.importorskip("dask")
pytest.importorskip("anomvae.xarray")

pytestmark = pytest.mark.filterwarnings(r"ignore:Use `@` matmul:PendingDeprecationWarning")
"""Of rioxarray, with affine 3.1."""

NAMES = [f"B{number}" for number in range(1, 7)]
STORED = {"scales": [1e-4] * 6, "names": NAMES, "nodata": 0}
CONFIG = resolve_config("default", QUICK).config
CHUNKS = [None, {"y": 17, "x": 20}, {"band": 1, "y": 40, "x": 5}]
SCENE_NOISE = ("score.noise=scene",)
SPATIAL = ("model.family=spatial", "model.patch=[5, 3]")


@cache
def fitted(config="default", changes=(), threshold=None):
    """Fit a detector of a kind; once for all tests of a process."""
    import tempfile

    if not changes and threshold is None:
        return trained(config)
    rule = () if threshold is None else (f"threshold={threshold}",)
    resolved = resolve_config(config, (*QUICK, *changes, *rule)).config
    with tempfile.TemporaryDirectory() as folder:
        return anomvae.train([write(Path(folder) / "normal.tif", land())], resolved)


def in_numbers(values):
    """Return values as a file stores them in 16 bits; 0 is no data."""
    return np.where(values == NODATA, 0, np.round(values * 1e4)).astype("uint16")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A scene in float32, and in uint16 with scale, offset and no data."""
    folder, values = tmp_path_factory.mktemp("scenes"), plant(land(seed=1))
    offset = np.where(values == NODATA, 0, np.round(values * 1e4) + 1000).astype("uint16")
    with_offset = write(folder / "offset.tif", offset, **STORED)
    with rasterio.open(with_offset, "r+") as dataset:
        dataset.offsets = [-0.1] * 6
    return {
        "float32": write(folder / "float32.tif", values),
        "uint16": write(folder / "uint16.tif", in_numbers(values), **STORED),
        "offset": with_offset,
    }


def opened(path, chunks=None, **options):
    return rioxarray.open_rasterio(path, chunks=chunks, **options)


def layers_of(found):
    return np.stack([found[name].values for name in ("score", "reconstruction", "kl", "linear")])


def assert_same(array, detector, path, folder):
    """Require that an array has the layers and flags that `anomvae score` writes of its file."""
    files = anomvae.score_scene(detector, path, folder / "out").files
    np.testing.assert_array_equal(layers_of(array.anomvae.score(detector)), bands_of(files.scores))
    np.testing.assert_array_equal(array.anomvae.flags(detector).values, bands_of(files.flags)[0])


# To the bit


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("kind", ["float32", "uint16", "offset"])
def test_an_array_has_the_scores_and_flags_of_its_file(scenes, tmp_path, kind, chunks):
    assert_same(opened(scenes[kind], chunks), fitted(), scenes[kind], tmp_path)


@pytest.mark.parametrize("chunks", CHUNKS[1:2])
@pytest.mark.parametrize(
    ("config", "changes"),
    [
        ("default", SCENE_NOISE),
        ("small-objects", ()),
        ("small-objects", SCENE_NOISE),
        pytest.param("default", SPATIAL, marks=pytest.mark.slow),
        pytest.param("default", ("score.kind=iwae:4",), marks=pytest.mark.slow),
    ],
)
def test_what_looks_around_or_at_the_whole_scene_is_the_same(
    scenes, tmp_path, config, changes, chunks
):
    assert_same(
        opened(scenes["uint16"], chunks), fitted(config, changes), scenes["uint16"], tmp_path
    )


@pytest.mark.parametrize("rule", ["budget:9", "fdr:0.1", "log-sigma:3+local:2"])
@pytest.mark.parametrize("chunks", CHUNKS[:2])
def test_a_rule_of_the_scene_flags_the_same(scenes, tmp_path, rule, chunks):
    detector = fitted(threshold=rule)

    assert_same(opened(scenes["float32"], chunks), detector, scenes["float32"], tmp_path)


@given(
    rows=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    cols=st.lists(st.integers(1, 48), min_size=1, max_size=4),
    bands=st.integers(1, 6),
    order=st.permutations(("band", "y", "x")),
    kind=st.sampled_from(["small-objects", "noise"]),
)
@settings(in_folder, max_examples=8)
def test_scores_are_the_same_for_any_chunks_and_order(scenes, rows, cols, bands, order, kind):
    detector = (
        fitted("small-objects") if kind == "small-objects" else fitted("default", SCENE_NOISE)
    )
    whole = opened(scenes["uint16"])
    sizes = {"y": cut(rows, 40), "x": cut(cols, 48), "band": bands}

    found = whole.chunk(sizes).transpose(*order).anomvae.score(detector)

    assert found.score.dims == tuple(name for name in order if name != "band")
    np.testing.assert_array_equal(
        layers_of(found.transpose("y", "x")), layers_of(whole.anomvae.score(detector))
    )


def cut(sizes, length):
    """Return sizes of chunks that add up to a length."""
    ends = np.minimum(np.cumsum(sizes), length)
    ends = np.unique(np.append(ends, length))
    return tuple(np.diff(ends, prepend=0).tolist())


def test_units_are_decided_by_the_data_as_by_the_command_line(scenes, tmp_path, caplog):
    percent = write(
        tmp_path / "percent.tif",
        np.where((values := bands_of(scenes["float32"])) == NODATA, NODATA, values * 100),
        names=NAMES,
    )
    detector = fitted()

    with caplog.at_level("WARNING"):
        assert_same(opened(percent, {"y": 17, "x": 20}), detector, percent, tmp_path)

    assert caplog.text.count("percent") >= 1
    as_stored = opened(percent, {"y": 17, "x": 20}).anomvae.score(detector, radiometry="as-stored")
    whole = opened(scenes["float32"]).anomvae.score(detector)
    assert np.nanmedian(as_stored.score.values) > 10 * np.nanmedian(whole.score.values)


@pytest.mark.parametrize("chunks", [None, {"x": 13}])
def test_decoded_values_are_scored_as_values(scenes, chunks):
    decoded = opened(scenes["uint16"], chunks, mask_and_scale=True)

    found, whole = (array.anomvae.score(fitted()) for array in (decoded, opened(scenes["uint16"])))

    np.testing.assert_allclose(layers_of(found), layers_of(whole), rtol=1e-3, atol=1e-4)
    assert np.isnan(found.score.values[0]).all()


def test_numbers_of_the_caller_are_no_data_and_the_array_is_not_changed(scenes):
    array = opened(scenes["float32"]).load()
    array.values[:, 5] = -7
    before = array.values.copy()

    found = array.anomvae.score(fitted(), nodata=-7)
    lazy = array.chunk({"x": 11}).anomvae.score(fitted(), nodata=(-7, -8))

    assert np.isnan(found.score.values[5]).all()
    np.testing.assert_array_equal(layers_of(found), layers_of(lazy))
    np.testing.assert_array_equal(array.values, before)


# Laziness


class Untouched:
    """Numbers that fail when they are read."""

    shape, dtype, ndim = (6, 4000, 4000), np.dtype("float32"), 3

    def __getitem__(self, key):
        raise AssertionError("numbers were read")


def test_tiles_inside_of_a_chunk_do_not_show(scenes, monkeypatch):
    detector, array = fitted("small-objects", SCENE_NOISE), opened(scenes["uint16"], {"x": 31})
    whole = layers_of(array.anomvae.score(detector))

    cut_up = partial(fitting_size, budget=4 * 6 * 60)
    monkeypatch.setattr("anomvae.mapping.lazy_scores.fitting_size", cut_up)
    found = layers_of(array.anomvae.score(detector))

    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize(("config", "changes"), [("default", ()), ("small-objects", SCENE_NOISE)])
def test_nothing_is_read_when_scores_are_asked_for(config, changes):
    import dask.array

    numbers = dask.array.from_array(Untouched(), chunks=(6, 500, 500), meta=np.empty((0, 0, 0)))
    array = xarray.DataArray(numbers, dims=("band", "y", "x"))
    detector = fitted(config, changes)

    found = array.anomvae.score(detector)

    assert found.score.shape == (4000, 4000)
    assert max(max(sizes) for sizes in found.score.chunks) <= 500
    with pytest.raises(AssertionError, match="numbers were read"):
        found.score[:5, :5].compute()


def test_flags_by_a_known_threshold_are_lazy(scenes):
    flags = opened(scenes["uint16"], {"x": 16}).anomvae.flags(fitted())

    assert flags.chunks is not None
    assert opened(scenes["uint16"]).anomvae.flags(fitted()).chunks is None


def test_a_part_of_the_scores_reads_a_part_of_the_array(scenes):
    import dask.array

    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return np.full((6, 50, 50), 0.3, np.float32)

    numbers = dask.array.map_blocks(block, chunks=((6,), (50,) * 4, (50,) * 4), dtype="float32")
    array = xarray.DataArray(numbers, dims=("band", "y", "x"))

    array.anomvae.score(fitted(), radiometry="as-stored").score[60:70, 60:70].compute(
        scheduler="sync"
    )

    assert set(read) == {(0, 1, 1)}


def test_no_chunk_waits_for_the_noise_of_the_scene():
    import dask.array

    read = []

    def block(block_info=None):
        place = block_info[None]["chunk-location"][1:]
        read.append(place)
        values = np.random.default_rng(place).normal(0.3, 0.05, (6, 50, 50))
        return values.astype(np.float32)

    numbers = dask.array.map_blocks(block, chunks=((6,), (50,) * 4, (50,) * 4), dtype="float32")
    array = xarray.DataArray(numbers, dims=("band", "y", "x"))
    found = array.anomvae.score(fitted("default", SCENE_NOISE), radiometry="as-stored")

    found.score.sum().compute(scheduler="sync")

    assert len(read) == 32
    assert len(set(read[:16])) == len(set(read[16:])) == 16  # all for the noise, then all again


def test_workers_score_without_torch(scenes):
    found = opened(scenes["uint16"], {"y": 20, "x": 48}).anomvae.score(fitted()).score
    checked = found.data.map_blocks(without_torch, dtype="float32")

    scored = checked.compute(scheduler="processes", num_workers=1)

    np.testing.assert_array_equal(scored, found.values)


def without_torch(scores):
    assert "torch" not in sys.modules
    return scores


def test_the_accessor_loads_neither_torch_nor_dask():
    found = packages_after("import anomvae.xarray")

    assert not found & {"torch", "dask", "matplotlib", "sklearn"}


def test_a_graph_can_be_pickled(scenes):
    found = opened(scenes["uint16"], {"x": 16}).anomvae.score(fitted("default", SCENE_NOISE)).score

    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).values, found.values)


# Labels


@pytest.mark.parametrize("chunks", CHUNKS[:2])
def test_coordinates_attributes_and_the_reference_system_are_kept(scenes, tmp_path, chunks):
    array = opened(scenes["uint16"], chunks).assign_attrs(mission="test", long_name=NAMES)

    found = array.anomvae.score(fitted())

    assert set(found) == {"score", "reconstruction", "kl", "linear"}
    assert "band" not in found.coords
    xarray.testing.assert_equal(found.x, array.x)
    xarray.testing.assert_equal(found.y, array.y)
    assert found.score.rio.crs == array.rio.crs
    assert found.score.rio.transform() == array.rio.transform()
    assert found.score.attrs["mission"] == found.attrs["mission"] == "test"
    assert found.score.attrs["units"] == "nats"
    assert found.attrs["anomvae_model"] == fitted().id
    assert found.attrs["anomvae_threshold"] == fitted().threshold.value
    assert not set(found.score.attrs) & {"_FillValue", "scale_factor", "add_offset"}
    found.score.rio.to_raster(tmp_path / "score.tif")
    np.testing.assert_array_equal(bands_of(tmp_path / "score.tif")[0], found.score.values)


def test_flags_say_what_they_mean(scenes):
    flags = opened(scenes["uint16"]).anomvae.flags(fitted())

    assert (flags.dtype, flags.name) == (np.uint8, "flags")
    assert flags.attrs["flag_values"].tolist() == [0, 1, 255]
    assert flags.attrs["flag_meanings"] == "normal anomalous no_data"
    assert flags.rio.encoded_nodata == 255
    assert (flags[0] == 255).all()


def test_names_and_wavelengths_of_an_array_are_its_bands():
    values = np.zeros((3, 2, 2), "float32")
    named = xarray.DataArray(values, dims=("band", "y", "x"), attrs={"long_name": ("a", "b", "c")})
    coordinate = xarray.DataArray(
        values, {"band": ["red", "green", "blue"]}, dims=("band", "y", "x")
    )
    waves = xarray.DataArray([0.45, 0.55, 0.65], dims="wavelength", attrs={"units": "um"})
    spectral = xarray.DataArray(
        np.moveaxis(values, 0, -1), {"wavelength": waves}, dims=("lat", "lon", "wavelength")
    )

    assert named.anomvae.bands.names == ("a", "b", "c")
    assert coordinate.anomvae.bands.names == ("red", "green", "blue")
    assert [band.wavelength for band in spectral.anomvae.bands] == [450, 550, 650]
    assert not xarray.DataArray(values, dims=("band", "y", "x")).anomvae.bands.named


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_cube_of_envi_has_the_bands_and_values_of_its_file(tmp_path):
    path = envi_cube(tmp_path)
    array = opened(path, {"y": 9})

    bands = array.anomvae.bands

    with anomvae.Scene.of(path).open() as scene:
        own = scene.newest.dataset.bands
    assert [replace(one, bad="") for one in bands] == [replace(one, bad="") for one in own]
    assert [bool(band.bad) for band in bands] == [False] * 5 + [True]
    assert [bool(band.bad) for band in array[3:].anomvae.bands] == [False, False, True]
    config = resolve_config("default", QUICK).config
    assert_same(array, anomvae.train([path], config), path, tmp_path)
    found = array.anomvae.detect(config)
    files = anomvae.detect_scene(path, tmp_path / "detected", config).files
    np.testing.assert_array_equal(layers_of(found), bands_of(files.scores))


def envi_cube(folder):
    """Write a cube with wavelengths, a list of bad bands and a reflectance scale factor."""
    path = make(folder / "cube.img", in_numbers(land(seed=1)), driver="ENVI")
    header = folder / "cube.hdr"
    items = {
        "wavelength": "{450, 500, 550, 600, 650, 1400}",
        "wavelength units": "Nanometers",
        "fwhm": "{10, 10, 10, 10, 10, 20}",
        "bbl": "{1, 1, 1, 1, 1, 0}",
        "reflectance scale factor": "10000",
    }
    text = header.read_text().partition("band names")[0]
    header.write_text(text + "".join(f"{name} = {value}\n" for name, value in items.items()))
    return path


def test_bands_are_found_by_name_in_another_order(scenes, tmp_path):
    path = write(tmp_path / "named.tif", in_numbers(land()), **STORED)
    detector = anomvae.train([path], resolve_config("default", QUICK).config)
    array = opened(scenes["uint16"])
    turned = array.isel(band=[5, 4, 3, 2, 1, 0]).assign_attrs(long_name=NAMES[::-1])

    np.testing.assert_array_equal(
        layers_of(turned.anomvae.score(detector)), layers_of(array.anomvae.score(detector))
    )


# Several dates


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    days = ("2024-06-01", "2024-06-11", "2024-06-21")
    paths = []
    for number, day in enumerate(days):
        values = (land(seed=3) * (1 + 0.02 * number)).astype("float32")
        values[:, 20:23, 30 + number : 33 + number] = 0.9
        paths.append(write(folder / f"site_{day}.tif", values))
    arrays = [opened(path) for path in paths]
    times = xarray.DataArray(np.array(days, "datetime64[ns]"), dims="time")
    return paths, xarray.concat(arrays, times)


@pytest.mark.parametrize("chunks", [None, {"time": 1, "y": 17, "x": 20}])
@pytest.mark.slow
def test_a_family_that_compares_dates_scores_the_newest(dates, tmp_path, chunks):
    paths, array = dates
    config = resolve_config("sequential", QUICK).config
    detector = anomvae.train(paths, config)
    array = array if chunks is None else array.chunk(chunks)

    found = array.anomvae.score(detector)

    files = anomvae.score_scene(detector, paths, tmp_path / "out").files
    np.testing.assert_array_equal(layers_of(found), bands_of(files.scores))
    assert found.time == array.time[-1]


@pytest.mark.parametrize("chunks", [None, {"time": 1, "y": 17}])
def test_any_other_family_scores_each_date(dates, chunks):
    array = dates[1] if chunks is None else dates[1].chunk(chunks)

    found, flags = array.anomvae.score(fitted()), array.anomvae.flags(fitted())

    assert found.score.dims == flags.dims == ("time", "y", "x")
    one = array.isel(time=1)
    np.testing.assert_array_equal(found.score[1].values, one.anomvae.score(fitted()).score.values)
    np.testing.assert_array_equal(flags[1].values, one.anomvae.flags(fitted()).values)


def test_changes_are_detected_in_an_array_of_dates(dates, tmp_path):
    paths, array = dates
    config = resolve_config("timeseries", ["training.max_steps=60"]).config

    found = array.anomvae.detect(config, seed=1)

    files = anomvae.detect_scene(paths, tmp_path / "out", config, seed=1).files
    np.testing.assert_array_equal(layers_of(found), bands_of(files.scores))
    np.testing.assert_array_equal(found.flags.values, bands_of(files.flags)[0])


# Detection


@pytest.mark.parametrize("chunks", CHUNKS[:2])
def test_what_is_detected_in_an_array_is_that_of_its_file(scenes, tmp_path, chunks):
    config, path = CONFIG, scenes["uint16"]

    found = opened(path, chunks).anomvae.detect(config, seed=3)

    files = anomvae.detect_scene(path, tmp_path / "out", config, seed=3).files
    np.testing.assert_array_equal(layers_of(found), bands_of(files.scores))
    np.testing.assert_array_equal(found.flags.values, bands_of(files.flags)[0])
    fit = opened(path, chunks).anomvae.fit(config, seed=3)
    assert found.attrs["anomvae_model"] == fit.id


# The page


def test_the_examples_of_the_page_run(scenes, tmp_path, monkeypatch):
    page = (Path(anomvae.__file__).parent.parent / "docs" / "xarray.md").read_text("utf-8")
    first, second = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    fitted().save(tmp_path / "model.safetensors")
    shutil.copy(scenes["uint16"], tmp_path / "scene.tif")
    monkeypatch.chdir(tmp_path)
    names = {}

    exec(first, names)
    exec(second.replace("seed=0", "QUICK, seed=0"), names | {"QUICK": CONFIG}, names)

    assert (tmp_path / "score.tif").is_file()
    assert int((names["flags"] == 1).sum()) == int(names["strongest"].notnull().sum())
    assert names["found"].attrs["anomvae_model"] == names["detector"].id


# Errors


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (("y", "x"), "band is not found"),
        (("time", "y", "x"), "band is not found"),
        (("band", "y", "column"), None),
        (("band", "y", "across"), "x is not found"),
        (("band", "y", "x", "level"), "band, y, x, level"),
        (("band", "channel", "y", "x"), "band is not found once"),
    ],
)
def test_other_dimensions_are_refused_in_a_line(dims, words):
    array = xarray.DataArray(np.ones((6, 5, 4, 3)[: len(dims)], "float32"), dims=dims)
    if words is None:
        assert len(array.anomvae.bands) == 6
        return

    with pytest.raises(ConfigError, match=words) as refused:
        array.anomvae.score(fitted())

    assert is_sentence(refused)


@pytest.mark.parametrize("chunks", [None, {"x": 2}])
def test_other_bands_are_refused_when_scores_are_asked_for(chunks):
    array = xarray.DataArray(np.ones((5, 4, 4), "float32"), dims=("band", "y", "x"))
    array = array if chunks is None else array.chunk(chunks)

    with pytest.raises(BandMismatch) as refused:
        array.anomvae.score(fitted())

    assert is_sentence(refused)


def test_what_no_array_can_give_is_refused(dates):
    array = dates[1]
    text = xarray.DataArray(np.full((6, 2, 2), "a"), dims=("band", "y", "x"))
    unscaled = array.isel(time=0).assign_attrs(scale_factor=0)

    for wrong, words in (
        (array.isel(time=[1, 0, 2]), "not oldest first"),
        (text, "real numbers are expected"),
        (unscaled, "a scale of 0"),
        (array.isel(time=0).assign_attrs(add_offset=None), "offset that is no number"),
        (array.isel(time=0, x=slice(0, 0)), "40 x 0 pixels"),
    ):
        with pytest.raises(ConfigError, match=words) as refused:
            wrong.anomvae.detect()
        assert is_sentence(refused)


def test_an_array_without_a_date_is_refused(dates):
    with pytest.raises(ConfigError, match="has no date") as refused:
        dates[1].isel(time=slice(0, 0)).anomvae.score(fitted())

    assert is_sentence(refused)


def test_a_detector_with_covariates_is_refused(tmp_path, scenes):
    config = resolve_config("default", (*QUICK, "model.family=cvae")).config
    path = write(tmp_path / "scene_2024-06-01.tif", land())
    detector = anomvae.train([path], config, select=anomvae.Selection(covariates=("day",)))

    with pytest.raises(CovariateMismatch):
        opened(scenes["float32"], {"x": 9}).anomvae.score(detector)


def test_a_model_file_is_a_detector(scenes, tmp_path):
    fitted().save(tmp_path / "model.safetensors")

    found = opened(scenes["uint16"]).anomvae.score(tmp_path / "model.safetensors")

    assert found.attrs["anomvae_model"] == fitted().id
