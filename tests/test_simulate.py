"""Simulated scenes, and the committed samples, which make.py draws."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy import ndimage, stats
from sklearn.metrics import roc_auc_score

from anomvae.errors import ConfigError
from anomvae.stats.rx import fit_rx
from anomvae.testing.materials import BACKGROUND, COVERED, MATERIALS, ROOFS
from anomvae.testing.simulate import ANOMALIES, Anomaly, Sensor, draw_place, observe, simulate

SAMPLES = Path(__file__).parents[1] / "data_samples"
SCENES = ("normal", "scene_a", "scene_b")
SHAPE = (96, 96)
SUNLIT = Sensor(noise=0.0, shadow=0.0, wedge=0.0)


def value(material, *wavelengths):
    return MATERIALS[material].at(np.array(wavelengths, float))


def auc_of_rx(scene, background):
    """Return the ROC AUC of RX that is fitted to the pixels of another scene or of the same."""
    rx = fit_rx([background.block[0][background.valid]])
    return roc_auc_score(scene.labels[scene.valid], rx.score(scene.block[0][scene.valid]))


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


def within_0_and_1(values):
    return (values >= 0).all() and (values <= 1).all()


@pytest.mark.parametrize("material", MATERIALS)
def test_every_spectrum_is_a_reflectance(material):
    assert within_0_and_1(value(material, *range(400, 2501)))


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
    assert max(infrared, shortwave) < 0.01


def test_soil_brightens_with_wavelength_and_has_clay():
    assert (np.diff(value("soil", 450, 550, 665, 842, 1260, 1610)) > 0).all()
    left, clay, right = value("soil", 2130, 2205, 2280)
    assert clay < min(left, right)


@pytest.mark.parametrize("material", ["red roof", "blue roof", "plastic"])
def test_paint_and_plastic_absorb_where_hydrocarbons_do(material):
    for centre, aside in ((1730, 1640), (2310, 2170)):
        inside, outside = value(material, centre, aside)
        assert inside < 0.9 * outside


@pytest.mark.parametrize("seed", range(3))
def test_a_place_holds_every_material_in_shares_that_add_up_to_1(seed):
    abundances = draw_place(SHAPE, np.random.default_rng(seed)).abundances

    assert (abundances >= 0).all()
    np.testing.assert_allclose(abundances.sum(-1), 1)
    assert (abundances.max((0, 1)) > 0.4).all()


@pytest.mark.parametrize("seed", range(4))
def test_roofs_are_rare_in_every_place_and_none_of_them_stands_on_water_or_in_woods(seed):
    land = dict(
        zip(BACKGROUND, draw_place(SHAPE, np.random.default_rng(seed)).abundances.T, strict=True)
    )

    roofs = sum(land[name] for name in ROOFS)

    assert 0.02 < (roofs > 0.3).mean() < 0.06
    assert all((land[name] > 0.3).any() for name in ROOFS)
    assert (roofs * sum(land[name] for name in COVERED)).mean() < 0.1 * roofs.mean()


@pytest.mark.parametrize("seed", range(3))
def test_borders_are_mixed(seed):
    shares = draw_place(SHAPE, np.random.default_rng(seed)).abundances

    assert 0.2 < (shares.max(-1) < 0.8).mean() < 0.8


def rx_scores(scene):
    spectra = scene.block[0][scene.valid]
    return fit_rx([spectra]).score(spectra)


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_rx_have_tails_as_heavy_as_on_real_scenes(seed):
    scores = rx_scores(simulate(SHAPE, seed))

    above = scores > scores.mean() + 3 * scores.std()

    assert stats.kurtosis(scores) > 40  # of normal bands: 0.5
    assert np.quantile(scores, 0.99) > 5 * np.median(scores)  # of normal bands: 1.8
    assert 0.005 < above.mean() < 0.025


@pytest.mark.parametrize("seed", [1, 2])
def test_a_place_flags_no_more_of_another_than_of_itself(seed):
    learnt, other = simulate(SHAPE, 0), simulate(SHAPE, seed)
    rx = fit_rx([learnt.block[0][learnt.valid]])
    cut = np.quantile(rx.score(learnt.block[0][learnt.valid]), 0.99)

    above = rx.score(other.block[0][other.valid]) > cut

    assert 0.002 < above.mean() < 0.02


def test_neighbours_are_alike_and_scatter_less_than_strangers():
    block = simulate(SHAPE, 0, sensor=Sensor(wedge=0)).block[0, ..., 11]

    apart = [np.std(block[:, lag:] - block[:, :-lag]) for lag in (1, 3, 30)]

    assert apart[0] < 0.6 * apart[1] < 0.6 * apart[2]


@pytest.mark.parametrize("seed", range(3))
def test_anomalies_lie_on_open_land(seed):
    land, day = np.random.default_rng(seed).spawn(2)
    place = draw_place(SHAPE, land)

    planted = observe(place, day, ANOMALIES, Sensor()).labels > 0

    covered = place.abundances[..., [list(BACKGROUND).index(name) for name in COVERED]].sum(-1)
    assert covered[planted].max() < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_reflectance_is_0_to_1(seed):
    scene = simulate(SHAPE, seed, anomalies=ANOMALIES)

    assert within_0_and_1(scene.block[0][scene.valid])


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_the_wedge_has_no_data_in_any_band(share):
    scene = simulate(SHAPE, 0, sensor=Sensor(wedge=share))

    missing = np.isnan(scene.block[0])

    assert (missing.all(-1) == missing.any(-1)).all()
    assert missing.mean() == pytest.approx(share, abs=0.01)


def observed(day, **sensor):
    """Image one place without a wedge."""
    place = draw_place(SHAPE, np.random.default_rng(0))
    return observe(place, np.random.default_rng(day), (), Sensor(wedge=0.0, **sensor))


def test_a_place_without_noise_and_shadow_is_the_same_every_day():
    first, second = (observed(day, noise=0.0, shadow=0.0).block for day in (1, 2))

    np.testing.assert_array_equal(first, second)


def test_shadow_is_dark_and_blue():
    open_sky, cloudy = (observed(0, noise=0.0, shadow=share).block[0] for share in (0.0, 0.2))

    light = cloudy / open_sky

    shaded = light[..., -1] < 0.5
    assert shaded.mean() == pytest.approx(0.2, abs=0.05)
    assert (light[shaded][:, 0] > light[shaded][:, -1]).all()


def test_noise_depends_on_the_band():
    quiet, noisy = observed(1, shadow=0.0, noise=0.0), observed(1, shadow=0.0)

    good, weak = (noisy.wavelengths.index(nm) for nm in (842, 945))
    at_its_unit = np.abs(quiet.block[..., good] - 0.2) < 0.04
    noise = (noisy.block - quiet.block)[at_its_unit].std(axis=0)

    assert noise[good] == pytest.approx(0.001, rel=0.1)
    assert noise[weak] > 2 * noise[good]


def test_noise_grows_with_the_signal_and_has_heavy_tails_and_stripes():
    quiet, noisy = observed(1, shadow=0.0, noise=0.0), observed(1, shadow=0.0)
    band = noisy.wavelengths.index(842)
    signal, noise = quiet.block[0, ..., band], (noisy.block - quiet.block)[0, ..., band]

    stripes = noise - noise.mean(axis=0)

    bright, dark = stripes[signal > 0.35], stripes[(signal > 0.01) & (signal < 0.1)]
    assert bright.std() > 1.5 * dark.std()
    assert stats.kurtosis(bright) > 0.5
    assert noise.mean(axis=0).std() > 2 * noise.std() / np.sqrt(len(noise))


def test_dead_bands_read_0():
    scene = simulate((32, 32), 0, sensor=Sensor(dead=(3, 5)))

    dead = (scene.block[0][scene.valid] == 0).all(0)

    assert np.flatnonzero(dead).tolist() == [3, 5]


def test_labels_are_where_anomalies_were_planted():
    planted = (Anomaly("plastic", (3, 4)), Anomaly("red roof", fraction=0.4))

    scene = simulate((32, 32), 0, anomalies=planted)

    assert np.sort(scene.fraction[scene.labels == 1]).tolist() == pytest.approx([0.4] + 12 * [1.0])
    assert scene.valid[scene.labels == 1].all()


def test_the_share_that_an_anomaly_fills_is_mixed_in():
    planted = (), [Anomaly("plastic", (2, 2), 0.5)], [Anomaly("plastic", (2, 2))]
    plain, half, whole = (
        simulate((32, 32), 0, anomalies=anomalies, sensor=SUNLIT).block for anomalies in planted
    )

    np.testing.assert_allclose(half, (plain + whole) / 2, atol=1e-6)
    assert (whole != plain).any(-1).sum() == 4  # no other pixel changes


def test_2_pixels_lie_between_anomalies():
    scene = simulate(SHAPE, 0, anomalies=ANOMALIES)

    halfway = ndimage.binary_dilation(scene.labels, np.ones((2, 2)))  # a pixel right and down

    assert ndimage.label(halfway, np.ones((3, 3)))[1] == len(ANOMALIES)


@pytest.mark.parametrize("seed", [1, 2])
def test_rx_finds_most_anomalies_but_not_all(seed):
    scene = simulate(SHAPE, seed, anomalies=ANOMALIES)

    assert 0 < scene.labels[scene.valid].mean() < 0.03
    assert 0.95 < auc_of_rx(scene, scene) < 0.999
    assert 0.95 < auc_of_rx(scene, simulate(SHAPE, 0)) < 0.9999


@pytest.mark.parametrize(
    ("anomaly", "answer"),
    [
        (("plastik",), r"No material is 'plastik'\. Known: crop, .*plastic"),
        (("plastic", (0, 1)), r"give sides >= 1 and a fraction in \(0, 1\]"),
        (("plastic", (1, 1), 0.0), "give sides >= 1"),
        (("plastic", (1, 1), 1.5), "give sides >= 1"),
    ],
)
def test_an_unknown_material_and_an_anomaly_that_covers_nothing_are_refused(anomaly, answer):
    with pytest.raises(ConfigError, match=answer):
        Anomaly(*anomaly)


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
    assert sum(path.stat().st_size for path in SAMPLES.glob("*.tif")) < 900_000

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


@pytest.mark.parametrize("name", SCENES)
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
        assert (labels.transform, labels.shape) == (scene.transform, scene.shape)
        assert labels.crs == scene.crs
        assert ((labels.read(1) == 255) == (scene.dataset_mask() == 0)).all()
        assert labels.nodata == 255
        assert set(np.unique(labels.read(1))) == {0, 1, 255}


def test_two_sample_scenes_never_overlap():
    files = [rasterio.open(SAMPLES / f"{name}.tif") for name in SCENES]

    assert files[0].bounds.right <= files[1].bounds.left
    assert files[1].bounds.right <= files[2].bounds.left
