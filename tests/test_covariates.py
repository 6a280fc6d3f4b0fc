"""Covariates: how they are asked for, and the numbers that a model is told."""

import logging
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anomvae.errors import ConfigError, CovariateMismatch
from anomvae.pixels.covariates import (
    Covariate,
    CovariateSpec,
    UnknownClassWarning,
    day_values,
    fit_covariates,
    numbers_of,
    parse_covariates,
    require_covariates,
    require_values,
    values_of,
)

HEIGHT = Covariate("continuous", "dem.tif", "height")
COVER = Covariate("categorical", "cover.tif", classes=(1.0, 4.0, 7.0))
DAY = Covariate("day")
ALL = (HEIGHT, COVER, DAY)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("dem.tif", CovariateSpec("continuous", "dem.tif")),
        ("continuous:dem.tif", CovariateSpec("continuous", "dem.tif")),
        ("categorical:a/cover.tif", CovariateSpec("categorical", "a/cover.tif")),
        ("s3://eo/dem.tif", CovariateSpec("continuous", "s3://eo/dem.tif")),
        ("C:\\dem.tif", CovariateSpec("continuous", "C:\\dem.tif")),
        ('categorical:NETCDF:"a.nc":cover', CovariateSpec("categorical", 'NETCDF:"a.nc":cover')),
        ("daylight.tif", CovariateSpec("continuous", "daylight.tif")),
        ("day", CovariateSpec("day")),
        ("day:2024-06-01", CovariateSpec("day", "2024-06-01")),
    ],
)
def test_a_covariate_is_asked_for_by_kind_and_source(text, request_):
    assert parse_covariates([text]) == (request_,)


@pytest.mark.parametrize(
    "text", ["", "categorical", "continuous:", "day:", "day:tomorrow", "day:2024-13-01"]
)
def test_a_covariate_without_a_source_is_refused(text):
    with pytest.raises(ConfigError, match=r"day:2024-06-01"):
        parse_covariates([text])


def test_one_path_alone_is_one_covariate():
    assert parse_covariates("dem.tif") == (CovariateSpec("continuous", "dem.tif"),)


def test_the_day_is_given_or_in_the_name():
    assert CovariateSpec("day", "2024-06-01").day_of("2020-01-01.tif") == date(2024, 6, 1)
    assert CovariateSpec("day").day_of("scene_20200101.tif") == date(2020, 1, 1)


def test_a_scene_without_a_date_is_told_how_to_give_one():
    with pytest.raises(CovariateMismatch, match=r"scene.tif has no date .* day:2024-06-01"):
        CovariateSpec("day").day_of("scene.tif")


@given(day=st.dates(date(1970, 1, 1), date(2100, 1, 1)))
def test_a_day_lies_on_a_circle_so_new_year_is_near_new_years_eve(day):
    here, tomorrow = day_values(day), day_values(day.fromordinal(day.toordinal() + 1))

    assert np.hypot(*here) == pytest.approx(1, abs=1e-6)
    assert np.hypot(*(here - tomorrow)) < 0.04


def test_numbers_stay_classes_become_columns_and_a_day_stays_two():
    values = np.array([[812.5, 4, 0.6, 0.8]], np.float32)

    numbers = numbers_of(ALL, values)

    np.testing.assert_array_equal(numbers, np.float32([[812.5, 0, 1, 0, 0.6, 0.8]]))


def test_a_class_that_training_did_not_see_is_none_of_them():
    np.testing.assert_array_equal(COVER.numbers(np.float32([[5]])), [[0, 0, 0]])


def test_an_unknown_class_is_unknown_in_every_column():
    assert np.isnan(COVER.numbers(np.float32([[np.nan]]))).all()


@given(values=npst.arrays(np.float32, (3, 5, values_of(ALL)), elements=st.floats(-9, 9, width=32)))
def test_the_numbers_have_the_width_that_was_said(values):
    assert numbers_of(ALL, values).shape == (3, 5, sum(one.width for one in ALL))


def test_no_covariates_give_no_numbers():
    assert numbers_of((), np.empty((4, 5, 0), np.float32)).shape == (4, 5, 0)


def test_training_finds_its_classes_in_ascending_order():
    asked = (HEIGHT, Covariate("categorical", "cover.tif"))
    values = np.array([[1, 7], [2, np.nan], [3, 1], [4, 7], [5, 4]], np.float32)

    assert fit_covariates(asked, values) == (HEIGHT, COVER)


def test_too_many_classes_are_numbers():
    with pytest.raises(ConfigError, match=r"cover.tif has 65 classes .* at most 64 .* continuous:"):
        fit_covariates((COVER,), np.arange(65, dtype=np.float32)[:, None])


def test_training_without_any_class_is_refused():
    with pytest.raises(CovariateMismatch, match=r"cover.tif has no class"):
        fit_covariates((COVER,), np.full((9, 1), np.nan, np.float32))


def test_a_number_that_is_nowhere_known_is_warned_of(caplog):
    assert fit_covariates((HEIGHT,), np.full((9, 1), np.nan, np.float32)) == (HEIGHT,)

    assert "dem.tif (height) has no value" in caplog.text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), "no covariates"),
        ((HEIGHT, COVER), "continuous:dem.tif (height), categorical:cover.tif"),
        ((COVER, HEIGHT, DAY), "categorical:cover.tif"),
        ((*ALL, DAY), "day, day"),
        ((Covariate("continuous", "dem.tif", "slope"), COVER, DAY), "slope"),
    ],
)
def test_covariates_that_do_not_fit_are_named_with_what_to_give(found, words):
    with pytest.raises(CovariateMismatch) as told:
        require_covariates(found, ALL, "scene.tif")

    assert words in str(told.value)
    options = "--covariates continuous:dem.tif --covariates categorical:cover.tif --covariates day"
    assert options in str(told.value)


def test_covariates_for_a_detector_without_any_are_refused():
    with pytest.raises(CovariateMismatch, match=r"trained without any. Leave --covariates out"):
        require_covariates((HEIGHT,), (), "scene.tif")


def test_another_file_without_band_names_fits():
    newer = (
        Covariate("continuous", "dem_2025.tif"),
        Covariate("categorical", "cover_2025.tif"),
        DAY,
    )

    require_covariates(newer, ALL, "scene.tif")


def test_an_array_without_the_values_is_told_their_order():
    order = (
        r"the bands, then continuous:dem.tif \(height\), categorical:cover.tif, day \(sin, cos\)"
    )
    with pytest.raises(CovariateMismatch, match=order):
        require_values(6, 6, ALL)

    require_values(6 + 4, 6, ALL)


def test_a_class_unseen_in_training_is_warned_of_once(caplog):
    watch = UnknownClassWarning(ALL, "scene.tif")
    values = np.array([[[0, 4, 0, 1], [0, 9, 0, 1], [0, np.nan, 0, 1]]], np.float32)

    with caplog.at_level(logging.WARNING):
        watch.look(values)
        watch.look(values)

    assert len(caplog.records) == 1
    assert "cover.tif has classes that training did not see (9)" in caplog.text
