"""One band is one band, however it is called; what contradicts itself is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import BandMismatch, ConfigError
from anomvae.pixels.band_names import canonical, common_band
from anomvae.pixels.bands import Band, Bands, unnamed_bands

S2 = {
    **{"B1": 443, "B2": 490, "B3": 560, "B4": 665, "B5": 705, "B6": 740, "B7": 783, "B8": 842},
    **{"B8A": 865, "B9": 945, "B11": 1610, "B12": 2190},
}
COMMON = {
    **{"coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge071": "B5"},
    **{"rededge075": "B6", "rededge078": "B7", "nir": "B8", "nir08": "B8A", "nir09": "B9"},
    **{"swir16": "B11", "swir22": "B12"},
}


def spellings(name, wavelength):
    """Return the ways in which agencies and programs write a band of Sentinel-2."""
    number, letter = name[1:].rstrip("A"), "A" if name.endswith("A") else ""
    padded = f"{int(number):02d}{letter}"
    return [
        name,
        name.lower(),
        f"B{padded}",
        f"SR_{name}",
        f"Band {number}{letter} ({wavelength} nm)",
        f"{name}, central wavelength {wavelength} nm",
        f"B{padded}_20m",
        f"T31UFS_20180101T105441_B{padded}_20m",
    ]


def bands(names, wavelengths=None):
    wavelengths = wavelengths or [None] * len(names)
    items = tuple(map(Band, range(1, len(names) + 1), names, wavelengths))
    return Bands(items, source=len(items), named=True)


def sentinel(names=tuple(S2), *, located=True):
    return bands(names, [float(S2[name]) for name in names] if located else None)


def spelt(draw, *, located):
    """Draw the bands of a scene in any order and spelling."""
    order = draw(st.permutations(list(S2)))
    names = [draw(st.sampled_from(spellings(name, S2[name]))) for name in order]
    wavelengths = [float(S2[name]) for name in order] if located else None
    return order, bands(names, wavelengths)


@pytest.mark.parametrize("name", S2)
def test_all_spellings_of_a_name_are_one_name(name):
    assert {canonical(spelling) for spelling in spellings(name, S2[name])} == {name.lower()}


def test_names_of_other_bands_stay_other_names():
    names = [
        "B1",
        "B10",
        "B11",
        "B8",
        "B8A",
        "NDVI",
        "mean_B2",
        "std_B2",
        "490 nm",
        "491 nm",
        "red",
    ]

    assert len({canonical(name) for name in names}) == len(names)


@given(st.text(max_size=300))
def test_any_text_has_one_canonical_name(text):
    assert canonical(text) == canonical(f"  {text} ")


@given(data=st.data(), model=st.booleans(), scene=st.booleans())
def test_bands_are_found_in_any_order_and_spelling(data, model, scene):
    order, theirs = spelt(data.draw, located=scene)

    found = sentinel(located=model).find_in(theirs, "scene.tif")

    assert [order[index - 1] for index in found.indexes] == list(S2)


@given(order=st.permutations(list(COMMON)), located=st.booleans())
def test_common_names_bridge_names_and_wavelengths(order, located):
    scene = bands(order)

    found = sentinel(located=located).find_in(scene, "scene.tif")
    back = scene.find_in(sentinel(located=located), "scene.tif")

    assert [COMMON[name] for name in found.names] == list(S2)
    assert list(back.names) == [COMMON[name] for name in order]


@given(order=st.permutations(list(S2)), names=st.sampled_from(["B{}", "Band {}", "{}"]))
def test_wavelengths_decide_where_names_only_number_the_bands(order, names):
    scene = bands([f"ch {n}" for n in range(12)], [S2[name] + 0.4 for name in order])
    unnamed = replace(
        unnamed_bands(12), items=tuple(replace(b, name=f"band_{b.index}") for b in scene)
    )

    for theirs in (scene, unnamed):
        found = sentinel().find_in(theirs, "scene.tif")
        assert [order[index - 1] for index in found.indexes] == list(S2)


def test_four_bands_called_by_colours_are_those_of_the_only_sensor_that_fits():
    colours = bands(["blue", "green", "red", "nir"])

    assert bands(["B2", "B3", "B4", "B8"]).find_in(colours, "s.tif").names == colours.names
    # Landsat 5 calls blue B1, so B2 to B4 are blue to red, or green to near infrared.
    with pytest.raises(BandMismatch, match="It lacks B2, B3, B4"):
        bands(["B2", "B3", "B4"]).find_in(colours, "s.tif")


def test_some_bands_of_a_sensor_are_those_of_common_names_with_wavelengths():
    # Landsat 8 has bands of these numbers, too, but not of these common names.
    numbered = bands(["B02", "B03", "B04", "B05", "B08", "B11"])
    common = ["blue", "green", "red", "rededge1", "nir", "swir16"]
    located = bands(common, [492.0, 560.0, 665.0, 704.0, 833.0, 1614.0])

    assert list(numbered.find_in(located, "s.tif").names) == common
    assert located.find_in(numbered, "s.tif").names == numbered.names


def test_a_common_name_is_no_band_that_lies_elsewhere():
    # B9 is the cirrus band of Landsat 8, and water vapour of Sentinel-2.
    with pytest.raises(BandMismatch, match="It lacks cirrus"):
        bands(["coastal", "blue", "cirrus"]).find_in(sentinel(), "s.tif")


def test_the_nearest_band_counts_and_broad_bands_do_not_swallow_narrow_ones():
    model = sentinel(["B8", "B8A"])
    widths = {"B8": 106.0, "B8A": 21.0}
    model = model.keep([replace(band, fwhm=widths[band.name]) for band in model])

    assert model.find_in(model.keep(list(model)[::-1]), "s.tif").indexes == [1, 2]
    with pytest.raises(BandMismatch, match="It lacks B8:"):
        model.find_in(model.keep([model.items[1]]), "s.tif")


def test_a_band_within_the_width_of_another_is_the_same():
    model, scene = bands(["a"], [1000.0]), bands(["a"], [1015.0])

    with pytest.raises(BandMismatch, match="a lies at 1015 nm"):
        model.find_in(scene, "s.tif")
    wide = model.keep([replace(model.items[0], fwhm=40.0)])
    assert wide.find_in(scene, "s.tif").names == ("a",)


@pytest.mark.parametrize(
    ("names", "wavelengths", "answer"),
    [
        (["B4", "B3", "B2"], [490, 560, 665], "band B4 lies where this detector has B2"),
        (["a", "b", "c", "d"], [490, 490, 560, 665], r"a \(number 1\), b \(number 2\) may each be"),
        (["B2", "B3", "B5"], [490, 560, 705], "It lacks B4"),
        (["B2", "B02", "B3", "B4"], None, r"It lacks|may each be"),
    ],
)
def test_a_scene_that_contradicts_itself_or_the_detector_is_refused(names, wavelengths, answer):
    model = bands(["B002", "B3", "B4"]) if wavelengths is None else sentinel(["B2", "B3", "B4"])

    with pytest.raises(BandMismatch, match=answer):
        model.find_in(bands(names, wavelengths), "scene.tif")


def test_names_that_are_missing_or_equal_are_refused_unless_wavelengths_decide():
    model = sentinel(["B2", "B3", "B4"])
    unclear = replace(unnamed_bands(3), unclear=True)

    with pytest.raises(BandMismatch, match="names of its bands are missing or equal"):
        model.find_in(unclear, "scene.tif")
    located = [
        replace(b, wavelength=w) for b, w in zip(unclear, (665.0, 560.0, 490.0), strict=True)
    ]
    assert model.find_in(unclear.keep(located), "scene.tif").indexes == [3, 2, 1]
    assert unclear.find_in(unclear, "scene.tif").indexes == [1, 2, 3]


def test_two_bands_of_a_detector_are_never_one_band_of_a_scene():
    with pytest.raises(BandMismatch, match="nearest to both a and b"):
        bands(["a", "b"], [1000.0, 1005.0]).find_in(bands(["a", "x"], [1003.0, 1100.0]), "s.tif")


def test_good_bands_are_preferred_where_two_lie_at_one_wavelength():
    scene = bands(["v", "s"], [950.0, 950.0])
    scene = scene.keep([replace(scene.items[0], bad="overlap"), scene.items[1]])

    assert bands(["x"], [950.0]).find_in(scene, "s.tif").names == ("s",)


def test_a_position_is_used_with_a_warning_where_one_side_has_neither_names_nor_wavelengths(caplog):
    found = sentinel(["B2", "B3"]).find_in(unnamed_bands(2), "array")

    assert found.indexes == [1, 2]
    assert "only the detector has names or wavelengths" in caplog.text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("red,nir", ("B4", "B8")),
        ("B02, sr_b3", ("B2", "B3")),
        ("842 nm", ("B8",)),
        ("-B10,-900-3000nm", None),
        ("-B9,-B11-B12", None),
        ("-900-3000nm", ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A")),
        ("-1340-1460nm", tuple(S2)),
    ],
)
def test_bands_are_chosen_by_any_spelling_and_common_name(text, names):
    for located in (True, False):
        if "nm" in text and not located:
            continue
        scene = sentinel(located=located)
        if names is None:
            with pytest.raises(ConfigError, match="No band is"):
                scene.choose(text)
        else:
            assert scene.choose(text).names == names


@pytest.mark.parametrize(("located", "known"), [(True, "wavelengths are 4"), (False, "none is")])
def test_a_range_without_bands_names_the_wavelengths_of_the_scene(located, known):
    with pytest.raises(ConfigError, match=f"wavelength of 3000-4000nm: {known}"):
        sentinel(located=located).choose("3000-4000nm")


def test_ranges_leave_bad_bands_out_and_names_do_not():
    scene = sentinel().keep([replace(b, bad="bbl = 0" if b.index > 9 else "") for b in sentinel()])

    assert scene.good.names == tuple(S2)[:9] == scene.choose("good").names
    assert scene.choose("700-3000nm").names == ("B5", "B6", "B7", "B8", "B8A")
    assert scene.choose("good,B11").names == (*tuple(S2)[:9], "B11")
    assert scene.choose("12").names == ("B12",)
    assert scene.choose("-1-8").names == ("B8A",)
    with pytest.raises(ConfigError, match="holds bad bands alone"):
        scene.choose("1000-3000nm")


def test_a_common_name_is_unknown_where_sensors_differ_about_it():
    landsat = bands(["B2", "B3", "B4", "B5"])

    assert common_band(landsat.items, "red") is None
    assert landsat.common("red") is None
    assert unnamed_bands(12).common("red") is None
