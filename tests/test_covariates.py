"""Covariates: their specifications, and the features that a model is given."""

import logging
import pickle
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import ConfigError, CovariateMismatch
from anomvae.pixels.covariates import (
    Covariate,
    CovariateSpec,
    CovariateWarnings,
    day_values,
    features_of,
    parse_covariates,
    rasters_of,
    report_of,
    require_covariates,
    require_values,
    values_of,
)
from anomvae.stats.covariates import MAX_CLASSES, fit_covariates

HEIGHT = Covariate("continuous", "dem.tif", "height")
COVER = Covariate("categorical", "cover.tif", classes=(1.0, 4.0, 7.0))
DAY = Covariate("day")
ALL = (HEIGHT, COVER, DAY)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("dem.tif", CovariateSpec("continuous", "dem.tif")),
        ("continuous:dem.tif", CovariateSpec("continuous", "dem.tif")),
        ("categorical:a/cover.tif", CovariateSpec("categorical", "a/cover.tif")),
        ("s3://eo/dem.tif", CovariateSpec("continuous", "s3://eo/dem.tif")),
        ("C:\\dem.tif", CovariateSpec("continuous", "C:\\dem.tif")),
        ('categorical:NETCDF:"a.nc":cover', CovariateSpec("categorical", 'NETCDF:"a.nc":cover')),
        ("daylight.tif", CovariateSpec("continuous", "daylight.tif")),
        ("numbers", CovariateSpec("continuous", "numbers")),
        ("day", CovariateSpec("day")),
        ("day:2024-06-01", CovariateSpec("day", "2024-06-01")),
    ],
)
def test_a_covariate_is_specified_by_kind_and_source(text, spec):
    assert parse_covariates([text]) == parse_covariates(text) == (spec,)
    assert rasters_of([text]) == ([] if spec.kind == "day" else [spec.source])


@pytest.mark.parametrize(
    ("text", "answer"),
    [(text, "day:2024-06-01") for text in ("", "categorical", "continuous:", "day:", "day:soon")]
    + [
        ("day:2024-13-01", "is no day"),
        ("numbers:dem.tif", "numbers is now called continuous: write continuous:dem.tif"),
        ("classes:cover.tif", "classes is now called categorical: write categorical:cover.tif"),
    ],
)
def test_a_specification_without_a_source_or_of_an_old_kind_is_answered(text, answer):
    with pytest.raises(ConfigError, match=answer) as error:
        parse_covariates([text])

    assert error.value.exit_code == 2


def test_the_day_is_specified_or_in_the_name():
    assert CovariateSpec("day", "2024-06-01").day_of("2020-01-01.tif") == date(2024, 6, 1)
    assert CovariateSpec("day").day_of("scene_20200101.tif") == date(2020, 1, 1)
    with pytest.raises(CovariateMismatch, match=r"scene.tif has no date .* day:2024-06-01"):
        CovariateSpec("day").day_of("scene.tif")


@given(day=st.dates(date(1970, 1, 1), date(2100, 1, 1)))
def test_days_lie_on_a_circle_so_new_year_is_near_new_years_eve(day):
    today, tomorrow = day_values(day), day_values(day.fromordinal(day.toordinal() + 1))

    assert np.hypot(*today) == pytest.approx(1, abs=1e-6)
    assert np.hypot(*(today - tomorrow)) < 0.04


@pytest.mark.parametrize(
    ("values", "features"),
    [
        ([812.5, 4, 0.6, 0.8], [812.5, 0, 1, 0, 0.6, 0.8]),
        ([np.nan, 5, 0, 1], [np.nan, 0, 0, 0, 0, 1]),
        ([1, np.nan, 0, 1], [1, np.nan, np.nan, np.nan, 0, 1]),
    ],
)
def test_a_class_becomes_one_feature_for_each_class_and_other_values_stay(values, features):
    block = np.full((3, 5, values_of(ALL)), values, np.float32)

    assert len(features) == sum(one.width for one in ALL)
    np.testing.assert_array_equal(features_of(ALL, block)[2, 4], np.float32(features))
    assert features_of((), block[..., :0]).shape == (3, 5, 0)


def test_fitting_finds_the_classes_in_ascending_order():
    unfitted = (HEIGHT, Covariate("categorical", "cover.tif"))
    values = np.array([[1, 7], [2, np.nan], [3, 1], [4, 7], [5, 4]], np.float32)

    assert fit_covariates(unfitted, values) == (HEIGHT, COVER)


def test_too_many_classes_are_refused_with_the_continuous_kind_as_advice():
    values = np.arange(MAX_CLASSES + 1, dtype=np.float32)[:, None]

    assert len(fit_covariates((COVER,), values[:-1])[0].classes) == 64
    with pytest.raises(ConfigError, match=r"cover.tif has 65 classes .* at most 64 .* continuous:"):
        fit_covariates((COVER,), values)


def test_training_without_any_value_is_refused_for_classes_and_warned_of_otherwise(caplog):
    nothing = np.full((9, 1), np.nan, np.float32)

    with pytest.raises(CovariateMismatch, match=r"cover.tif has no class"):
        fit_covariates((COVER,), nothing)
    assert fit_covariates((HEIGHT,), nothing) == (HEIGHT,)

    assert "dem.tif (height) has no value" in caplog.text


OPTIONS = "--covariates continuous:dem.tif --covariates categorical:cover.tif --covariates day"


@pytest.mark.parametrize(
    ("found", "expected", "named", "advice"),
    [
        ((), ALL, "no covariates", OPTIONS),
        ((HEIGHT, COVER), ALL, "continuous:dem.tif (height), categorical:cover.tif", OPTIONS),
        ((COVER, HEIGHT, DAY), ALL, "categorical:cover.tif", OPTIONS),
        ((*ALL, DAY), ALL, "day, day", OPTIONS),
        ((replace(HEIGHT, band="slope"), COVER, DAY), ALL, "slope", OPTIONS),
        ((HEIGHT,), (), "dem.tif", "trained without any. Leave --covariates out"),
    ],
)
def test_covariates_that_do_not_fit_are_named_with_the_options_to_give(
    found, expected, named, advice
):
    with pytest.raises(CovariateMismatch) as error:
        require_covariates(found, expected, "scene.tif")

    assert named in str(error.value)
    assert advice in str(error.value)


def test_another_file_without_band_names_fits():
    newer = Covariate("continuous", "dem_2.tif"), Covariate("categorical", "cover_2.tif"), DAY

    require_covariates(newer, ALL, "scene.tif")


def test_an_array_without_the_values_is_answered_with_their_order():
    order = r"the bands, then .*dem.tif \(height\), categorical:cover.tif, day \(sin, cos\)"
    with pytest.raises(CovariateMismatch, match=order):
        require_values(6, 6, ALL)

    require_values(6 + 4, 6, ALL)


NOTHING = [np.nan, np.nan, 0, 1]
"""Values of a pixel: height, class, and both of the day."""
UNKNOWN = "cover.tif has classes that training did not have "
NO_HEIGHT = "continuous:dem.tif (height) has no value at any pixel read"
NO_COVER = "categorical:cover.tif has no value at any pixel read"
NO_DAY = "day has no value at any pixel read"


@pytest.mark.parametrize(
    ("blocks", "warned"),
    [
        ([[[1, 4, 0, 1], [1, np.nan, 0, 1]], [NOTHING]], []),
        ([[[1, 9, 0, 1]], [[1, 9, 0, 1], [1, 1, 0, 1]]], [UNKNOWN + "(9)"]),
        (
            [[[1, 9, 0, 1], [1, 8, 0, 1]], [[1, 9, 0, 1]], [[1, 10, 0, 1]]],
            [UNKNOWN + "(8, 9)", UNKNOWN + "(10)"],
        ),
        ([[NOTHING], [NOTHING]], [NO_HEIGHT, NO_COVER]),
        ([[NOTHING], [[5, np.nan, 0, 1]]], [NO_COVER]),
        ([[[np.inf, 4, 0, 1]]], [NO_HEIGHT]),
        ([], [NO_HEIGHT, NO_COVER, NO_DAY]),
    ],
)
def test_unknown_classes_and_covariates_without_any_value_are_warned_of_once(
    blocks, warned, caplog
):
    warnings = CovariateWarnings(ALL, "scene.tif")

    with caplog.at_level(logging.WARNING):
        for block in blocks:
            warnings.add(report_of(ALL, np.array(block, np.float32)))
        warnings.finish()

    assert [message.split(";")[0] for message in caplog.messages] == [
        f"scene.tif: {one}" for one in warned
    ]


def test_a_report_crosses_processes():
    report = report_of(ALL, np.float32([[1, 9, 0, 1]]))

    assert pickle.loads(pickle.dumps(report)) == report
    assert report.known == (True, True, True)
    assert report.unknown == (frozenset(), frozenset({9.0}), frozenset())
