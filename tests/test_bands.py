from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import BandMismatch, ConfigError
from anomvae.pixels.bands import Band, Bands, unnamed_bands

NAMES = ("blue", "green", "red", "nir", "swir")
WAVELENGTHS = (490.0, 560.0, 665.0, 842.0, 1610.0)
SENSOR = Bands(tuple(map(Band, range(1, 6), NAMES, WAVELENGTHS)), source=5, named=True)
UNNAMED = unnamed_bands(5)


def changed(bands, position, **values):
    items = list(bands)
    items[position] = replace(items[position], **values)
    return bands.keep(items)


def in_order(bands, order):
    items = list(bands)
    moved = [replace(items[old], index=new) for new, old in enumerate(order, start=1)]
    return replace(bands, items=tuple(moved), source=len(moved))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("red", ("red",)),
        ("RED, Blue", ("red", "blue")),
        ("3", ("red",)),
        ("2-4", ("green", "red", "nir")),
        ("2 - 3", ("green", "red")),
        ("500-700nm", ("green", "red")),
        ("500 - 700 nm", ("green", "red")),
        ("0.5-.7um", ("green", "red")),
        ("0.5-0.7µm", ("green", "red")),
        ("490-490nm", ("blue",)),
        ("swir,1-2,500-700nm", ("swir", "blue", "green", "red")),
        ("red,", ("red",)),
        ("3,red,1", ("red", "blue")),
        ("-red", ("blue", "green", "nir", "swir")),
        ("-3", ("blue", "green", "nir", "swir")),
        ("-500-700nm,-swir", ("blue", "nir")),
        ("1-4,-2", ("blue", "red", "nir")),
        ("good", NAMES),
        ("swir16", ("swir",)),
        ("660 nm", ("red",)),
    ],
)
def test_bands_are_chosen_by_name_number_and_range_in_the_order_of_the_text(text, names):
    assert SENSOR.choose(text).names == names


@given(st.lists(st.integers(1, 5), min_size=1))
def test_each_chosen_band_comes_once_and_the_file_stays_the_same(numbers):
    chosen = SENSOR.choose(",".join(map(str, numbers)))

    assert chosen.indexes == list(dict.fromkeys(numbers))
    assert (chosen.source, chosen.named) == (5, True)


def test_a_name_wins_over_a_number():
    assert changed(SENSOR, 0, name="3").choose("3").indexes == [1]


@pytest.mark.parametrize(
    "text",
    ["0", "6", "9-7", "purple", "1.2.3-4nm", "..-9nm", "-6", "3-", "-", "nm", "1;2"],
)
def test_a_part_that_names_no_band_is_refused(text):
    with pytest.raises(ConfigError, match="a number from 1 to 5"):
        SENSOR.choose(text)


@given(st.text("0123456789.,- numµreg", max_size=12))
def test_any_text_chooses_bands_or_is_refused(text):
    try:
        chosen = SENSOR.choose(text)
    except ConfigError:
        return

    assert 1 <= len(chosen) <= 5


@pytest.mark.parametrize(
    ("bands", "text", "answer"),
    [
        *((SENSOR, text, "names no band") for text in ("", " ", ",", " , ")),
        (SENSOR, "gren", "Did you mean 'green'"),
        (UNNAMED, "400-900nm", "none is known"),
    ],
)
def test_a_text_without_bands_is_answered(bands, text, answer):
    with pytest.raises(ConfigError, match=answer):
        bands.choose(text)


@given(order=st.permutations(range(5)))
def test_named_bands_are_found_whatever_their_order(order):
    scene = in_order(SENSOR, order)

    matched = SENSOR.find_in(scene, "scene.tif")

    assert matched.names == NAMES
    assert [order[index - 1] for index in matched.indexes] == [0, 1, 2, 3, 4]


def test_a_scene_may_have_more_bands_and_a_missing_one_is_named():
    some = SENSOR.choose("nir,red")

    assert some.find_in(SENSOR, "scene.tif").indexes == [4, 3]
    with pytest.raises(BandMismatch, match=r"s\.tif has 2 bands .* It lacks blue, green, swir: "):
        SENSOR.find_in(some, "s.tif")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(SENSOR, UNNAMED), (UNNAMED, SENSOR), (UNNAMED, UNNAMED)],
)
def test_without_names_on_either_side_bands_are_matched_by_position(ours, theirs):
    detector = ours.keep([ours.items[3], ours.items[0]])

    assert detector.find_in(theirs, "scene.tif").indexes == [4, 1]


@pytest.mark.parametrize("detector", [SENSOR, UNNAMED.choose("1,2")])
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_without_names_the_numbers_of_bands_in_the_files_must_agree(detector, count):
    with pytest.raises(BandMismatch, match=f"scene has {count} bands, but .* files of 5"):
        detector.find_in(unnamed_bands(count), "scene")


@pytest.mark.parametrize("values", [{"scale": 1e-4}, {"offset": -0.1}, {"nodata": 0.0}])
def test_another_scale_or_offset_is_another_way_to_store_equal_values(values):
    scene = changed(SENSOR, 2, **values)

    assert SENSOR.find_in(scene, "scene.tif") == scene


def test_a_band_at_another_wavelength_is_refused():
    with pytest.raises(BandMismatch, match=r"band red lies at 705 nm, .* trained with it at 665"):
        SENSOR.find_in(changed(SENSOR, 2, wavelength=705.0), "scene.tif")


@given(st.one_of(st.none(), st.floats(665 * 0.991, 665 * 1.009)))
def test_a_wavelength_that_is_near_or_unknown_is_accepted(wavelength):
    scene = changed(SENSOR, 2, wavelength=wavelength)

    assert SENSOR.find_in(scene, "scene.tif").names == NAMES


@pytest.mark.parametrize(
    ("ours", "theirs", "warned"),
    [(None, None, False), (None, 0.0, False), (0.0, -9999.0, False), (0.0, None, True)],
)
def test_another_nodata_value_is_accepted_and_a_missing_one_is_warned_of(
    ours, theirs, warned, caplog
):
    detector, scene = (changed(SENSOR, 2, nodata=value) for value in (ours, theirs))

    assert detector.find_in(scene, "scene.tif").names == NAMES
    assert ("scene.tif has no nodata value in red" in caplog.text) == warned
