"""Baselines: local RX and CRD by their equations, on any block; maps of them as of a detector."""

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rasters import bands_of, land, plant, write, write_labels
from support.scorers import content
from support.spectra import around

from anomvae.errors import ConfigError, NotEnoughPixels, OutputExists
from anomvae.evaluation import evaluate
from anomvae.mapping import ScoreOptions, map_baseline, rethreshold
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.tiling import tiles
from anomvae.raster import Selection
from anomvae.raster.maps import open_map
from anomvae.stats.baselines import BASELINES, Method
from benchmarks import local_baselines

LOCAL = ("local-rx", "crd")
OF_ONE_DATE = [name for name, row in BASELINES.items() if row.dates == 1]
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
windows = st.sampled_from([(3, 1), (5, 3), (9, 1)])
bands = st.sampled_from([1, 3, 12])
few_examples = settings(max_examples=20)


def block_of(shape, bands, missing=0.0, seed=0):
    """Draw correlated spectra, axes (row, col, band), far from 0, a share of them without data."""
    rng = np.random.default_rng(seed)
    spectra = 50 + rng.normal(size=(*shape, bands)) @ rng.normal(size=(bands, bands))
    spectra[rng.random(shape) < missing, rng.integers(bands)] = np.nan
    return spectra.astype(np.float32)


def valid_of(block):
    return block[np.isfinite(block).all(axis=-1)]


def fitted(name, block, window=None, weight=None):
    return Method.of(name, window, weight).fit(lambda: iter([valid_of(block)]))


def distance(scene, x, background, prior):
    """Return the regularised Mahalanobis distance of x, by its equation."""
    covariance, k = np.cov(scene, rowvar=False).reshape(len(x), -1), prior * len(x)
    mean = background.mean(axis=0) if len(background) else scene.mean(axis=0)
    scatter = (background - mean).T @ (background - mean)
    inverse = np.linalg.inv((scatter + k * covariance) / (len(background) + k))
    return (x - mean) @ inverse @ (x - mean)


def residual(y, background, penalty):
    """Return the residual of the representation of y, by the equations of its Lagrangian."""
    count = len(background)
    steps = background - y
    system = np.ones((count + 1, count + 1))
    system[:-1, :-1] = steps @ steps.T + penalty * np.diag((steps**2).sum(axis=1))
    system[-1, -1] = 0
    weights = np.linalg.solve(system, np.append(np.zeros(count), 1))[:-1]
    return np.linalg.norm(y - weights @ background)


@few_examples
@given(st.tuples(st.integers(4, 8), st.integers(4, 8)), windows, st.sampled_from([0, 0.3]))
def test_local_rx_is_the_distance_to_the_annulus_by_its_equation(shape, window, missing):
    block = block_of(shape, 3, missing)

    scores = fitted("local-rx", block, window, 0.5).score(block)

    scene, valid = valid_of(block).astype(float), np.isfinite(block).all(axis=-1)
    assert np.array_equal(np.isfinite(scores), valid)
    for pixel in map(tuple, np.argwhere(valid)):
        background = block[around(Annulus(*window), shape, pixel) & valid].astype(float)
        expected = distance(scene, block[pixel].astype(float), background, 0.5)
        assert scores[pixel] == pytest.approx(expected, rel=1e-5)


@few_examples
@given(st.tuples(st.integers(3, 7), st.integers(3, 7)), windows, bands, st.sampled_from([0, 0.3]))
def test_crd_is_the_residual_of_the_representation_by_its_equations(shape, window, bands, missing):
    block = block_of(shape, bands, missing)
    annulus = Annulus(*window)

    scores = fitted("crd", block, window, 0.1).score(block)

    scale = np.sqrt(np.mean(valid_of(block).astype(float).var(axis=0))) or 1
    valid = np.isfinite(block).all(axis=-1)
    for pixel in map(tuple, np.argwhere(valid)):
        background = block[around(annulus, shape, pixel) & valid].astype(float)
        if len(background) < 0.25 * annulus.pixels:
            assert np.isnan(scores[pixel])
        else:
            expected = residual(block[pixel].astype(float), background, 0.1) / scale
            assert scores[pixel] == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["rx", "rrx", "pca", *LOCAL])
@few_examples
@given(shapes, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.sampled_from([0, 0.3]))
def test_the_score_of_a_pixel_does_not_depend_on_the_block_to_the_bit(name, shape, size, missing):
    block = block_of((9, 9), 7, missing)[: shape[0], : shape[1]]
    window = (5, 3) if name in LOCAL else None
    method = Method.of(name, window)
    scorer = fitted_once(name, window)

    whole = scorer.score(block)

    for tile in tiles(shape, size, method.radius):
        part = scorer.score(block[tile.read])[tile.inner]
        assert np.array_equal(part, whole[tile.keep], equal_nan=True)


FITTED = {}


def fitted_once(name, window):
    """Fit a baseline to one scene, once."""
    return FITTED.setdefault(name, fitted(name, block_of((20, 20), 7, seed=3), window))


@pytest.mark.parametrize("name", LOCAL)
def test_constant_copied_and_more_bands_than_pixels_leave_scores_finite(name):
    few = block_of((6, 6), 4)
    many = np.concatenate([few, few, np.ones((6, 6, 40), np.float32), 7 * few], axis=-1)

    scores = fitted(name, many, (3, 1)).score(many)

    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_copied_and_constant_bands_do_not_change_local_rx():
    block = block_of((8, 8), 4)
    more = np.concatenate([block, block, np.ones((8, 8, 5), np.float32)], axis=-1)

    scores = fitted("local-rx", block, (5, 3)).score(block)

    assert fitted("local-rx", more, (5, 3)).score(more) == pytest.approx(scores, rel=1e-4)


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_the_score_does_not_depend_on_the_unit_of_the_data(name, unit):
    block = block_of((8, 8), 4)

    scores = fitted(name, block).score(block)

    scaled = (block * unit).astype(np.float32)
    assert fitted(name, scaled).score(scaled) == pytest.approx(scores, rel=1e-3, nan_ok=True)


def test_a_scene_of_one_spectrum_has_no_anomaly():
    block = np.full((20, 20, 5), 3, np.float32)

    for name in LOCAL:
        assert (fitted(name, block).score(block) == 0).all()


def test_without_any_pixel_around_local_rx_is_global_rx():
    block = block_of((9, 9), 3)
    alone = np.full((1, 1, 3), 60, np.float32)

    assert fitted("local-rx", block).score(alone) == pytest.approx(fitted("rx", block).score(alone))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("local-rxx",), "Did you mean 'local-rx'"),
        (("rx", (21, 7)), "local-rx or crd"),
        (("iforest", None, 0.1), "local-rx or crd"),
        (("crd", (7, 7)), "larger than the guard window"),
        (("crd", (8, 3)), "odd"),
        (("crd", (7, -1)), "odd"),
        (("crd", (1001, 3)), "101"),
        (("crd", None, 0.0), "1e-9"),
        (("local-rx", None, float("nan")), "1e-9"),
    ],
)
def test_settings_that_a_baseline_lacks_or_that_are_impossible_are_answered(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Method.of(*arguments)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.mark.parametrize("name", OF_ONE_DATE)
def test_the_map_of_a_baseline_finds_a_planted_object(scene, tmp_path, name):
    result = map_baseline(scene, tmp_path / "out", name)

    row = evaluate(result, write_labels(tmp_path / "labels.tif"), baselines=[name])
    ours, beside = row.rows.values()
    assert ours.roc_auc == pytest.approx(beside.roc_auc, abs=1e-6)
    assert ours.roc_auc > 0.95 or name == "pca"  # six bands leave it three components
    assert result.threshold.rule == "log-sigma:3"
    assert (result.valid, result.missing) == (39 * 48, 48)
    assert len(result.written) == 8
    with open_map(result.path) as opened:
        assert opened.dataset.bands.names == ("score",)
        assert opened.tags["ANOMVAE_SCORE"].startswith(f"{name}: ")


def test_the_map_does_not_depend_on_tiles_or_threads(scene, tmp_path):
    one = map_baseline(scene, tmp_path / "one", "local-rx")

    other = map_baseline(
        scene, tmp_path / "other", "local-rx", options=ScoreOptions(tile=16, threads=2)
    )

    assert one.path.read_bytes() == other.path.read_bytes()


@pytest.mark.parametrize("rule", ["gaussian:3", "budget:20"])
def test_rules_choose_from_the_scores_of_the_scene_as_rethreshold_does(scene, tmp_path, rule):
    result = map_baseline(scene, tmp_path / "out", "rx", rule)

    again = rethreshold(
        map_baseline(scene, tmp_path / "other", "rx").path, rule, tmp_path / "again"
    )

    assert result.threshold == again.threshold
    assert result.files.objects.stat().st_size > 0
    assert result.flagged == again.flagged > 0


def test_another_method_in_the_same_folder_needs_overwrite(scene, tmp_path):
    first = map_baseline(scene, tmp_path / "out", "rx")
    before = content(tmp_path / "out")

    with pytest.raises(OutputExists, match="--overwrite"):
        map_baseline(scene, tmp_path / "out", "rrx")

    assert content(tmp_path / "out") == before
    assert not map_baseline(scene, tmp_path / "out", "rx").newly_written
    second = map_baseline(scene, tmp_path / "out", "rrx", options=ScoreOptions(overwrite=True))
    assert second.detector != first.detector


def test_p_values_follow_from_the_scores_of_the_scene(scene, tmp_path):
    options = ScoreOptions(p_values=True)

    result = map_baseline(scene, tmp_path / "out", "rx", "quantile:0.01", options=options)

    p_values = bands_of(result.files.p_values)[0]
    assert np.nanmax(p_values[p_values < 0.01]) < 0.01
    assert (p_values <= 0.01).sum() == pytest.approx(result.flagged, abs=1)
    with pytest.raises(ConfigError, match="no p-values"):
        map_baseline(scene, tmp_path / "out", "rx", "log-sigma:3", options=options)


def test_other_settings_of_a_method_are_another_result(scene, tmp_path):
    map_baseline(scene, tmp_path / "out", Method.of("local-rx", (9, 3)))

    for other in (Method.of("local-rx", (9, 5)), Method.of("local-rx", (9, 3), 2.0)):
        with pytest.raises(OutputExists):
            map_baseline(scene, tmp_path / "out", other)


def test_masked_pixels_are_neither_scored_nor_background(scene, tmp_path):
    keep = np.ones((1, 40, 48), "uint8")
    keep[0, :20] = 0
    mask = write(tmp_path / "mask.tif", keep, nodata=None)
    below = write(tmp_path / "below.tif", land(seed=1)[:, 20:])
    method = Method.of("local-rx", (9, 3))

    masked = map_baseline(scene, tmp_path / "out", method, select=Selection(mask=mask))
    alone = map_baseline(below, tmp_path / "out", method)

    assert masked.masked == 19 * 48  # the row at the top has no data
    assert masked.valid == alone.valid == 20 * 48
    assert masked.threshold == alone.threshold


def test_a_band_without_data_is_left_out(tmp_path):
    values = plant(land(seed=1))
    values[2] = -1

    result = map_baseline(write(tmp_path / "scene.tif", values), tmp_path / "out", "local-rx")

    assert result.valid == 39 * 48


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (Selection(covariates=("day",)), "without covariates"),
        (Selection(normal=("normal.tif",)), "without normal areas"),
        (Selection(dates="2024-01-01"), "without dates"),
    ],
)
def test_what_a_baseline_does_not_use_is_refused(scene, tmp_path, select, words):
    with pytest.raises(ConfigError, match=words):
        map_baseline(scene, tmp_path / "out", "rx", select=select)


@pytest.mark.parametrize("rule", ["conformal:0.01", "fdr:0.1"])
def test_a_rule_that_needs_held_out_scores_is_refused_before_the_work(scene, tmp_path, rule):
    with pytest.raises(ConfigError, match="training did not read"):
        map_baseline(scene, tmp_path / "out", "rx", rule)

    assert not (tmp_path / "out").exists()


def test_a_scene_too_small_for_the_window_is_answered(tmp_path):
    scene = write(tmp_path / "scene.tif", land((5, 5)))

    with pytest.raises(NotEnoughPixels, match=r"scene\.tif: crd: No valid pixel has a score"):
        map_baseline(scene, tmp_path / "out", "crd")

    assert not content(tmp_path / "out")


def test_a_scene_without_data_is_answered(tmp_path):
    scene = write(tmp_path / "scene.tif", np.full((6, 20, 20), -1, "float32"))

    with pytest.raises(NotEnoughPixels, match="0 pixels have data"):
        map_baseline(scene, tmp_path / "out", "crd")


def test_the_script_of_local_baselines_writes_a_table(scene, tmp_path):
    folder = tmp_path / "scenes" / "field"
    folder.mkdir(parents=True)
    scene.rename(folder / "scene.tif")
    write_labels(folder / "labels.tif")

    ran = CliRunner().invoke(local_baselines.main, ["--scenes", str(tmp_path / "scenes")])

    assert ran.exit_code == 0, ran.output
    assert "| scene | rx | local-rx | crd |" in ran.output
    assert "window 21, guard 7" in ran.output
