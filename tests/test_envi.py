"""ENVI headers: what they state about bands, beside their own pixels or a GeoTIFF."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from support.rasters import bands_of, run
from support.scene_files import UTM, is_sentence, make, ramp, read

from anomvae.errors import RasterError
from anomvae.pixels.wavelengths import Unit, unit_of
from anomvae.raster import Scene, open_raster
from anomvae.testing.products.envi import EnviCube

PRODUCTS = os.environ.get("ANOMVAE_PRODUCTS")
SHORT = ("--set", "training.max_steps=200")
real = pytest.mark.skipif(not PRODUCTS, reason="ANOMVAE_PRODUCTS is not set")

SIZES = {"samples": 4, "lines": 3, "bands": 3, "data type": 2, "interleave": "bsq", "byte order": 0}


def header(path, **items):
    """Write a header of 3 bands of 3 x 4 pixels of 16 bits; ``_`` in names stands for a space."""
    named = {name.replace("_", " "): value for name, value in items.items()}
    lines = [f"{name} = {value}" for name, value in {**SIZES, **named}.items()]
    path.write_text("\n".join(["ENVI", *lines, ""]))
    return path


def cube(folder, name="cube.dat", **items):
    """Write the numbers 1, 2, 3, ... as a cube with a header."""
    path = folder / name
    ramp(3, dtype="<i2").tofile(path)
    header(folder / "cube.hdr", **items)
    return path


def tiff(folder, dtype="int16", **options):
    return make(folder / "scene.tif", ramp(3, dtype=dtype), **UTM, **options)


def opened(path):
    """Return bands and facts of a raster."""
    with Scene.of(path).open() as scene:
        return scene.newest.dataset.bands, scene.newest.dataset.facts


def centres(path):
    return [band.wavelength for band in opened(path)[0]]


@pytest.mark.parametrize(
    ("units", "numbers", "fwhm"),
    [
        ("Nanometers", "500, 1000, 2000", "10, 20, 40"),
        ("nm", "500, 1000, 2000", "10, 20, 40"),
        ("Micrometers", "0.5, 1.0, 2.0", "0.01, 0.02, 0.04"),
        ("um", "0.5, 1, 2", "0.01, 0.02, 0.04"),
        ("microns", "0.5, 1, 2", "0.01, 0.02, 0.04"),
        ("Millimeters", "0.0005, 0.001, 0.002", "1e-5, 2e-5, 4e-5"),
        ("Meters", "5e-7, 1e-6, 2e-6", "1e-8, 2e-8, 4e-8"),
        ("Angstroms", "5000, 10000, 20000", "100, 200, 400"),
        ("Wavenumber", "20000, 10000, 5000", "400, 200, 100"),
        ("cm-1", "20000, 10000, 5000", "400, 200, 100"),
        ("GHz", "599584.916, 299792.458, 149896.229", "11991.69832, 5995.84916, 2997.92458"),
    ],
)
def test_wavelengths_and_widths_of_any_unit_are_read_in_nm(tmp_path, units, numbers, fwhm):
    path = cube(
        tmp_path, wavelength_units=units, wavelength=f"{{{numbers}}}", fwhm=f"{{\n{fwhm} }}"
    )

    bands, facts = opened(path)

    assert centres(path) == pytest.approx([500, 1000, 2000])
    assert [band.fwhm for band in bands] == pytest.approx([10, 20, 40])
    assert facts.guessed == ()


@pytest.mark.parametrize("units", [{}, {"wavelength_units": "Unknown"}])
@pytest.mark.parametrize(
    ("numbers", "unit", "centre"),
    [("450, 550, 650", "nanometres", 450), ("0.45, 0.55, 0.65", "micrometres", 450)],
)
def test_a_unit_that_is_missing_is_guessed_by_size_with_a_warning(
    tmp_path, caplog, units, numbers, unit, centre
):
    factor = centre / float(numbers.split(",")[0])
    path = cube(
        tmp_path,
        wavelength=f"{{{numbers}}}",
        fwhm=f"{{{', '.join([f'{10 / factor}'] * 3)}}}",
        **units,
    )

    bands, facts = opened(path)

    assert [band.wavelength for band in bands] == [450, 550, 650]
    assert [band.fwhm for band in bands] == pytest.approx([10] * 3)
    assert len(facts.guessed) == 1
    assert facts.guessed[0].endswith(f"have no unit, taken as {unit}")
    assert facts.guessed[0] in caplog.text


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ({"wavelength": "{0.45, 550, 650}"}, "have no unit and fit none, so they are not used"),
        ({"wavelength": "{1, 2, 3}", "wavelength_units": "Index"}, "'Index' is no unit"),
        ({"wavelength": "{450, 550}", "wavelength_units": "nm"}, "has 2 entries for 3 bands"),
    ],
)
def test_wavelengths_that_contradict_themselves_are_not_used(tmp_path, items, sentence):
    bands, facts = opened(cube(tmp_path, **items))

    assert [band.wavelength for band in bands] == [None] * 3
    assert len(facts.guessed) == 1
    assert sentence in facts.guessed[0]


def test_units_of_wavelengths_are_read_by_name():
    assert unit_of(" Micrometers ") == unit_of("µm") == unit_of("μm") == Unit(1000.0)
    assert unit_of("Index") is unit_of("") is None
    assert Unit(1.0).centre(0) is Unit(1.0).centre(-5) is Unit(1.0).width(700, 600) is None


@pytest.mark.parametrize("values", ["{1, 0, 1}", "{1.0, 0.0, 1.0}", "{true, false, true}"])
def test_bands_that_are_0_in_the_list_of_bad_bands_are_bad(tmp_path, values):
    bands, _ = opened(cube(tmp_path, bbl=values))

    assert [band.bad for band in bands] == ["", "bbl = 0", ""]


def test_a_list_of_bad_bands_of_another_length_is_not_used(tmp_path, caplog):
    bands, _ = opened(cube(tmp_path, bbl="{0, 0}"))

    assert not any(band.bad for band in bands)
    assert "the list 'bbl' of the ENVI header has 2 entries for 3 bands" in caplog.text


def test_gains_and_offsets_are_applied_once(tmp_path):
    gains = {"data_gain_values": "{0.5, 2, 1}", "data_offset_values": "{1, 0, -1}"}

    block = read(cube(tmp_path, **gains))

    np.testing.assert_allclose(block[0, 0], [1 * 0.5 + 1, 13 * 2, 25 - 1])


def test_values_are_divided_by_the_reflectance_scale_factor(tmp_path):
    path = cube(tmp_path, reflectance_scale_factor="10000", data_ignore_value=13)

    block = read(path)

    np.testing.assert_allclose(block[0, 0], [1e-4, np.nan, 25e-4], rtol=1e-6)
    assert opened(path)[1].unit == "reflectance"


@pytest.mark.parametrize(("gain", "guesses"), [("0.0001", 0), ("0.5", 1)])
def test_gains_beside_a_reflectance_scale_factor_are_not_applied_too(tmp_path, gain, guesses):
    path = cube(
        tmp_path, reflectance_scale_factor=10000, data_gain_values=f"{{{gain}, {gain}, {gain}}}"
    )

    assert read(path)[0, 0, 0] == pytest.approx(1e-4)
    assert len(opened(path)[1].guessed) == guesses


@pytest.mark.parametrize("text", ["13", "{13}", " 13.0 "])
def test_the_ignored_value_is_no_data(tmp_path, text):
    block = read(cube(tmp_path, data_ignore_value=text))

    assert np.argwhere(np.isnan(block)).tolist() == [[0, 0, 1]]


def test_date_sensor_and_unit_are_recognised(tmp_path):
    _, facts = opened(
        cube(
            tmp_path,
            acquisition_time="2024-06-01T10:20:30.0Z",
            sensor_type="HySpex",
            data_units="W/m2/um/sr",
        )
    )

    assert (facts.kind, facts.date, facts.unit) == ("ENVI", date(2024, 6, 1), "W/m2/um/sr")
    assert facts.details == (("sensor", "HySpex"),)


@pytest.mark.parametrize(
    ("text", "picture"),
    [("{3, 2, 1}", (3, 2, 1)), ("{2, 1, 0}", (3, 2, 1)), ("{7, 2, 1}", ()), ("{a, b, c}", ())],
)
def test_default_bands_count_from_1_or_from_0_where_they_name_0(tmp_path, text, picture):
    assert opened(cube(tmp_path, default_bands=text))[1].picture == picture


@pytest.mark.parametrize("name", ["cube", "cube.dat", "cube.img", "cube.bsq", "cube.RAW"])
def test_naming_the_header_opens_the_cube(tmp_path, name):
    path = cube(tmp_path, name)

    scene = Scene.of(tmp_path / "cube.hdr")

    np.testing.assert_array_equal(read(tmp_path / "cube.hdr"), read(path))
    assert scene.stem == "cube"
    assert {one.name for one in scene.identity} == {name, "cube.hdr"}


def test_naming_a_header_after_a_full_file_name_opens_that_file(tmp_path):
    path = cube(tmp_path)
    (tmp_path / "cube.hdr").rename(tmp_path / "cube.dat.hdr")
    (tmp_path / "cube.dat.img").write_bytes(b"another")

    assert Scene.of(tmp_path / "cube.dat.hdr").stem == "cube"
    np.testing.assert_array_equal(read(tmp_path / "cube.dat.hdr"), read(path))


@pytest.mark.parametrize(
    ("files", "words"), [((), "there is none"), (("cube.dat", "cube.img"), "there are several")]
)
def test_a_header_without_pixels_or_with_two_candidates_is_refused(tmp_path, files, words):
    for name in files:
        cube(tmp_path, name)
    path = header(tmp_path / "cube.hdr")

    with pytest.raises(RasterError, match=words) as error:
        read(path)

    assert is_sentence(error)
    assert run("info", path).code == 3


def test_a_cube_that_is_cut_short_is_refused(tmp_path):
    path = cube(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(RasterError, match="71 of at least 72 bytes") as error:
        read(tmp_path / "cube.hdr")

    assert is_sentence(error)


def test_bytes_before_the_pixels_do_not_hide_that_a_cube_is_cut_short(tmp_path):
    path = cube(tmp_path, header_offset=10)

    with pytest.raises(RasterError, match="72 of at least 82 bytes"):
        read(path)


def test_a_file_that_is_longer_than_its_header_describes_is_warned_of(tmp_path, caplog):
    path = cube(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(24))

    read(path)

    assert "has 96 bytes, but its header describes 72" in caplog.text


@pytest.mark.parametrize("name", ["scene.hdr", "scene.tif.hdr", "scene.HDR"])
def test_a_header_beside_a_geotiff_is_used(tmp_path, name):
    path = tiff(tmp_path)
    header(
        tmp_path / name,
        wavelength="{450, 550, 650}",
        wavelength_units="nm",
        fwhm="{10, 10, 10}",
        bbl="{1, 1, 0}",
        reflectance_scale_factor=10000,
        data_ignore_value=13,
        acquisition_time="2024-06-01",
    )

    bands, facts = opened(path)
    with open_raster(path) as dataset:
        block = dataset.read(dataset.bands, (slice(0, 1), slice(0, 1)))

    assert [(band.wavelength, band.fwhm, band.bad) for band in bands] == [
        (450, 10, ""),
        (550, 10, ""),
        (650, 10, "bbl = 0"),
    ]
    np.testing.assert_allclose(block[0, 0], [1e-4, np.nan, 25e-4], rtol=1e-6)
    assert (facts.kind, facts.date) == ("raster with an ENVI header", date(2024, 6, 1))
    assert facts.details[0] == ("header", name)


def test_gains_of_a_header_count_only_where_the_geotiff_has_none(tmp_path):
    header(tmp_path / "scene.hdr", data_gain_values="{2, 2, 2}", data_offset_values="{1, 1, 1}")

    def scaled(dataset):
        dataset.scales = (0.5,) * 3

    silent, own = read(tiff(tmp_path))[0, 0, 0], read(tiff(tmp_path, describe=scaled))[0, 0, 0]

    assert (silent, own) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ({"samples": 5}, "samples = 5, but the raster has 4"),
        ({"lines": 9}, "lines = 9, but the raster has 3"),
        ({"bands": 4}, "bands = 4, but the raster has 3"),
        ({"bands": ""}, "bands = none, but the raster has 3"),
    ],
)
def test_a_header_beside_a_geotiff_of_another_size_is_not_used(tmp_path, caplog, items, words):
    items = {"wavelength": "{450, 550, 650}", "wavelength_units": "nm", **items}
    header(tmp_path / "scene.hdr", **items)

    assert centres(tiff(tmp_path)) == [None] * 3
    assert f"scene.hdr beside it is not used: it has {words}" in caplog.text


def test_a_header_of_numbers_of_another_type_describes_the_bands_but_not_their_values(tmp_path):
    items = {"wavelength": "{450, 550, 650}", "wavelength_units": "nm"}
    header(tmp_path / "scene.hdr", reflectance_scale_factor=10000, data_ignore_value=1, **items)
    path = tiff(tmp_path, dtype="float32")

    assert centres(path) == [450, 550, 650]
    assert read(path)[0, 0, 0] == 1
    assert "numbers of another type" in opened(path)[1].guessed[0]


@pytest.mark.parametrize("content", [b"", b"BYTEORDER I\nNROWS 3\n", b"ENVI", b"ENVI\n\xff{{{=\n"])
def test_a_header_of_another_format_beside_a_geotiff_changes_nothing(tmp_path, content):
    (tmp_path / "scene.hdr").write_bytes(content)

    np.testing.assert_array_equal(read(tiff(tmp_path))[0, 0], [1, 13, 25])


def test_tags_of_plain_rasters_hold_widths_and_the_list_of_bad_bands(tmp_path):
    def describe(dataset):
        dataset.update_tags(1, wavelength="490", wavelength_units="nm", fwhm="65")
        dataset.update_tags(2, WAVELENGTH="560", WAVELENGTH_UNIT="nm", BANDWIDTH="35")
        dataset.update_tags(2, BANDWIDTH_UNIT="nm", bbl="0")
        dataset.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.665", FWHM_UM="0.03")

    bands, _ = opened(tiff(tmp_path, describe=describe))

    assert [(b.wavelength, b.fwhm, b.bad) for b in bands] == [
        (490, 65, ""),
        (560, 35, "bbl = 0"),
        (665, 30, ""),
    ]


@real
def test_a_real_cube_of_425_bands_has_53_bad_ones():
    path = Path(PRODUCTS, "envi", "caltech_425_7_7_nm")

    bands, facts = opened(path)

    assert (len(bands), sum(bool(band.bad) for band in bands)) == (425, 53)
    assert bands.items[0].wavelength == pytest.approx(376.859985)
    assert bands.items[0].nodata == -9999
    assert facts.guessed == ()
    with open_raster(path) as dataset:
        assert "32611" in str(dataset.handle.crs)
        assert np.hypot(dataset.grid.transform[0], dataset.grid.transform[3]) == pytest.approx(2)
        assert dataset.grid.transform[1] != 0  # rotated


@real
def test_a_real_cube_in_micrometres_has_wavelengths_in_nm_and_shows_bands_from_0():
    bands, facts = opened(Path(PRODUCTS, "envi", "circuit_4_100_150_um"))

    assert [band.wavelength for band in bands] == pytest.approx([525, 635, 740, 1200])
    assert facts.picture == (3, 2, 1)


def test_spikes_in_bad_bands_are_flagged_only_where_the_list_of_bad_bands_is_gone(tmp_path):
    path, shape = EnviCube().write(EnviCube().cube(), tmp_path), EnviCube().cube().shape
    stored = np.fromfile(path, "<i2").reshape(*shape, -1)
    spikes = np.zeros(shape, bool)
    spikes[5::12, 3::12] = True
    stored[..., 0] = np.random.default_rng(1).normal(1000, 10, shape)
    stored[spikes, 0] = 3000
    stored.tofile(path)
    header = path.with_suffix(".hdr")
    lines = header.read_text().splitlines()

    def flagged_spikes(name, lines):
        header.write_text("\n".join(lines))
        result = run("detect", path, "-o", tmp_path / name, *SHORT)
        assert result.code == 0, result.err
        return (bands_of(tmp_path / name / f"{path.stem}.flags.tif")[0][spikes] == 1).sum()

    marked = flagged_spikes("marked", lines)
    ignored = flagged_spikes("ignored", [line for line in lines if not line.startswith("bbl")])

    assert marked <= 2
    assert ignored >= 15
