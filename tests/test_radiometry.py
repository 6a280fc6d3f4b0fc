"""What files do not state about how values are stored is decided by the data, and reported."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rasters import run
from support.scene_files import make

from anomvae import Scene, Selection, refit_threshold, score_scene, train
from anomvae.config import resolve_config
from anomvae.mapping import ScoreOptions, read_summary
from anomvae.pixels.storage import Storage
from anomvae.pixels.tiling import whole
from anomvae.raster import open_raster
from anomvae.raster.radiometry import in_common_units
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
    path.parent.mkdir(exist_ok=True)
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
    tmp_path, detector, ground, two
):
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    here = score_scene(detector, bare, tmp_path / "a")

    there = score_scene(detector, bare, tmp_path / "b", ScoreOptions(tile=20), mapper=two)
    raw = score_scene(detector, Scene.of(bare, radiometry="as-stored"), tmp_path / "c")

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


# Scenes of one call


@pytest.fixture
def tagged_counts(tmp_path, ground):
    return written(tmp_path / "tagged.tif", ground[0], 1e-4)


def trained_on(*scenes, **options):
    config = resolve_config("default", ["training.max_steps=20"]).config
    return train(scenes, config, select=Selection(**options))


@pytest.mark.parametrize("first", [True, False])
def test_training_scenes_come_into_the_units_of_the_one_that_states_its_own(
    tmp_path, ground, tagged_counts, caplog, first
):
    stated = written(tmp_path / "stated" / "b.tif", ground[1], 1e-4)
    bare = written(tmp_path / "b.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    order = slice(None) if first else slice(None, None, -1)

    mixed = trained_on(*[bare, tagged_counts][order])
    right = trained_on(*[stated, tagged_counts][order])

    np.testing.assert_allclose(mixed.band_quantiles, right.band_quantiles, atol=1e-7)
    assert mixed.threshold.value == pytest.approx(right.threshold.value, rel=1e-4)
    assert mixed.bands.storage == storage(1e-4)
    assert f"{bare}: values are multiplied by 0.0001" in caplog.text
    assert f"agree with those of {tagged_counts} only then" in caplog.text


def test_an_offset_that_one_training_scene_lacks_is_taken_off(tmp_path, ground, tagged_counts):
    bare = written(tmp_path / "b.tif", ground[1], 1e-4, -0.1, tags=(1e-4, 0.0))

    detector = trained_on(tagged_counts, bare)

    assert detector.band_quantiles[5].max() < 0.3


def test_equal_storage_and_one_scene_alone_are_read_as_they_are(tmp_path, ground, caplog):
    bare = [written(tmp_path / f"{n}.tif", g, 1e-4, tags=(1.0, 0.0)) for n, g in enumerate(ground)]

    assert trained_on(*bare).bands.storage == storage()
    assert trained_on(bare[0]).bands.storage == storage()
    assert "agree" not in caplog.text


def test_training_scenes_that_no_conversion_joins_are_refused(tmp_path, ground, tagged_counts):
    odd = written(tmp_path / "odd.tif", ground[1], 3e-7, tags=(1.0, 0.0), dtype="uint32")

    ended = run("train", tagged_counts, odd, "-o", tmp_path / "m.safetensors")

    assert ended.code == 4
    assert "odd.tif: its values are about 3" in ended.err
    assert "tagged.tif, and no usual scale or offset makes them agree" in ended.err
    assert trained_on(tagged_counts, odd, radiometry="as-stored").bands.storage == storage(1e-4)


def test_a_threshold_is_fitted_to_scenes_in_the_units_of_the_model(tmp_path, detector, ground):
    stated = written(tmp_path / "stated.tif", ground[1], 1e-4)
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))

    right, found = (refit_threshold(detector, [scene]).threshold for scene in (stated, bare))

    assert found.value == pytest.approx(right.value, rel=1e-4)


def test_dates_of_a_site_come_into_common_units(tmp_path, ground, tagged_counts):
    bare = written(tmp_path / "bare.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    site = Scene.of([tagged_counts, bare], dates="as-listed")

    (alike,), stored = in_common_units([site])

    assert stored == storage(1e-4)
    with alike.open() as opened:
        found = opened.read(whole(opened.grid.shape))
    np.testing.assert_allclose(found, np.stack(ground).round(4), atol=1e-6)


def test_a_site_whose_dates_are_stored_otherwise_gives_the_same_model_and_map(
    tmp_path, ground, tagged_counts
):
    stated = written(tmp_path / "stated" / "b.tif", ground[1], 1e-4)
    bare = written(tmp_path / "b.tif", ground[1], 1e-4, tags=(1.0, 0.0))
    settings = ["model.family=sequential", "training.max_steps=20"]
    config = resolve_config("default", settings).config

    results = []
    for date in (stated, bare):
        dates, select = [tagged_counts, date], Selection(dates="as-listed")
        detector = train(dates, config, select=select)
        results.append(score_scene(detector, Scene.selected(dates, select), date.parent / "out"))

    np.testing.assert_array_equal(*map(flags_of, results))
    assert "counts of 0.0001 become values of 0 to 1" in results[1].radiometry[0]
