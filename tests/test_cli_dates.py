"""Time series from the shell: the dates of one place are learnt, and the newest is scored."""

import numpy as np
import pytest
from support.rasters import bands_of, land, run, write

import anomvae
from anomvae import VAEDetector
from anomvae.errors import ConfigError

DAYS = ("2024-06-01", "2024-06-11", "2024-06-21", "2024-07-01")
SEQUENTIAL = ("--set", "model.family=sequential", "--set", "training.max_steps=60")


def changed(values):
    """Put something new in, and a corner without data."""
    other = values.copy()
    other[:, 20:22, 30:32] = np.linspace(0.9, 0.1, len(values))[:, None, None]
    other[:, :3, :5] = -1
    return other


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    """Write a place at four dates, with a change at the last."""
    folder, place = tmp_path_factory.mktemp("dates"), land(seed=3)
    noise = np.random.default_rng(0)
    days = [(place + noise.normal(0, 0.01, place.shape)).astype("float32") for _ in DAYS]
    days[-1] = changed(days[-1])
    return [
        write(folder / f"place_{day}.tif", values) for day, values in zip(DAYS, days, strict=True)
    ]


@pytest.fixture(scope="module")
def model(dates):
    path = dates[0].parent / "model.safetensors"
    assert run("train", *dates[:3], "-o", path, *SEQUENTIAL).code == 0
    return path


def test_the_newest_date_is_scored_given_those_before_it(dates, model, tmp_path):
    ran = run("score", *reversed(dates), "-m", model, "-o", tmp_path)

    assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in tmp_path.glob("*.anomaly.tif")] == [
        "place_2024-07-01.anomaly.tif"
    ]
    score = bands_of(tmp_path / "place_2024-07-01.anomaly.tif")[0]
    assert np.isnan(score[:3, :5]).all()
    assert np.isnan(score).sum() == 15
    assert score[20:22, 30:32].min() > np.nanquantile(score, 0.99)


def test_the_order_of_the_files_does_not_count_but_that_of_the_dates_does(dates, model, tmp_path):
    other, backwards = dates[1:] + dates[:1], ",".join(reversed(DAYS))

    run("score", *dates, "-m", model, "-o", tmp_path / "a")
    run("score", *other, "-m", model, "-o", tmp_path / "b")
    run("score", *dates, "-m", model, "-o", tmp_path / "c", "--dates", backwards)

    first, second = (tmp_path / name / "place_2024-07-01.anomaly.tif" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "c").glob("*.flags.tif")] == [
        "place_2024-06-01.flags.tif"
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_read_all_dates_themselves(dates, model, tmp_path, workers):
    run("score", *dates, "-m", model, "-o", tmp_path / "here")
    ran = run("score", *dates, "-m", model, "-o", tmp_path / "away", "--workers", workers)

    assert (ran.code, ran.err) == (0, "")
    one, other = (tmp_path / name / "place_2024-07-01.anomaly.tif" for name in ("here", "away"))
    assert one.read_bytes() == other.read_bytes()


def test_a_second_run_does_nothing_and_another_past_is_scored_again(dates, model, tmp_path):
    run("score", *dates, "-m", model, "-o", tmp_path)

    again = run("score", *dates, "-m", model, "-o", tmp_path)
    shorter = run("score", *dates[1:], "-m", model, "-o", tmp_path)

    assert "up to date" in again.out
    assert shorter.code == 3
    assert "--overwrite" in shorter.err


def test_the_threshold_knows_how_new_dates_differ_from_those_learnt(tmp_path):
    noise, place = np.random.default_rng(0), land(seed=3)
    days = [(place + noise.normal(0, 0.01, place.shape)).astype("float32") for _ in range(6)]
    brighter = [*days[:5], 1.3 * days[5]]
    detectors = []
    for name, values in (("same", days), ("brighter", brighter)):
        paths = [write(tmp_path / f"{name}_{n}.tif", day) for n, day in enumerate(values)]
        ran = run("train", *paths, "-o", tmp_path / name, "--dates", "as-listed", *SEQUENTIAL)
        assert f"{40 * 48} held-out pixels" in ran.out
        detectors.append(anomvae.load(tmp_path / name))

    same, other = detectors
    assert other.card.training.scenes == tuple(f"brighter_{n}.tif" for n in range(6))
    assert other.threshold.value > 2 * same.threshold.value


def test_two_dates_are_too_few_to_hold_one_out(dates, tmp_path):
    ran = run("train", *dates[:2], "-o", tmp_path / "m.safetensors", *SEQUENTIAL)

    assert ran.code == 0
    assert "too few dates to hold some out; the threshold is fitted in-sample" in ran.err
    assert "training pixels" in ran.out


def test_the_threshold_is_chosen_anew_on_dates(dates, model, tmp_path):
    ran = run("threshold", model, *dates[:3], "-o", tmp_path / "m.safetensors")

    assert ran.code == 0
    assert "pixels" in ran.out


@pytest.mark.parametrize("command", ["train", "score", "threshold"])
def test_a_date_on_another_grid_is_refused_by_name(dates, model, tmp_path, command):
    odd = write(tmp_path / "odd_2024-06-15.tif", land((30, 48)))
    inputs = {
        "train": ("train", *dates[:2], odd, "-o", tmp_path / "m.safetensors", *SEQUENTIAL),
        "score": ("score", *dates, odd, "-m", model, "-o", tmp_path / "out"),
        "threshold": ("threshold", model, *dates, odd, "-o", tmp_path / "m.safetensors"),
    }

    ran = run(*inputs[command])

    assert (ran.code, len(ran.err.splitlines())) == (4, 1)
    assert "odd_2024-06-15.tif" in ran.err
    assert "30 x 48" in ran.err
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.parametrize("command", ["train", "score", "detect", "evaluate", "threshold"])
def test_one_date_alone_is_refused(dates, model, tmp_path, command):
    inputs = {
        "train": ("train", dates[0], "-o", tmp_path / "m.safetensors", *SEQUENTIAL),
        "score": ("score", dates[0], "-m", model, "-o", tmp_path),
        "detect": ("detect", dates[0], "-o", tmp_path, *SEQUENTIAL),
        "evaluate": ("evaluate", dates[0], "-m", model, "--labels", dates[0], "-o", tmp_path / "j"),
        "threshold": ("threshold", model, dates[0], "-o", tmp_path / "m.safetensors"),
    }

    ran = run(*inputs[command])

    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "compares a date with those before it, but one date is given" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_raster_without_a_date_is_named(dates, model, tmp_path):
    unknown = write(tmp_path / "place.tif", land(seed=3))

    ran = run("score", dates[0], unknown, "-m", model, "-o", tmp_path / "out")

    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "place.tif has no date in its name" in ran.err


def test_dates_are_refused_where_they_do_not_count(dates, tmp_path):
    ran = run("train", *dates, "-o", tmp_path / "m.safetensors", "--dates", "as-listed")

    assert ran.code == 2
    assert "does not compare dates" in ran.err


@pytest.mark.parametrize("family", ["sequential", "spatial", "cvae"])
def test_rows_of_pixels_are_refused_by_families_that_see_more(family):
    with pytest.raises(ConfigError, match=r"looks at neighbours or dates, .* Detector.score"):
        VAEDetector(family=family).fit(np.random.default_rng(0).normal(size=(50, 4)))
