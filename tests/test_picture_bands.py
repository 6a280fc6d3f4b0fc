"""Which bands a picture shows: natural colour where a scene has it, never bad or absorbed bands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.pixels.bands import Band, Bands
from anomvae.pixels.picture_bands import ABSORBED, picture_bands

SENTINEL2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
LANDSAT = tuple(f"SR_B{number}" for number in range(1, 8))


def bands_of(names=(), wavelengths=None, bad=()):
    wavelengths = wavelengths or [None] * len(names)
    names = names or [f"band_{number}" for number in range(1, len(wavelengths) + 1)]
    items = tuple(
        Band(number, name, nm, bad="bbl = 0" if number in bad else "")
        for number, (name, nm) in enumerate(zip(names, wavelengths, strict=True), start=1)
    )
    return Bands(items, source=len(items), named=True)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (SENTINEL2, ("B4", "B3", "B2")),
        (("B02", "B03", "B04", "B8A", "B11", "B12"), ("B04", "B03", "B02")),
        (("blue", "green", "red", "nir"), ("red", "green", "blue")),
        (("Red", "Green", "Blue"), ("Red", "Green", "Blue")),
        (
            (*LANDSAT, "ST_B10", "ST_B11"),
            ("SR_B4", "SR_B3", "SR_B2"),
        ),
    ],
)
def test_bands_that_are_red_green_and_blue_by_name_are_shown(names, shown):
    bands = bands_of(names)

    picture = picture_bands(bands)

    assert tuple(bands.names[position] for position in picture.positions) == shown
    assert picture.caption == f"natural colour: {', '.join(shown)}"


@pytest.mark.parametrize(
    ("wavelengths", "positions", "title"),
    [
        ((470, 560, 655, 865, 1610, 2200), (2, 1, 0), "natural colour"),
        ((470, 480, 500, 545, 560, 655), (5, 4, 1), "natural colour"),
        ((470, 560, 655, 865, 1610, None), (2, 1, 0), "natural colour"),
        ((655, 560, 470), (0, 1, 2), "natural colour"),
        ((525, 635, 740, 1200), (2, 1, 0), "false colour"),
        ((560, 655, 842), (2, 1, 0), "false colour (near infrared, red, green)"),
        ((1240, 1500, 1610, 1700, 2100, 2200), (3, 2, 1), "false colour"),
        ((2200, 1240, 1610), (0, 2, 1), "false colour"),
        ([None] * 1, (0, 0, 0), "grey"),
        ([None] * 2, (0, 0, 0), "grey"),
        ([None] * 3, (0, 1, 2), "colours not known"),
        ([None] * 9, (6, 4, 2), "colours not known"),
    ],
)
def test_bands_are_chosen_by_wavelength_or_spaced_evenly(wavelengths, positions, title):
    picture = picture_bands(bands_of(wavelengths=list(wavelengths)))

    assert picture.positions == positions
    assert picture.caption.startswith(f"{title}: ")


def test_bands_that_the_file_declares_are_shown_where_no_natural_colour_is_known():
    known, unknown = bands_of(("blue", "green", "red", "nir")), bands_of(wavelengths=[None] * 4)

    assert picture_bands(known, (4, 3, 2)).positions == (2, 1, 0)
    assert picture_bands(unknown, (4, 3, 2)).positions == (3, 2, 1)
    assert picture_bands(unknown, (4, 3, 2)).caption.startswith("as the file shows them: ")
    assert picture_bands(unknown.keep(list(unknown)[:3]), (4, 3, 2)).positions == (0, 1, 2)


def test_names_and_wavelengths_are_in_the_caption_once():
    bands = bands_of(("664.98 Nanometers", "B3, 560 nm", "x" * 90), (664.98, 560, 490.04))

    caption = picture_bands(bands).caption

    assert caption == f"natural colour: 665 nm, B3, 560 nm, {'x' * 37}... (490 nm)"


def test_a_bad_band_is_not_shown_where_another_of_its_colour_is_good():
    bands = bands_of(wavelengths=[480, 490, 560, 650, 665], bad=(2, 5))

    assert picture_bands(bands).positions == (3, 2, 0)


@given(
    centres=st.lists(st.floats(350, 2600), min_size=3, max_size=60, unique=True),
    marks=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_no_bad_or_absorbed_band_is_shown_where_three_others_exist(centres, marks):
    bad = [number for number in range(1, len(centres) + 1) if marks[number - 1]]
    bands = bands_of(wavelengths=centres, bad=bad)
    clear = [
        band
        for band in bands
        if not band.bad and not any(low <= band.wavelength <= high for low, high in ABSORBED)
    ]

    shown = [bands.items[position] for position in picture_bands(bands).positions]

    assert len(clear) < 3 or all(band in clear for band in shown)
