"""Changes from the shell and from Python: the newest date of a site, given the dates before it."""

import logging

import numpy as np
import pytest
from support.rasters import bands_of, land, run, write
from support.refusals import refused
from support.scorers import content

import anomvae
from anomvae.config import resolve_config

DAYS = ("2024-06-01", "2024-06-11", "2024-06-21", "2024-07-01")
QUICK = ("--set", "training.max_steps=60")
CONFIG = resolve_config("timeseries", ["training.max_steps=60"]).config


def values_of(day):
    """Return the land of a date with its light; the newest has a field that is another's."""
    values = land(seed=3) * (1 + 0.02 * day)
    values += np.random.default_rng(day).normal(0, 0.005, values.shape)
    if day == len(DAYS) - 1:
        values[:, 20:23, 30:33] = values[:, 20:23, 30:33].mean(axis=(1, 2), keepdims=True)[::-1]
    values[:, :2, 3 * day] = -1  # two pixels of every date lack data
    if day < len(DAYS) - 1:
        values[:, 38:, 40:] = -1  # some have no date before
    return values.astype("float32")


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    return [write(folder / f"site_{day}.tif", values_of(n)) for n, day in enumerate(DAYS)]


@pytest.fixture(scope="module")
def detected(dates):
    """Detect the changes of the newest date from the shell; return the folder of results."""
    folder = dates[0].parent
    model, out = folder / "change.safetensors", folder / "out"
    ran = run("detect", *reversed(dates), "-o", out, "--save-model", model, "--explain", *QUICK)
    assert (ran.code, ran.err) == (0, "")
    return out


def test_the_newest_of_several_dates_is_mapped_by_the_family_of_changes(dates, detected):
    card = anomvae.load(dates[0].parent / "change.safetensors").card

    assert (card.family, card.training.dates, card.threshold.rule) == ("change", 4, "log-sigma:3")
    score = bands_of(detected / f"site_{DAYS[-1]}.anomaly.tif")[0]
    assert score[20:23, 30:33].min() > np.nanquantile(score, 0.99)
    missing = np.isnan(score)
    assert missing[38:, 40:].all()  # nothing to compare with
    assert missing[:2, 9].all()
    assert missing.sum() == missing[38:, 40:].size + 2


def test_a_saved_model_gives_the_same_map_of_the_same_dates(dates, detected, tmp_path):
    model = dates[0].parent / "change.safetensors"

    ran = run("score", *dates, "-m", model, "-o", tmp_path, "--explain")

    assert ran.code == 0, ran.err
    name = f"site_{DAYS[-1]}.anomaly.tif"
    assert np.array_equal(bands_of(tmp_path / name), bands_of(detected / name), equal_nan=True)


def test_python_detects_the_same_in_files_and_in_memory(dates, detected, tmp_path):
    cubes = np.stack([np.moveaxis(bands_of(path), 0, -1) for path in dates])
    cubes[cubes == -1] = np.nan

    in_files = anomvae.detect_scene(dates, tmp_path, CONFIG)
    in_memory = anomvae.detect_array(cubes, CONFIG)

    name = f"site_{DAYS[-1]}.anomaly.tif"
    assert np.array_equal(bands_of(in_files.path), bands_of(detected / name), equal_nan=True)
    assert np.array_equal(in_memory.scores, bands_of(in_files.path)[0], equal_nan=True)


def test_the_newest_dates_before_are_given_and_gaps_are_logged(dates, caplog):
    caplog.set_level(logging.INFO, "anomvae")
    config = resolve_config("timeseries", ["training.max_steps=2", "model.dates=2"]).config

    detector = anomvae.detect(dates, config)

    assert detector.card.training.dates == 3
    (line,) = [text for text in caplog.messages if "do not count" in text]
    assert f"site_{DAYS[1]}.tif" in line
    assert f"site_{DAYS[2]}.tif" in line
    assert DAYS[0] not in line


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (("detect", 0, "-c", "timeseries"), ("compares a date", "one date is given")),
        (("detect", 0, 1, "-c", "default"), ("holds 2 dates", "'vae'", "-c timeseries")),
        (("detect", 0, 0), ("both of 2024-06-01",)),
        (("train", 0, 1, 2, "-c", "timeseries"), ("anomvae detect DATES", "-c sequential")),
    ],
)
def test_what_does_not_fit_is_one_line(dates, tmp_path, words, answers):
    given = [dates[word] if isinstance(word, int) else word for word in words]
    out = tmp_path / ("out" if words[0] == "detect" else "model.safetensors")

    refused(run(*given, "-o", out, *QUICK), 2, *answers)

    assert not content(tmp_path)
