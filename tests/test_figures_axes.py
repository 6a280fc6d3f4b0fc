"""What figures share: the axis of a spectrum, gaps, and files of the same bytes."""

import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from anomvae.errors import ConfigError
from anomvae.figures.axes import SpectrumAxis, save, styled, to_bytes
from anomvae.pixels.band import Band
from anomvae.pixels.bands import Bands


def bands_at(wavelengths):
    items = tuple(Band(i, f"b{i}", nm) for i, nm in enumerate(wavelengths, 1))
    return Bands(items, len(items), named=True)


SPECTROMETER = [nm for nm in range(400, 1500, 10) if not 1340 < nm < 1440]


@styled()
def drawn(axis, spectrum):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axis.plot(axes, spectrum)
    axis.fill(axes, spectrum - 1, spectrum + 1)
    axis.finish(axes)
    return figure


def test_bands_in_any_order_are_drawn_by_wavelength_with_removed_ones_left_open():
    shuffled = np.random.default_rng(0).permutation(SPECTROMETER)

    figure = drawn(SpectrumAxis.of(bands_at(shuffled.tolist())), shuffled.astype(float))

    x, y = figure.axes[0].lines[0].get_data()
    gap = int(np.flatnonzero(np.isnan(y))[0])
    assert np.isnan(y).sum() == 1
    assert (y[gap - 1], y[gap + 1]) == (1340, 1440)
    np.testing.assert_array_equal(x, y)
    assert (np.diff(x[np.isfinite(x)]) > 0).all()
    assert figure.axes[0].get_xlabel() == "Wavelength (nm)"


@pytest.mark.parametrize(
    ("wavelengths", "label", "ends"),
    [
        ([443, 490, 560, 665, 865, 1610, 2190], "Wavelength (nm)", (443, 2190)),
        ([8000, 12000], "Wavelength (\N{MICRO SIGN}m)", (8, 12)),
        ([443, None, 560], "Band number", (1, 3)),
        ([443], "Wavelength (nm)", (443, 443)),
    ],
)
def test_few_bands_are_joined_and_marked(wavelengths, label, ends):
    axis = SpectrumAxis.of(bands_at(wavelengths))

    line = drawn(axis, np.arange(len(wavelengths), dtype=float)).axes[0].lines[0]

    assert (axis.label, line.get_xdata()[0], line.get_xdata()[-1]) == (label, *ends)
    assert np.isfinite(line.get_ydata()).all()
    assert line.get_marker() == "o"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes_whatever_the_settings_of_the_host(tmp_path, kind):
    axis, spectrum = SpectrumAxis.of(bands_at(SPECTROMETER)), np.sin(SPECTROMETER)
    expected = to_bytes(drawn(axis, spectrum), kind)
    hostile = {"font.size": 30, "savefig.dpi": 20, "svg.hashsalt": None, "text.usetex": True}

    with matplotlib.rc_context(hostile):
        save(drawn(axis, spectrum), tmp_path / f"figure.{kind.upper()}")
        assert matplotlib.rcParams["font.size"] == 30

    assert (tmp_path / f"figure.{kind.upper()}").read_bytes() == expected
    assert not re.search(rb"Matplotlib v|CreationDate|dc:date", expected)


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "png"])
def test_another_suffix_is_refused_in_one_line(tmp_path, name):
    with pytest.raises(ConfigError, match=r"does not end in \.png, \.svg or \.pdf") as refused:
        save(Figure(), tmp_path / name)

    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_ticks_of_band_numbers_are_whole():
    axis = SpectrumAxis.of(bands_at([None] * 5))

    axes = drawn(axis, np.arange(5.0)).axes[0]

    assert all(float(tick).is_integer() for tick in axes.get_xticks())
