"""The chronochrome: the newest date given those before it; as a baseline and as a network."""

import numpy as np
import pytest
import torch
from support.rasters import land, run, write
from support.refusals import refused

from anomvae.errors import NotEnoughPixels
from anomvae.evaluation import evaluate
from anomvae.mapping import map_baseline
from anomvae.models.families import Sizes, family_named
from anomvae.pixels.tiling import tiles
from anomvae.stats.baselines import Method
from anomvae.stats.chronochrome import Chronochrome, fit_chronochrome

DATES, BANDS = 4, 3


def series_of(count=4000, seed=0):
    """Draw land that goes on from date to date, each with its own light, (n, time, band)."""
    rng = np.random.default_rng(seed)
    still = rng.normal(size=(count, 1, BANDS)) @ np.linspace(0.5, 2, BANDS * BANDS).reshape(
        BANDS, -1
    )
    days = still + 0.3 * rng.normal(size=(count, DATES, BANDS)).cumsum(axis=1)
    return days * np.linspace(1, 3, DATES)[:, None] + np.arange(DATES)[:, None]


def wide(series, degrees, seed=4):
    """Give series the tail of a multivariate t-distribution, about their means."""
    texture = np.random.default_rng(seed).chisquare(degrees, len(series)) / degrees
    mean = series.mean(axis=0)
    return (series - mean) / np.sqrt(texture)[:, None, None] + mean


def with_gaps(series, seed=1):
    """Leave out a quarter of the pixels of each date before the newest."""
    gaps = np.random.default_rng(seed).random(series.shape[:2]) < 0.25
    gaps[:, -1] = False
    return np.where(gaps[..., None], np.nan, series)


def normal_distance(fitted, series, used):
    """Return the squared Mahalanobis distance of some values of a series to their mean."""
    z = ((series - fitted.mean) / fitted.std).reshape(len(series), -1)[:, used]
    inverse = np.linalg.inv(fitted.covariance[np.ix_(used, used)])
    return np.einsum("ij,jk,ik->i", z, inverse, z)


def test_the_score_is_the_distance_that_the_newest_date_adds_by_how_usual_those_before_are():
    fitted, series = fit_chronochrome(wide(series_of(), 4)), with_gaps(series_of(40, seed=2))
    known, nu = np.isfinite(series).all(axis=-1), 1 / fitted.tail.wide

    scores = fitted.score(series)

    for one, dates, score in zip(series, known, scores, strict=True):
        before = np.repeat(np.append(dates[:-1], False), BANDS)
        every = np.repeat(dates, BANDS)
        if not before.any():
            assert np.isnan(score)
            continue
        joint, marginal = (normal_distance(fitted, one[None], used) for used in (every, before))
        certain = (nu + before.sum()) / (nu + marginal / fitted.tail.scale)
        assert score == pytest.approx(((joint - marginal) * certain)[0], rel=1e-6)


def test_scores_are_as_large_where_the_past_is_unusual_as_elsewhere():
    for degrees, most in ((4, 8), (1e6, None)):
        series = wide(series_of(), degrees)

        for given in (series, with_gaps(series)):
            fitted = fit_chronochrome(given)
            scores = fitted.score(series)
            past = ((series[:, 0] - fitted.mean[0]) ** 2).sum(axis=-1)
            unusual = past > np.quantile(past, 0.9)

            ratio = np.median(scores[unusual]) / np.median(scores[~unusual])
            assert ratio == pytest.approx(1, abs=0.25)
            assert most is None or 2 < 1 / fitted.tail.wide < most
            assert most is not None or fitted.tail.wide < 0.03


def test_gaps_hardly_change_what_is_learnt_and_a_nearly_empty_date_changes_nothing_else():
    series = series_of()
    whole, gappy = fit_chronochrome(series), fit_chronochrome(with_gaps(series))
    empty, without = series.copy(), series[:, 1:]
    empty[10:, 0] = np.nan
    empty[:10, 0] = 99

    scores = whole.score(series)

    assert np.corrcoef(scores, gappy.score(series))[0, 1] > 0.99
    expected = fit_chronochrome(without).score(without)
    np.testing.assert_allclose(fit_chronochrome(empty).score(empty), expected, rtol=0.02)


def test_a_change_on_a_twentieth_of_the_land_is_not_learnt():
    series = series_of()
    changed = np.arange(len(series)) < 0.04 * len(series)
    series[changed, -1] += [9, -9, 9]

    scores = fit_chronochrome(series).score(series)

    assert scores[changed].min() > np.quantile(scores[~changed], 0.99)


def test_dates_that_do_not_meet_are_answered():
    series = series_of(50)
    series[25:, -1] = np.nan
    series[:25, :-1] = np.nan

    with pytest.raises(NotEnoughPixels, match="at the newest date and at one before it"):
        fit_chronochrome(series)


# As a network


def network_of(series):
    """Fit the network of the family to series, in place of the examples of a detector."""
    model = family_named("change").build(Sizes(BANDS, 1, (8,), dates=DATES)).eval()
    model.context_network.fit(torch.from_numpy(series.astype(np.float32)))
    return model


@torch.no_grad()
def test_a_model_starts_from_the_chronochrome_of_its_examples():
    series = wide(series_of(), 6)
    model, fitted = network_of(series), fit_chronochrome(series)

    batch = model.prepare(torch.from_numpy(series[:50].astype(np.float32)))

    x, _, known = fitted.standardised(series[:50])
    given = fitted.given(known[0])
    predicted = x @ given.predicted * fitted.std[-1] + fitted.mean[-1]
    certain = given.surer / (1 + ((x @ given.unusual) ** 2).sum(axis=-1, keepdims=True))
    expected = predicted + (series[:50, -1] - predicted) * np.sqrt(certain)
    assert np.allclose(batch.x, expected, atol=1e-4)
    assert np.allclose(model(batch.x, batch.context).mean, predicted, atol=0.1)


@torch.no_grad()
def test_an_innovation_counts_by_what_remains_uncertain_given_the_dates_before():
    fitted, series = fit_chronochrome(wide(series_of(), 4)), with_gaps(series_of(60, seed=2))
    model = network_of(wide(series_of(), 4))
    scored = np.isfinite(series[:, :-1]).all(-1).any(-1)

    batch = model.prepare(torch.from_numpy(series.astype(np.float32)))

    assert np.array_equal(batch.known, scored)
    innovation = (batch.x - batch.context[:, :BANDS]).numpy()[scored] / fitted.std[-1]
    u = innovation @ fitted.given(np.ones(DATES - 1, bool)).whitening
    np.testing.assert_allclose((u**2).sum(-1), fitted.score(series)[scored], rtol=0.01, atol=0.01)


@torch.no_grad()
def test_a_shorter_series_lacks_its_oldest_dates_and_of_a_longer_one_the_newest_count():
    model, series = network_of(series_of()), series_of(20, seed=2).astype(np.float32)
    lacking, longer = series.copy(), np.concatenate([series[:, :2] + 5, series], axis=1)
    lacking[:, :2] = np.nan

    contexts = [
        model.prepare(torch.from_numpy(each)).context
        for each in (series, longer, lacking, series[:, 2:])
    ]

    assert torch.equal(contexts[0], contexts[1])
    assert torch.equal(contexts[2], contexts[3])


# As a baseline


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Write dates of a site, with a change at the newest that is no outlier of that date."""
    folder, still = tmp_path_factory.mktemp("site"), land(seed=3)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(4):
        values = still * (1 + 0.1 * number) + rng.normal(0, 0.01, still.shape)
        if number == 3:
            values[:, 20:24, 30:34] = values[:, 4:8, 4:8][:, ::-1, ::-1]
        paths.append(write(folder / f"site_2024-0{number + 1}-01.tif", values.astype("float32")))
    labels = np.zeros((1, *still.shape[1:]), "uint8")
    labels[:, 20:24, 30:34] = 1
    return paths, write(folder / "labels.tif", labels, nodata=None)


def test_acd_finds_a_change_and_evaluate_has_it_beside_a_map(site, tmp_path):
    paths, labels = site

    result = map_baseline(paths, tmp_path / "out", "acd")
    rows = evaluate(result, labels, paths, baselines=["acd", "rx"]).rows

    ours, acd, rx = rows.values()
    assert ours.roc_auc == pytest.approx(acd.roc_auc, abs=1e-6)
    assert ours.roc_auc > 0.95
    assert rx.roc_auc < 0.9


def test_the_number_of_dates_must_fit_a_baseline(site, tmp_path):
    paths, _ = site

    refused(run("detect", paths[0], "-o", tmp_path, "--method", "acd"), 2, "one date is given")
    ran = run("detect", *paths, "-o", tmp_path, "--method", "rx")
    refused(ran, 2, "rx scores one date, but 4 are given", "acd")
    assert not any(tmp_path.iterdir())


def test_its_scores_do_not_depend_on_tiles_to_the_bit():
    block = np.moveaxis(with_gaps(series_of(60 * 40)).reshape(60, 40, DATES, BANDS), 2, 0)
    block = block.astype(np.float32)
    fitted = Method.of("acd").fit(lambda: iter([Method.of("acd").examples(block)]))
    whole, mosaic = fitted.score(block), np.full((60, 40), np.inf)

    for tile in tiles((60, 40), (17, 23), 0):
        mosaic[tile.keep] = fitted.score(block[:, *tile.keep])

    assert mosaic.tobytes() == whole.tobytes()
    assert isinstance(fitted.fitted, Chronochrome)
