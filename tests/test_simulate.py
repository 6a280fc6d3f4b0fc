"""Simulated scenes, and the committed samples, which make.py draws."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from anomvae.errors import ConfigError
from anomvae.testing.simulate import (
    ANOMALIES,
    BACKGROUND,
    FOREIGN,
    MATERIALS,
    Anomaly,
    Sensor,
    draw_place,
    observe,
    simulate,
)

SAMPLES = Path(__file__).parents[1] / "data_samples"
SHAPE = (96, 96)
SUNLIT = Sensor(noise=0.0, shadow=0.0, wedge=0.0)


def value(material, *wavelengths):
    return MATERIALS[material].at(np.array(wavelengths, float))


def rx(pixels, background):
    offset = pixels - background.mean(0)
    return np.einsum("ij,jk,ik->i", offset, np.linalg.inv(np.cov(background.T)), offset)


def auc(scene, background=None):
    pixels = scene.block[0][scene.valid].astype(float)
    return roc_auc_score(
        scene.labels[scene.valid], rx(pixels, pixels if background is None else background)
    )


def test_equal_arguments_give_equal_scenes_and_another_seed_another():
    first, second, other = (simulate((40, 50), seed, anomalies=ANOMALIES) for seed in (7, 7, 8))

    assert first.block.tobytes() == second.block.tobytes() != other.block.tobytes()
    assert first.fraction.tobytes() == second.fraction.tobytes() != other.fraction.tobytes()
    assert not simulate((40, 50), 7).labels.any()


def test_axes_are_time_row_col_band():
    scene = simulate((20, 30), 0, sensor=Sensor(wavelengths=(490.0, 842.0)))

    assert scene.block.shape == (1, 20, 30, 2)
    assert scene.fraction.shape == scene.labels.shape == scene.valid.shape == (20, 30)
    assert scene.names == ("490 nm", "842 nm")
    assert scene.block.dtype == scene.fraction.dtype == np.float32
    assert scene.labels.dtype == np.uint8


@pytest.mark.parametrize("material", MATERIALS)
def test_every_spectrum_is_a_reflectance(material):
    spectrum = MATERIALS[material].at(np.arange(400.0, 2501.0))

    assert (spectrum >= 0).all()
    assert (spectrum <= 1).all()


@pytest.mark.parametrize("material", ["crop", "forest"])
def test_leaves_have_a_red_edge_a_green_peak_and_water(material):
    blue, green, red, edge, infrared, water = value(material, 450, 550, 670, 720, 842, 1450)

    assert infrared > 4 * red
    assert red < edge < infrared
    assert green > max(blue, red)
    assert water < infrared / 2


def test_water_darkens_towards_the_near_infrared():
    green, red, infrared, shortwave = value("water", 560, 665, 842, 1610)

    assert green > red > infrared
    assert infrared < 0.01
    assert shortwave < 0.01


def test_soil_brightens_with_wavelength_and_has_clay():
    assert (np.diff(value("soil", 450, 550, 665, 842, 1260, 1610)) > 0).all()
    left, clay, right = value("soil", 2130, 2205, 2280)
    assert clay < min(left, right)


@pytest.mark.parametrize("material", ["red roof", "blue roof", "plastic"])
def test_paint_and_plastic_absorb_where_hydrocarbons_do(material):
    for centre, aside in ((1730, 1640), (2310, 2170)):
        inside, outside = value(material, centre, aside)
        assert inside < 0.9 * outside


def test_foreign_materials_are_not_background():
    assert not BACKGROUND.keys() & FOREIGN.keys()


@pytest.mark.parametrize("seed", range(3))
def test_a_place_holds_every_material_in_shares_that_add_up_to_1(seed):
    abundances = draw_place(SHAPE, np.random.default_rng(seed)).abundances

    assert (abundances >= 0).all()
    np.testing.assert_allclose(abundances.sum(-1), 1)
    assert (abundances.max((0, 1)) > 0.5).all()


def test_a_place_without_noise_and_shadow_is_the_same_every_day():
    place = draw_place((48, 48), np.random.default_rng(0))

    first, second = (
        observe(place, np.random.default_rng(day), anomalies=(), sensor=SUNLIT) for day in (1, 2)
    )

    np.testing.assert_array_equal(first.block, second.block)


@pytest.mark.parametrize("seed", range(5))
def test_reflectance_is_0_to_1(seed):
    scene = simulate(SHAPE, seed, anomalies=ANOMALIES)

    data = scene.block[0][scene.valid]

    assert (data >= 0).all()
    assert (data <= 1).all()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_the_wedge_has_no_data_in_any_band(share):
    scene = simulate(SHAPE, 0, sensor=Sensor(wedge=share))

    missing = np.isnan(scene.block[0])

    assert (missing.all(-1) == missing.any(-1)).all()
    assert missing.mean() == pytest.approx(share, abs=0.01)


def test_shadow_is_dark_and_blue():
    place = draw_place(SHAPE, np.random.default_rng(0))
    open_sky = observe(place, np.random.default_rng(0), (), SUNLIT).block
    cloudy = observe(
        place, np.random.default_rng(0), (), Sensor(noise=0.0, wedge=0.0, shadow=0.2)
    ).block

    light = (cloudy / open_sky)[0]

    shaded = light[..., -1] < 0.5
    assert shaded.mean() == pytest.approx(0.2, abs=0.05)
    assert (light[shaded][:, 0] > light[shaded][:, -1]).all()


def test_noise_depends_on_the_band():
    place = draw_place(SHAPE, np.random.default_rng(0))
    quiet = observe(place, np.random.default_rng(1), (), SUNLIT)
    noisy = observe(place, np.random.default_rng(1), (), Sensor(shadow=0.0, wedge=0.0))

    bright = (quiet.block > 0.02).all(axis=(0, 1, 2))  # bands without clipping at 0
    noise = (noisy.block - quiet.block).std((0, 1, 2))

    good, weak = (noisy.wavelengths.index(nm) for nm in (842, 945))
    assert noise[good] == pytest.approx(0.002, rel=0.1)
    assert noise[weak] > 2 * noise[good]
    assert noise[bright].min() >= 0.0018


def test_dead_bands_read_0():
    scene = simulate((32, 32), 0, sensor=Sensor(dead=(3, 5)))

    dead = (scene.block[0][scene.valid] == 0).all(0)

    assert np.flatnonzero(dead).tolist() == [3, 5]


def test_labels_are_where_anomalies_were_planted():
    planted = (Anomaly("plastic", (3, 4)), Anomaly("red roof", fraction=0.4))

    scene = simulate((32, 32), 0, anomalies=planted)

    assert (scene.labels == (scene.fraction > 0)).all()
    assert np.sort(scene.fraction[scene.labels == 1]).tolist() == pytest.approx([0.4] + 12 * [1.0])
    assert scene.valid[scene.labels == 1].all()


def test_the_share_that_an_anomaly_fills_is_mixed_in():
    plain, half, whole = (
        simulate((32, 32), 0, anomalies=anomalies, sensor=SUNLIT).block
        for anomalies in (
            (),
            [Anomaly("plastic", (2, 2), 0.5)],
            [Anomaly("plastic", (2, 2))],
        )
    )

    np.testing.assert_allclose(half, (plain + whole) / 2, atol=1e-6)
    assert (whole != plain).any(-1).sum() == 4  # no other pixel changes


def test_2_pixels_lie_between_anomalies():
    scene = simulate(SHAPE, 0, anomalies=ANOMALIES)

    halfway = ndimage.binary_dilation(scene.labels, np.ones((2, 2)))  # a pixel right and down

    assert ndimage.label(halfway, np.ones((3, 3)))[1] == len(ANOMALIES)


@pytest.mark.parametrize("seed", [1, 2])
def test_rx_finds_most_anomalies_but_not_all(seed):
    normal = simulate(SHAPE, 0)
    scene = simulate(SHAPE, seed, anomalies=ANOMALIES)

    assert 0 < scene.labels[scene.valid].mean() < 0.03
    assert 0.95 < auc(scene) < 0.999
    assert 0.95 < auc(scene, normal.block[0][normal.valid].astype(float)) < 0.9999


def test_an_unknown_material_is_refused():
    with pytest.raises(ConfigError, match=r"No material is 'plastik'\. Known: crop, .*plastic"):
        Anomaly("plastik")


@pytest.mark.parametrize(("shape", "fraction"), [((0, 1), 1.0), ((1, 1), 0.0), ((1, 1), 1.5)])
def test_an_anomaly_that_covers_nothing_is_refused(shape, fraction):
    with pytest.raises(ConfigError, match=r"give sides >= 1 and a fraction in \(0, 1\]"):
        Anomaly("plastic", shape, fraction)


def test_a_scene_without_room_is_refused():
    with pytest.raises(ConfigError, match="give 16 pixels or more"):
        simulate((15, 40), 0)
    with pytest.raises(ConfigError, match="finds no room: give a larger shape"):
        simulate((16, 16), 0, anomalies=[Anomaly("plastic", (4, 17))])
    with pytest.raises(ConfigError, match="finds no room"):
        simulate((16, 16), 0, anomalies=100 * [Anomaly("plastic")])


def draw_samples(folder):
    """Run make.py with the package of this checkout, whatever is installed."""
    command = [sys.executable, SAMPLES / "make.py", "--out", folder]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(SAMPLES.parent)})
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_samples(tmp_path_factory.mktemp("samples"))


def test_the_committed_samples_are_those_that_make_py_draws(drawn):
    assert {path.name for path in SAMPLES.glob("*.tif")} == set(drawn)

    for name, path in drawn.items():
        with rasterio.open(path) as ours, rasterio.open(SAMPLES / name) as committed:
            assert described(ours) == described(committed)
            assert_same_counts(ours.read(), committed.read())


def described(file):
    bands = [(file.tags(band), file.descriptions[band - 1]) for band in file.indexes]
    return file.profile, file.tags(), bands, file.scales, file.offsets


def assert_same_counts(ours, committed):
    """Allow for another machine's exp(), which may differ in its last bit, and so in rounding."""
    differ = ours != committed

    assert differ.mean() <= 1e-4
    assert np.abs(ours.astype(int) - committed).max() <= 8


def test_samples_are_drawn_the_same_byte_for_byte(drawn, tmp_path):
    again = draw_samples(tmp_path)

    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in drawn.items()
    }


def test_samples_are_small():
    assert sum(path.stat().st_size for path in SAMPLES.glob("*.tif")) < 900_000


@pytest.mark.parametrize("name", ["normal", "scene_a", "scene_b"])
def test_a_sample_has_georeference_wavelengths_and_units(name):
    with rasterio.open(SAMPLES / f"{name}.tif") as file:
        valid = file.dataset_mask() > 0

        assert file.crs.to_epsg() == 32633
        assert file.res == (10.0, 10.0)
        assert set(file.scales) == {0.0001}
        assert set(file.offsets) == {0.0}
        assert set(file.nodatavals) == {0.0}
        assert "665 nm" in file.descriptions
        assert file.tags(1)["wavelength"] == "443"
        assert file.tags(1)["wavelength_units"] == "Nanometers"
        assert 0.03 < 1 - valid.mean() < 0.08
        assert (file.read()[:, valid] > 0).all()


@pytest.mark.parametrize("name", ["scene_a", "scene_b"])
def test_sample_labels_lie_on_their_scene(name):
    with (
        rasterio.open(SAMPLES / f"{name}.tif") as scene,
        rasterio.open(SAMPLES / f"{name}_labels.tif") as labels,
    ):
        assert (labels.transform, labels.crs, labels.shape) == (
            scene.transform,
            scene.crs,
            scene.shape,
        )
        assert ((labels.read(1) == 255) == (scene.dataset_mask() == 0)).all()
        assert labels.nodata == 255
        assert set(np.unique(labels.read(1))) == {0, 1, 255}


def test_two_sample_scenes_never_overlap():
    boxes = []
    for name in ("normal", "scene_a", "scene_b"):
        with rasterio.open(SAMPLES / f"{name}.tif") as file:
            boxes.append(file.bounds)

    assert all(left.right <= right.left for left, right in itertools.pairwise(boxes))
