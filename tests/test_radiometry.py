"""What files do not state about how values are stored is decided by the data, and reported."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rasters import run
from support.scene_files import make

from anomvae import Scene, score_scene, train
from anomvae.config import resolve_config
from anomvae.mapping import ScoreOptions, read_summary
from anomvae.parallel import processes
from anomvae.pixels.storage import Storage
from anomvae.raster import open_raster
from anomvae.stats.domain import BAND_LEVELS
from anomvae.stats.radiometry import Training, conversion_of

NAMES = ("B2", "B3", "B4", "B8", "B11", "B12")
DARK = np.array([0.02, 0.03, 0.02, 0.03, 0.02, 0.01])
LANDS = np.array([[0.03, 0.06, 0.04, 0.35, 0.18, 0.08], [0.09, 0.13, 0.17, 0.26, 0.36, 0.30], DARK])
SHAPE = (36, 36)


def reflectance(seed=0, shape=SHAPE, lands=LANDS):
    """Mix vegetation, soil and water, axes (row, col, band)."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(lands)), shape)
    return np.maximum(shares @ lands + rng.normal(0, 0.002, (*shape, lands.shape[1])), 0.001)


def storage(scale=1.0, offset=0.0, bands=6):
    return Storage((scale,) * bands, (offset,) * bands)


def training(values, stored=None):
    flat = values.reshape(-1, values.shape[-1])
    return Training(np.quantile(flat, BAND_LEVELS, axis=0), stored or storage())


def decided(values, stored, trained):
    flat = values.reshape(-1, values.shape[-1]).astype(np.float32)
    return conversion_of(flat, stored, trained)


@pytest.mark.parametrize(
    ("factor", "offset", "stored", "expected"),
    [
        (1.0, 0.0, storage(), None),
        (1e4, 0.0, storage(), storage(1e-4)),
        (1e2, 0.0, storage(), storage(1e-2)),
        (1.0, 0.1, storage(), storage(1.0, -0.1)),
        (1.0, 0.1, storage(1e-4), storage(1e-4, -0.1)),
        (1e4, 1e3, storage(), storage(1e-4, -0.1)),
        (1.0, 0.1, storage(1e-4, -0.1), None),
        (1e4, 0.0, storage(2.0), None),
    ],
)
def test_the_conversion_under_which_the_quantiles_agree_is_found(factor, offset, stored, expected):
    trained = training(reflectance(), storage(1e-4))

    found = decided(reflectance(1) * factor + offset, stored, trained)

    assert (found and found.storage) == expected


def test_a_scene_in_reflectance_becomes_counts_for_a_model_of_counts():
    trained = training(reflectance() * 1e4)

    assert decided(reflectance(1), storage(1e-4), trained).storage == storage(1.0)
    assert decided(reflectance(1) * 1e4 + 1000, storage(), trained).storage == storage(1.0, -1000.0)
    assert decided(reflectance(1) * 1e4, storage(), trained) is None


def test_the_scale_of_training_is_a_candidate():
    landsat = storage(2.75e-5, -0.2)
    trained = training(reflectance(), landsat)

    found = decided((reflectance(1) + 0.2) / 2.75e-5, storage(), trained)

    assert found.storage == landsat
    assert "those of training" in str(found)


@given(
    lands=st.lists(st.lists(st.floats(0.01, 0.6), min_size=6, max_size=6), min_size=2, max_size=3),
    light=st.floats(0.5, 2.0),
    haze=st.floats(0.0, 0.15),
)
def test_other_land_light_and_haze_are_no_reason_for_a_conversion(lands, light, haze):
    # Haze is stronger in blue than in infrared (Rayleigh and aerosols).
    bluish = haze * np.array([1.0, 0.8, 0.6, 0.4, 0.1, 0.05])
    other = reflectance(2, lands=np.array([*lands, DARK])) * light + bluish

    assert decided(other, storage(), training(reflectance())) is None


def test_nothing_is_decided_on_few_pixels_or_many_bands_or_fills():
    trained = training(reflectance())

    assert decided(reflectance(1)[:4] * 1e4, storage(), trained) is None
    assert decided(np.full((900, 6), 7.0), storage(), trained) is None
    many = reflectance(lands=np.tile(LANDS, (1, 3)))
    assert decided(many + 0.1, storage(bands=18), training(many, storage(bands=18))) is None


def test_pixels_of_a_fill_do_not_count():
    values = reflectance(1) * 1e4 + 1000
    values[:9] = 0

    found = decided(values, storage(), training(reflectance(), storage(1e-4)))

    assert found.storage == storage(1e-4, -0.1)


def tagged(scale, offset):
    def describe(dataset):
        dataset.descriptions = NAMES
        dataset.scales, dataset.offsets = (scale,) * 6, (offset,) * 6

    return describe


def written(path, values, scale=1.0, offset=0.0, tags=None, dtype="uint16"):
    """Store reflectance as numbers, and tag the file with a scale and an offset or others."""
    numbers = np.moveaxis((values - offset) / scale, -1, 0)
    numbers = np.rint(numbers) if "int" in dtype else numbers
    return make(path, numbers.astype(dtype), describe=tagged(*(tags or (scale, offset))))


def flags_of(result):
    with open_raster(result.files.flags) as dataset:
        return dataset.read_first()


@pytest.fixture(scope="module")
def ground():
    """One ground on two days, a strange object on the second."""
    values = reflectance(1)
    values[10:13, 10:13] = [0.5, 0.1, 0.5, 0.1, 0.5, 0.1]
    return reflectance(0), np.round(values, 4)


@pytest.fixture(scope="module")
def detector(tmp_path_factory, ground):
    old = written(tmp_path_factory.mktemp("old") / "old.tif", ground[0], 1e-4)
    return train([old], resolve_config("default", ["training.max_steps=60"]).config)


def test_equal_values_stored_otherwise_are_scored_alike_without_a_word(
    tmp_path, detector, ground, caplog
):
    results = [
        score_scene(detector, written(tmp_path / f"{number}.tif", ground[1], *how), tmp_path)
        for number, how in enumerate(
            [(1e-4,), (1e-4, -0.1), (1.0, 0.0, None, "float32"), (1e-2, 0.0, None, "float64")]
        )
    ]

    assert {result.flagged for result in results} == {results[0].flagged}
    assert results[0].flagged >= 9
    assert not any(result.radiometry for result in results)
    assert "convert" not in caplog.text


@pytest.mark.parametrize("tags", [(1e-4, 0.0), (1.0, 0.0)])
def test_another_baseline_without_its_tag_is_corrected_by_the_data_and_reported(
    tmp_path, detector, ground, caplog, tags
):
    right = score_scene(detector, written(tmp_path / "r.tif", ground[1], 1e-4, -0.1), tmp_path)
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, -0.1, tags)

    result = score_scene(detector, bare, tmp_path)

    np.testing.assert_array_equal(flags_of(result), flags_of(right))
    assert "baseline 04.00" in caplog.text
    assert "0.1 is taken off" in result.radiometry[0]
    assert read_summary(result.files).radiometry == result.radiometry
    assert json.loads(result.files.summary.read_text())["radiometry"] == list(result.radiometry)
    assert result.verdict.doubts[0].reason == result.radiometry[0]
    with open_raster(result.path) as dataset:
        assert dataset.tags["ANOMVAE_RADIOMETRY"] == result.radiometry[0]


def test_counts_without_a_scale_are_scored_by_a_model_of_reflectance(tmp_path, detector, ground):
    right = score_scene(detector, written(tmp_path / "right.tif", ground[1], 1e-4), tmp_path)
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))

    result = score_scene(detector, bare, tmp_path)

    np.testing.assert_array_equal(flags_of(result), flags_of(right))
    assert "counts of 0.0001 become values of 0 to 1" in result.radiometry[0]


def test_workers_convert_like_this_process_and_as_stored_switches_it_off(
    tmp_path, detector, ground
):
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    here = score_scene(detector, bare, tmp_path / "a")

    with processes(1) as mapper:
        there = score_scene(detector, bare, tmp_path / "b", ScoreOptions(tile=20), mapper=mapper)
    raw = score_scene(detector, bare, tmp_path / "c", ScoreOptions(radiometry="as-stored"))

    np.testing.assert_array_equal(flags_of(here), flags_of(there))
    assert not raw.radiometry
    assert raw.flagged > 0.9 * raw.valid


def test_the_command_line_reports_and_switches_off(tmp_path, detector, ground):
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    detector.save(tmp_path / "m.safetensors")
    arguments = ("score", bare, "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out")

    ended = run(*arguments)

    assert ended.code == 0
    assert "values are multiplied by 0.0001" in ended.err
    assert "in domain: doubtful" in ended.out
    raw = run(*arguments, "--radiometry", "as-stored", "--overwrite")
    assert "in domain: no" in raw.out
    assert run(*arguments, "--radiometry", "guess").code == 2


def test_a_converted_scene_stays_closed_and_picklable(tmp_path, ground):
    scene = Scene.of(written(tmp_path / "a.tif", ground[1], 1e-4))

    assert scene.conversions == ()
    with scene.open() as opened:
        assert opened.converted([None]) is opened
