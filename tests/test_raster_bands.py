"""Names, wavelengths and radiometry of bands, from the metadata of several formats."""

import numpy as np
import pytest
from support.scene_files import bands_in, make, ramp, read, setting

from anomvae.pixels.wavelengths import nanometres


@pytest.mark.parametrize(
    ("second", "names"),
    [("nir", ("red", "nir")), *((none, ("band_1", "band_2")) for none in (None, "red", " "))],
)
def test_bands_have_names_if_each_has_its_own_and_numbers_otherwise(tmp_path, second, names):
    path = make(tmp_path / "a.tif", ramp(), describe=setting(descriptions=("red", second)))

    bands = bands_in(path)

    assert bands.names == names
    assert bands.named is (second == "nir")


def test_tags_of_a_band_hold_its_name_and_wavelength_or_else_those_of_the_envi_domain(tmp_path):
    def describe(dataset):
        dataset.update_tags(1, BANDNAME="B4", WAVELENGTH="665", WAVELENGTH_UNIT="nm")
        dataset.update_tags(2, BANDNAME="B8", wavelength="0.842", wavelength_units="Micrometers")
        dataset.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="2.19")
        dataset.update_tags(3, BANDNAME="B12")
        dataset.update_tags(4, BANDNAME="B99", wavelength="700")  # no unit
        envi = {"band_names": "{a, b, c, d, B10}", "wavelength": "{1, 1, 1, 0, 1.375}"}
        dataset.update_tags(ns="ENVI", wavelength_units="Micrometers", **envi)

    bands = bands_in(make(tmp_path / "a.tif", ramp(5, dtype="uint16"), describe=describe))

    assert bands.names == ("B4", "B8", "B12", "B99", "B10")
    assert [band.wavelength for band in bands] == [665, 842, 2190, None, 1375]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("units", "factor"), [("Nanometers", 1), ("Micrometers", 1000)])
def test_envi_headers_hold_names_wavelengths_gain_and_nodata(tmp_path, units, factor, named):
    path = make(tmp_path / "a.img", ramp(dtype="int16"), driver="ENVI")
    lines = (tmp_path / "a.hdr").read_text().splitlines()
    header = "\n".join(line for line in lines if "Band " not in line and "{" not in line)
    names = "band names = {green, red}\n" if named else ""
    (tmp_path / "a.hdr").write_text(
        f"{header}\n{names}wavelength units = {units}\n"
        f"wavelength = {{{550 / factor}, {665 / factor}}}\n"
        "data gain values = {0.5, 0.5}\ndata ignore value = 3\n"
    )

    block, bands = read(path), bands_in(path)

    assert [band.wavelength for band in bands] == [550, 665]
    assert bands.named
    assert not named or [name.split()[0] for name in bands.names] == ["green", "red"]
    assert bands.items[0].scale == 0.5
    assert block[0, 0, 0] == 0.5
    assert np.argwhere(np.isnan(block)).tolist() == [[0, 2, 0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("429.410004 nm", 429.410004),
        ("B4, central wavelength 665 nm", 665),
        ("0.55 um", 550),
        ("0.55µm", 550),
        ("Band 1 (0.55 Micrometers)", 550),
        ("2190 NANOMETRES", 2190),
        ("450-520 nm", None),
        ("0.45 to 0.52 um", None),
        ("band 665", None),
        ("smoothed over 10 nm", None),
        ("100 nm", 100),
        ("1000 um", 1e6),
        ("1001 um", None),
        ("665 nmi", None),
        ("665 nm, also 705 nm", None),
        ("", None),
    ],
)
def test_a_wavelength_is_read_from_text_but_never_invented(text, expected):
    assert nanometres(text) == expected
