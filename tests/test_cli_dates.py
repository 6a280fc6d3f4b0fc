"""Time series from the shell: all dates of a site are learnt, and the newest is scored."""

import numpy as np
import pytest
from support.rasters import bands_of, land, run, write
from support.refusals import refused

import anomvae

DAYS = ("2024-06-01", "2024-06-11", "2024-06-21", "2024-07-01")
SEQUENTIAL = ("--set", "model.family=sequential", "--set", "training.max_steps=60")


def changed(values):
    """Return land with a new object, and a corner without data."""
    other = values.copy()
    other[:, 20:22, 30:32] = np.linspace(0.9, 0.1, len(values))[:, None, None]
    other[:, :3, :5] = -1
    return other


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    """Write a site at four dates, with a change at the last."""
    folder, site = tmp_path_factory.mktemp("dates"), land(seed=3)
    noise = np.random.default_rng(0)
    days = [(site + noise.normal(0, 0.01, site.shape)).astype("float32") for _ in DAYS]
    days[-1] = changed(days[-1])
    return [
        write(folder / f"site_{day}.tif", values) for day, values in zip(DAYS, days, strict=True)
    ]


@pytest.fixture(scope="module")
def model(dates):
    path = dates[0].parent / "model.safetensors"
    assert run("train", *dates[:3], "-o", path, *SEQUENTIAL).code == 0
    return path


def test_the_newest_date_is_scored_given_those_before_it(dates, model, tmp_path):
    ran = run("score", *reversed(dates), "-m", model, "-o", tmp_path)

    assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in tmp_path.glob("*.anomaly.tif")] == ["site_2024-07-01.anomaly.tif"]
    score = bands_of(tmp_path / "site_2024-07-01.anomaly.tif")[0]
    assert np.isnan(score[:3, :5]).all()
    assert np.isnan(score).sum() == 15
    assert score[20:22, 30:32].min() > np.nanquantile(score, 0.99)


def test_dates_are_ordered_by_name_or_by_option(dates, model, tmp_path):
    other, backwards = dates[1:] + dates[:1], ",".join(reversed(DAYS))

    run("score", *dates, "-m", model, "-o", tmp_path / "a")
    run("score", *other, "-m", model, "-o", tmp_path / "b")
    run("score", *dates, "-m", model, "-o", tmp_path / "c", "--dates", backwards)

    first, second = (tmp_path / name / "site_2024-07-01.anomaly.tif" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "c").glob("*.flags.tif")] == [
        "site_2024-06-01.flags.tif"
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_read_all_dates_themselves(dates, model, tmp_path, workers):
    run("score", *dates, "-m", model, "-o", tmp_path / "here")
    ran = run("score", *dates, "-m", model, "-o", tmp_path / "there", "--workers", workers)

    assert (ran.code, ran.err) == (0, "")
    one, other = (tmp_path / name / "site_2024-07-01.anomaly.tif" for name in ("here", "there"))
    assert one.read_bytes() == other.read_bytes()


def test_a_second_run_does_nothing_and_other_earlier_dates_need_overwrite(dates, model, tmp_path):
    run("score", *dates, "-m", model, "-o", tmp_path)

    again = run("score", *dates, "-m", model, "-o", tmp_path)
    shorter = run("score", *dates[1:], "-m", model, "-o", tmp_path)

    assert "up to date" in again.out
    assert shorter.code == 3
    assert "--overwrite" in shorter.err


def test_the_threshold_contains_the_difference_of_new_dates(tmp_path):
    noise, site = np.random.default_rng(0), land(seed=3)
    days = [(site + noise.normal(0, 0.01, site.shape)).astype("float32") for _ in range(6)]
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


def test_older_dates_with_few_pixels_are_too_few_to_hold_one_out(tmp_path):
    site = land(seed=3)
    few = np.full_like(site, -1)
    few[:, 0, :10] = site[:, 0, :10]
    days = [few, few, site, site]
    paths = [write(tmp_path / f"s_{n}.tif", day) for n, day in enumerate(days)]

    ran = run(
        *("train", *paths, "-o", tmp_path / "m.safetensors"), "--dates", "as-listed", *SEQUENTIAL
    )

    assert ran.code == 0, ran.err
    assert "too few dates to hold some out; the threshold is fitted in-sample" in ran.err


def test_the_threshold_is_chosen_anew_on_dates(dates, model, tmp_path):
    ran = run("threshold", model, *dates[:3], "-o", tmp_path / "m.safetensors")

    assert ran.code == 0
    assert "training pixels" in ran.out
    names = ", ".join(path.name for path in dates[:3])
    assert f"trained on a scene called {names}" in ran.err


@pytest.mark.parametrize("command", ["train", "score", "threshold"])
def test_a_date_on_another_grid_is_refused_by_name(dates, model, tmp_path, command):
    odd = write(tmp_path / "odd_2024-06-15.tif", land((30, 48)))
    inputs = {
        "train": ("train", *dates[:2], odd, "-o", tmp_path / "m.safetensors", *SEQUENTIAL),
        "score": ("score", *dates, odd, "-m", model, "-o", tmp_path / "out"),
        "threshold": ("threshold", model, *dates, odd, "-o", tmp_path / "m.safetensors"),
    }

    ran = run(*inputs[command])

    refused(ran, 4, "odd_2024-06-15.tif", "30 x 48")
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

    refused(ran, 2, "compares a date with those before it, but one date is given")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "site.tif has no date in its name"),
        (("--dates", "given"), "now called --dates as-listed"),
        (("--dates", "2024-06-01"), "1 dates for 2 rasters"),
    ],
)
def test_an_unknown_order_of_dates_is_refused(dates, model, tmp_path, options, words):
    undated = write(tmp_path / "site.tif", land(seed=3))

    ran = run("score", dates[0], undated, "-m", model, "-o", tmp_path / "out", *options)

    refused(ran, 2, words)
