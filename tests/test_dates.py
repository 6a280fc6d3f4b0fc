"""Dates in the names of scenes."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import ConfigError
from anomvae.pixels.dates import date_of, order_of_dates

days = st.dates(date(1950, 1, 1), date(2099, 12, 31))


@given(day=days, form=st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%Y%m%dT%H%M%S"]))
def test_every_way_to_write_a_day_is_read(day, form):
    assert date_of(f"2001-01-01/coast_{day.strftime(form)}_v2.tif") == day


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("S2A_MSIL1C_20170105T013442_N0204_R031_T53NMJ_20170106T013443.SAFE", date(2017, 1, 5)),
        ("LC08_L1TP_042035_20180603_20180615_01_T1_B4.TIF", date(2018, 6, 3)),
        ("CBERS_4A_WFI_20210412_215_132_L4.tif", date(2021, 4, 12)),
        ("20240601103021.tif", date(2024, 6, 1)),
        ("s3://eo/2020-02-29.tif?sig=20240601", date(2020, 2, 29)),
        ("99999999_20240601.tif", date(2024, 6, 1)),
        ("20241301_20240601.tif", date(2024, 6, 1)),
    ],
)
def test_the_first_day_in_a_products_name_counts(name, day):
    assert date_of(name) == day


@pytest.mark.parametrize(
    "name", ["coast.tif", "2024-06_01.tif", "202406011.tif", "2023-02-29.tif", "2024-06-01/a.tif"]
)
def test_a_name_without_a_day_has_no_date(name):
    assert date_of(name) is None


@pytest.mark.parametrize(
    ("dates", "order"),
    [("", (2, 1, 0)), ("2024-07-01, 2022-07-01, 2023-07-01", (1, 2, 0)), ("as-listed", (0, 1, 2))],
)
def test_rasters_are_sorted_by_the_dates_of_the_option_or_else_of_their_names(dates, order):
    paths = ["b/20240611.tif", "a/coast_2024-06-01.tif", "c/x_2023_12_31.tif"]

    assert order_of_dates(paths, list(map(date_of, paths)), dates) == list(order)


@pytest.mark.parametrize(
    ("paths", "dates", "answer"),
    [
        (["2024-06-01.tif", "b.tif"], "", "b.tif has no date in its name, .* Give --dates"),
        (["x_20240601.tif", "y_20240601.tif"], "", "x_.* and y_.* are both of 2024-06-01: give"),
        (["a.tif", "b.tif"], "2024-06-01", "names 1 dates for 2 rasters"),
        (["a.tif", "b.tif"], "2024-06-01,soon", "-01,soon: .*soon.* Give dates as in"),
        (["a.tif", "b.tif"], "given", "--dates given is now called --dates as-listed"),
    ],
)
def test_dates_that_give_no_order_are_answered(paths, dates, answer):
    with pytest.raises(ConfigError, match=answer):
        order_of_dates(paths, list(map(date_of, paths)), dates)
