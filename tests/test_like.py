"""Find more like this: target detection by the covariance that a detector has learnt."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from support.rasters import bands_of, run, write
from support.spectra import fit, fit_scene, spectra

import anomvae
from anomvae import ObjectTarget, PixelTarget, ScoreOptions, SpectrumTarget, find_like
from anomvae.cli import main
from anomvae.errors import BandMismatch, ConfigError, FileError
from anomvae.evaluation import evaluate
from anomvae.explaining.finder import Finder
from anomvae.explaining.library import LibrarySpectrum
from anomvae.mapping import rethreshold
from anomvae.pixels.band import Band
from anomvae.pixels.bands import Bands
from anomvae.raster.gdal import unwarned
from anomvae.stats.target import LAYERS, Target, default_rule
from anomvae.stats.thresholds import parse_rule

CENTRES = (450.0, 550.0, 650.0, 750.0, 850.0, 1000.0, 1600.0, 2200.0)
NAMED = Bands(tuple(Band(n, f"{c:g} nm", c, fwhm=40.0) for n, c in enumerate(CENTRES, 1)), 8, True)
PAINT = np.array([0.9, 0.1, 0.8, 0.1, 0.7, 0.2, 0.9, 0.1], np.float32)
RULE = parse_rule("sigma:5")


@cache
def detector():
    return fit(spectra(2000, 8), bands=NAMED, training={"max_steps": 5})


@cache
def planted():
    """Return a block in which the paint fills a tenth of some pixels, and where these are."""
    block = spectra(30 * 40, 8, seed=3).reshape(1, 30, 40, 8)
    where = np.zeros((30, 40), bool)
    where[5:7, 5:8] = where[20, 30:33] = where[28, 1] = True
    block[0, where] += 0.1 * (PAINT - block[0, where])
    return block, where


def write_scene(path, block):
    _, rows, cols, count = block.shape
    profile = {"dtype": "float32", "height": rows, "width": cols, "nodata": np.nan}
    with unwarned(), rasterio.open(path, "w", "GTiff", count=count, **profile) as file:
        file.write(np.moveaxis(block[0], -1, 0))
        file.descriptions = NAMED.names[:count]
    return path


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", planted()[0])


def brute(x, target):
    """Compute ACE and matched filter by their formulas, with moments of data units."""
    background, scaler = detector().background, detector().scaler
    root = np.linalg.inv(background.whitening)
    covariance = root @ root * np.outer(scaler.std, scaler.std)
    mean = scaler.centre + scaler.std * background.centre
    inverse = np.linalg.inv(covariance)
    pairs = []
    for pixel in x.astype(np.float64):
        across = (target - mean) @ inverse @ (pixel - mean)
        energy = (target - mean) @ inverse @ (target - mean)
        length = (pixel - mean) @ inverse @ (pixel - mean)
        pairs.append((max(across, 0) ** 2 / (energy * length), across / energy))
    return np.array(pairs).T


# The estimators


def test_ace_and_matched_filter_are_those_of_their_formulas():
    block, _ = planted()
    finder = Finder.of(detector(), PAINT, "paint", RULE)

    ace, matched = (layer[0].ravel() for layer in finder.score(block))

    expected = brute(block.reshape(-1, 8), PAINT)
    np.testing.assert_allclose(ace, expected[0], rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(matched, expected[1], rtol=1e-3, atol=1e-5)


def test_at_the_target_both_are_1_and_behind_the_mean_ace_is_0():
    scaler, background = detector().scaler, detector().background
    mean = scaler.centre + scaler.std * background.centre
    pixels = np.array([PAINT, mean, 2 * mean - PAINT, 0.5 * (mean + PAINT)], np.float32)

    ace, matched = Finder.of(detector(), PAINT, "paint", RULE).score(pixels[None, None])

    np.testing.assert_allclose(ace[0, 0, [0, 2, 3]], [1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(matched[0, 0], [1, 0, -1, 0.5], atol=1e-5)


@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=30)
def test_the_length_of_the_target_and_the_scale_of_the_covariance_move_no_ace(seed, far, factor):
    y = np.random.default_rng(seed).normal(size=(50, 6))
    s = np.random.default_rng(seed + 1).normal(size=6)

    ace, matched = Target(s).score(y)
    further, weaker = Target(far * s).score(y)
    scaled, same = Target(factor * s).score(factor * y)

    np.testing.assert_allclose(further, ace, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(weaker, matched / far, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scaled, ace, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(same, matched, rtol=1e-4, atol=1e-6)
    assert ((ace >= 0) & (ace <= 1)).all()


def test_the_unit_of_the_bands_moves_no_score():
    block, _ = planted()
    counts = fit(10_000 * spectra(2000, 8) + 500, bands=NAMED, training={"max_steps": 5})

    ace, _ = Finder.of(detector(), PAINT, "paint", RULE).score(block)
    other, _ = Finder.of(counts, 10_000 * PAINT + 500, "paint", RULE).score(10_000 * block + 500)

    np.testing.assert_allclose(other, ace, rtol=0.01, atol=1e-3)


def test_of_normally_distributed_background_ace_has_its_mean():
    y = np.random.default_rng(0).normal(size=(20_000, 10))

    ace, _ = Target(np.eye(10)[0]).score(y)

    assert ace.mean() == pytest.approx(1 / 20, rel=0.05)
    assert (ace == 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("bands", [4, 5, 8, 200])
def test_the_default_threshold_lies_below_the_largest_score(bands):
    y = np.random.default_rng(bands).normal(size=(20_000, bands))
    ace, _ = Target(np.eye(bands)[0]).score(y)

    threshold = anomvae.stats.scores.NormalScores.of(ace, held_out=False)

    assert parse_rule(default_rule(bands)).threshold(threshold).value < 0.95


# The map


def test_sub_pixel_targets_are_flagged_and_hardly_anything_else(tmp_path, scene):
    _, where = planted()

    result = find_like(detector(), scene, PixelTarget(5, 5), tmp_path / "out")

    with unwarned(), rasterio.open(result.files.flags) as file:
        flags = file.read(1) == 1
    with unwarned(), rasterio.open(result.path) as file:
        assert file.descriptions == LAYERS
        ace, matched = file.read()
        assert "pixel 5,5" in file.tags()["ANOMVAE_SCORE"]
    assert flags[where].all()
    assert flags[~where].mean() < 0.01
    assert ace[5, 5] == matched[5, 5] == pytest.approx(1)
    assert ace[where].min() > ace[~where].max()
    assert result.objects >= 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"scene.like.{end}"
        for end in (
            *("anomaly.tif", "flags.tif", "objects.geojson", "png", "json"),
            *("anomaly.qml", "flags.qml", "objects.qml"),
        )
    }


def test_tiles_move_no_bit(tmp_path, scene):
    maps = []
    for tile in (7, 16, None):
        options = ScoreOptions(tile=tile)
        result = find_like(detector(), scene, PixelTarget(5, 5), tmp_path / f"{tile}", options)
        maps.append((result.path.read_bytes(), result.files.flags.read_bytes()))

    assert maps[0] == maps[1] == maps[2]


def test_an_object_is_its_mean_and_leads_to_the_others(tmp_path, scene):
    block, where = planted()
    first = find_like(detector(), scene, PixelTarget(5, 5), tmp_path, threshold="fixed:0.5")
    (tmp_path / "results").mkdir()
    for path in first.written:
        path.rename(tmp_path / "results" / path.name.replace(".like.", "."))
    objects = anomvae.read_objects(tmp_path / "results" / "scene.objects.geojson").items
    largest = max(objects, key=lambda item: item.area_px)
    with unwarned(), rasterio.open(tmp_path / "results" / "scene.flags.tif") as file:
        numbered, _ = label(file.read(1) == 1, np.ones((3, 3)))
    target = ObjectTarget(largest.id, tmp_path / "results")

    found = find_like(detector(), scene, target, tmp_path / "out")

    with unwarned(), rasterio.open(found.path) as file:
        ace = file.read(1)
    mean = block[0][numbered == numbered[largest.peak]].mean(axis=0)
    expected, _ = Finder.of(detector(), mean, "mean", RULE).score(block)
    np.testing.assert_allclose(ace, expected[0], rtol=1e-4, atol=1e-6)
    assert ace[where].min() > ace[~where].max()


def test_rethreshold_and_evaluate_take_the_map(tmp_path, scene):
    _, where = planted()
    labels = tmp_path / "labels.tif"
    write_scene(labels, where[None, ..., None].astype(np.float32))
    result = find_like(detector(), scene, PixelTarget(5, 5), tmp_path / "out")

    again = rethreshold(result.path, "budget:3")
    metrics = evaluate(again, labels, baselines=()).rows["anomvae"]

    assert again.flagged == 3
    assert metrics.roc_auc == 1.0


def test_the_result_is_kept_and_another_target_needs_overwrite(tmp_path, scene):
    out = tmp_path / "out"
    first = find_like(detector(), scene, PixelTarget(5, 5), out)

    again = find_like(detector(), scene, PixelTarget(5, 5), out)
    with pytest.raises(FileError, match=r"exists, made with other settings.*--overwrite"):
        find_like(detector(), scene, PixelTarget(20, 30), out)

    assert first.newly_written
    assert not again.newly_written
    assert again.digest == first.digest


# A spectrum of a library


def library(tmp_path, wavelengths, values, names=("paint",), unit="Nanometers", **items):
    values = np.atleast_2d(np.asarray(values, np.float32))
    header = {
        "samples": values.shape[1],
        "lines": len(values),
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 1,
        "wavelength units": unit,
        "spectra names": "{" + ", ".join(names) + "}",
        "wavelength": "{" + ", ".join(map(str, wavelengths)) + "}",
        **items,
    }
    text = "ENVI\n" + "\n".join(f"{key} = {value}" for key, value in header.items())
    (tmp_path / "paint.hdr").write_text(text)
    path = tmp_path / "paint.sli"
    path.write_bytes(values.astype(">f4").tobytes())
    return path


def test_a_spectrum_of_an_envi_library_finds_what_is_like_it(tmp_path, scene):
    _, where = planted()
    values = [PAINT[::-1], PAINT]
    path = library(tmp_path, np.divide(CENTRES, 1000), values, ("other", "paint"), "Micrometers")

    result = find_like(detector(), scene, SpectrumTarget(path, "paint"), tmp_path / "out")

    with unwarned(), rasterio.open(result.path) as file:
        ace, matched = file.read()
    assert ace[where].min() > ace[~where].max()
    np.testing.assert_allclose(matched[where].mean(), 0.1, atol=0.03)


@pytest.mark.parametrize("fwhm", [None, 40.0])
def test_a_straight_spectrum_keeps_its_values_at_the_bands(fwhm):
    wavelengths = np.arange(400, 2401, 5.0)
    bands = Bands(tuple(replace(band, fwhm=fwhm) for band in NAMED), 8, True)

    measured = LibrarySpectrum("line", wavelengths, wavelengths / 1e4).measured_by(bands)

    np.testing.assert_allclose(measured, np.divide(CENTRES, 1e4), rtol=1e-3)


def test_a_narrow_line_is_spread_over_the_width_of_a_band():
    wavelengths = np.arange(400, 2401, 1.0)
    line = (wavelengths == 650).astype(float)

    measured = LibrarySpectrum("line", wavelengths, line).measured_by(NAMED)

    density = 2.3548 / (40 * np.sqrt(2 * np.pi))  # of a normal distribution at its centre, per nm
    assert measured[2] == pytest.approx(density, rel=1e-3)
    assert measured[[0, 7]].max() < 1e-12


@pytest.mark.parametrize(
    "text",
    [
        "wavelength_nm,reflectance\n{0}",
        "Wavelength (nm); paint [0-1]\n{0}",
        "# measured outdoors\n{0}",
        "wavelength,percent\n{2}",
        "wavelength (um),value\n{1}",
        "{1}",
        "band,wavelength_nm,paint\n{3}",
        '"band","wavelength_nm","paint"\n{3}',
        '"wavelength_nm","paint"\n{4}',
    ],
)
def test_csv_is_read_in_its_units(tmp_path, text):
    pairs = list(zip(CENTRES, PAINT.tolist(), strict=True))
    lines = (
        [f"{at},{value}" for at, value in pairs],
        [f"{at / 1000}\t{value}" for at, value in pairs],
        [f"{at} {100 * value}" for at, value in pairs],
        [f"b{at},{at},{value}" for at, value in pairs],
        [f'"{at}","{value}"' for at, value in pairs],
    )
    path = tmp_path / "paint.csv"
    path.write_text(text.format(*map("\n".join, lines)) + "\n")

    read = LibrarySpectrum.read(path)

    np.testing.assert_allclose(read.wavelengths, CENTRES)
    np.testing.assert_allclose(read.values, PAINT, rtol=1e-6)


def test_deleted_channels_are_no_data(tmp_path):
    values = PAINT.copy()
    values[2] = -1.23e34

    table = tmp_path / "paint.csv"
    table.write_text("\n".join(f"{at},{value}" for at, value in zip(CENTRES, values, strict=True)))

    for path in (library(tmp_path, CENTRES, values), table):
        read = LibrarySpectrum.read(path)

        assert 650.0 not in read.wavelengths
        assert len(read.values) == 7


@pytest.mark.parametrize("factor", [100, 1e-3])
def test_another_unit_is_doubted(tmp_path, scene, caplog, factor):
    path = library(tmp_path, CENTRES, factor * PAINT)

    find_like(detector(), scene, SpectrumTarget(path), tmp_path / "out")
    find_like(detector(), scene, SpectrumTarget(path, scale=1 / factor), tmp_path / "scaled")

    assert len([line for line in caplog.messages if "looks like another unit" in line]) == 1


# Bad input


def test_wavelengths_beyond_a_spectrum_are_refused(tmp_path, scene):
    path = library(tmp_path, CENTRES[1:-1], PAINT[1:-1])

    with pytest.raises(BandMismatch, match=r"from 550 to 1600 nm, and 2 of 8 bands .* 450 nm, 22"):
        find_like(detector(), scene, SpectrumTarget(path), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_model_without_wavelengths_takes_no_spectrum():
    spectrum = LibrarySpectrum("paint", np.array(CENTRES), PAINT)

    with pytest.raises(BandMismatch, match="no wavelength of 450 nm"):
        spectrum.measured_by(Bands((replace(NAMED.items[0], wavelength=None),), 1, True))


def test_of_several_spectra_one_is_chosen(tmp_path):
    path = library(tmp_path, CENTRES, [PAINT, PAINT], ("red", "blue"))

    with pytest.raises(ConfigError, match=r"has 2 spectra: red, blue. Choose one by --name"):
        LibrarySpectrum.read(path)
    with pytest.raises(ConfigError, match=r"no spectrum 'bleu'\. Did you mean 'blue'"):
        LibrarySpectrum.read(path, "bleu")
    with pytest.raises(ConfigError, match=r"2 spectra of the name 'red'.* name of its own"):
        LibrarySpectrum.read(library(tmp_path, CENTRES, [PAINT, PAINT], ("red", "red")), "red")


@pytest.mark.parametrize(("value", "scale"), [(1e300, 1.0), (1.0, 1e300), (1.0, np.nan)])
def test_a_target_that_float32_cannot_hold_is_refused(tmp_path, scene, value, scale):
    table = tmp_path / "paint.csv"
    table.write_text("".join(f"{at},{value}\n" for at in CENTRES))

    with pytest.raises(ConfigError, match=r"times .* no numbers of float32\. Check"):
        find_like(detector(), scene, SpectrumTarget(table, scale=scale), tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"file type": "ENVI Standard"}, "the file type of its header is 'ENVI Standard'"),
        ({"samples": 9}, "shorter than 1 spectra of 9 values"),
        ({"lines": "many"}, "lines = many"),
        ({"data type": 6}, "data type is '6'"),
        ({"wavelength": "{1, 2}"}, "places 0 of 8 wavelengths"),
    ],
)
def test_a_library_that_cannot_be_read_is_refused(tmp_path, change, problem):
    path = library(tmp_path, CENTRES, PAINT, **change)

    with pytest.raises(FileError, match=problem):
        LibrarySpectrum.read(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has no numbers"),
        ("wavelength_nm,value\n500,0.1\n600\n", "row 3 has no two numbers"),
        ("0.5,0.1\n2000,0.2\n", "the unit of its wavelengths is not clear"),
        ("band,wavelength_nm,paint\nB1,,0.2\n", "has no wavelengths"),
        ("500,0.1\n", r"has 1 values .* Give a spectrum over"),
        (f"wavelength,{'a' * 200_000}\n500,0.1\n", "field larger than field limit"),
    ],
)
def test_a_table_that_is_no_spectrum_is_refused(tmp_path, text, problem):
    path = tmp_path / "paint.csv"
    path.write_text(text)

    with pytest.raises(FileError, match=problem):
        LibrarySpectrum.read(path)


def test_a_model_without_a_covariance_says_so(tmp_path, scene):
    few = fit(spectra(39, 8), bands=NAMED, training={"max_steps": 2})

    with pytest.raises(ConfigError, match="keeps no covariance of its training spectra"):
        find_like(few, scene, PixelTarget(5, 5), tmp_path / "out")


@pytest.mark.parametrize(
    ("rule", "problem"), [("conformal:0.01", "needs scores of pixels"), ("sgima", "Did you mean")]
)
def test_a_rule_that_the_map_cannot_have_is_refused(tmp_path, scene, rule, problem):
    with pytest.raises(ConfigError, match=problem):
        find_like(detector(), scene, PixelTarget(5, 5), tmp_path / "out", threshold=rule)


# The command


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("", "Give one target"),
        ("--at 1,2 --spectrum paint.csv", "Give one target"),
        ("--object 3", "--object and --results go together"),
        ("--at 1,2 --results maps/", "--object and --results go together"),
        ("--at 1,2 --name paint", "--name and --scale are about --spectrum"),
        ("--spectrum paint.csv --scale 0", "--scale"),
    ],
)
def test_the_command_takes_one_target(target, problem):
    command = ["like", "scene.tif", "-m", "m.safetensors", "-o", "out", *target.split()]

    result = CliRunner().invoke(main, command)

    assert result.exit_code == 2
    assert problem in result.output


def test_the_command_maps_what_is_like_a_pixel(tmp_path, scene):
    detector().save(tmp_path / "m.safetensors")
    command = ["like", scene, "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out", "--json"]

    result = CliRunner().invoke(main, [*map(str, command), "--at", "5,5", "--threshold", "mad:5"])

    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["threshold"]["rule"] == "mad:5"
    assert "scene.like.anomaly.tif" in summary["files"]


def test_the_newest_date_is_mapped_by_a_family_that_compares_dates(tmp_path):
    rng = np.random.default_rng(3)
    block = rng.normal(5, 1, (3, 24, 26, 4)).astype("float32")
    fitted = fit_scene(block, model={"family": "sequential"}, training={"max_steps": 5})
    fitted.save(tmp_path / "m.safetensors")
    days = [f"day_2024-06-0{day}.tif" for day in (1, 2, 3)]
    for name, date in zip(days, block, strict=True):
        write(tmp_path / name, np.moveaxis(date, -1, 0), nodata=np.nan)
    model = "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out", "--at", "5,6"

    ran = run("like", *(tmp_path / name for name in days), *model)

    assert ran.code == 0, ran.err
    ace = bands_of(tmp_path / "out" / "day_2024-06-03.like.anomaly.tif")[0]
    assert ace[5, 6] == pytest.approx(1, abs=1e-5)
