"""Time series: the score of a scene is conditioned on those before it, by the dates in names."""

import os
from dataclasses import replace

import numpy as np
import pytest
from rasterio import Affine
from support.rasters import BANDS, bands_of, land, trained, write
from support.watching import Clock, Stub, rows, run_watch, scenes, watch

import anomvae
from anomvae.config import resolve_config
from anomvae.monitoring.date_history import DateHistory
from anomvae.monitoring.scoring import scoring_of
from anomvae.monitoring.sources import FoundScene
from anomvae.raster import BandStack, Scene, StackBand

DAYS = ("2024-06-01", "2024-06-11", "2024-06-21", "2024-07-01", "2024-07-11")
SEQUENTIAL = ("model.family=sequential", "training.max_steps=60", "training.trim=0")
SERIES = {"dates": 3, "folder": {"path": "in", "stable_seconds": 0}}


def name_of(day):
    return f"site_{day}.tif"


@pytest.fixture(scope="module")
def rasters(tmp_path_factory):
    """Write a site at five dates."""
    folder, noise = tmp_path_factory.mktemp("dates"), np.random.default_rng(0)
    for day in DAYS:
        values = land(seed=3) + noise.normal(0, 0.01, (BANDS, 40, 48))
        write(folder / name_of(day), values.astype("float32"))
    return folder


@pytest.fixture(scope="module")
def detector(rasters):
    config = resolve_config("default", SEQUENTIAL).config
    return anomvae.train([rasters / name_of(day) for day in DAYS[:3]], config)


@pytest.fixture
def folder(tmp_path, detector):
    (tmp_path / "in").mkdir()
    detector.save(tmp_path / "model")
    return tmp_path


def arrive(folder, rasters, *days):
    for day in days:
        os.link(rasters / name_of(day), folder / "in" / name_of(day))


def damage(folder, day):
    path = folder / "in" / name_of(day)
    content = path.read_bytes()
    path.unlink()  # it is a link
    path.write_bytes(content[: len(content) // 2])


def run(folder, scoring=scoring_of, clock=None, backfill=False, **site):
    config = watch(folder, site=SERIES | site)
    return run_watch(config, clock or Clock(), scoring, backfill=backfill)


def map_of(folder, day):
    ((path,),) = rows(folder, f"SELECT map FROM scenes WHERE source = '{name_of(day)}'")
    return bands_of(path)


def expected(detector, rasters, folder, *days):
    made = anomvae.score_scene(detector, [rasters / name_of(day) for day in days], folder / "x")
    return bands_of(made.path)


def test_each_scene_is_conditioned_on_those_before_it_in_any_order_of_arrival(
    folder, rasters, detector
):
    arrive(folder, rasters, *reversed(DAYS))

    done = run(folder)

    assert (done.done, done.known, done.messages) == (4, 1, [])
    for days in (DAYS[:2], DAYS[:3], DAYS[1:4], DAYS[2:5]):
        again = expected(detector, rasters, folder / days[-1], *days)
        assert np.array_equal(map_of(folder, days[-1]), again, equal_nan=True)


def test_a_new_scene_is_conditioned_on_known_ones_and_without_an_earlier_one_it_waits(
    folder, rasters, detector
):
    arrive(folder, rasters, DAYS[0])
    alone = run(folder, not_loaded)
    arrive(folder, rasters, *DAYS[1:3])
    run(folder)
    arrive(folder, rasters, DAYS[3])

    done, again = run(folder), run(folder, not_loaded)

    assert (alone.done, alone.known, alone.code) == (0, 1, 0)
    assert (done.done, done.code, again.known, again.code) == (1, 0, 4, 0)
    same = expected(detector, rasters, folder, *DAYS[1:4])
    assert np.array_equal(map_of(folder, DAYS[3]), same, equal_nan=True)


def not_loaded(site):
    pytest.fail("a detector was loaded")


@pytest.mark.parametrize(
    ("damaged", "words", "days"),
    [
        (DAYS[1], "harbour: ", (DAYS[0], *DAYS[2:4])),
        (DAYS[0], f"harbour: {name_of(DAYS[1])}: ", DAYS[1:3]),  # the second needs the first
    ],
)
def test_a_damaged_scene_is_named_in_one_failure_and_others_are_scored_without_it(
    folder, rasters, detector, damaged, words, days
):
    arrive(folder, rasters, *DAYS[:4])
    damage(folder, damaged)

    done = run(folder)

    (line,) = done.messages
    assert (done.done, done.code) == (2, 5)
    assert line.startswith(words)
    assert name_of(damaged) in line
    same = expected(detector, rasters, folder, *days)
    assert np.array_equal(map_of(folder, days[-1]), same, equal_nan=True)


def test_a_scene_on_a_refused_grid_does_not_fit_and_others_are_scored_without_it(folder, rasters):
    arrive(folder, rasters, *DAYS[:2], DAYS[3])
    write(folder / "in" / name_of(DAYS[2]), land((30, 48)))

    done = run(folder, grid="refuse")

    assert (done.done, done.code) == (2, 4)
    (line,) = done.messages
    assert f"{name_of(DAYS[2])} has 30 x 48" in line


def test_scenes_on_different_grids_are_compared_on_that_of_the_newest(folder, rasters, detector):
    arrive(folder, rasters, *DAYS[:2], DAYS[3])
    shifted = Affine(10, 0, 5e5 + 15, 0, -10, 4e6 - 5)  # by 1.5 and half a pixel
    write(folder / "in" / name_of(DAYS[2]), land(seed=3), transform=shifted)

    done = run(folder)

    assert (done.done, done.code, done.messages) == (3, 0, [])
    for days in (DAYS[:3], DAYS[1:4]):
        scene = Scene.of([folder / "in" / name_of(day) for day in days])
        target = folder / days[-1]
        same = bands_of(anomvae.score_scene(detector, replace(scene, warp=True), target).path)
        score = map_of(folder, days[-1])
        assert np.array_equal(score, same, equal_nan=True)
        assert np.isfinite(score[0]).mean() > 0.9


def test_a_scene_without_a_date_in_its_name_is_named_once_and_others_go_on(folder, rasters):
    arrive(folder, rasters, *DAYS[:2])
    write(folder / "in" / "coast.tif", land())

    first, second = run(folder), run(folder)

    assert (first.done, first.code, second.code) == (1, 2, 0)
    assert first.messages[0].startswith("harbour: coast.tif has no date in its name")


@pytest.mark.parametrize(
    ("compares", "dates", "words"),
    [
        (True, 1, "model compares dates, and 'harbour' has dates = 1: set dates = 2"),
        (False, 3, "model does not compare dates, but 'harbour' has dates = 3: leave it out"),
    ],
)
def test_dates_that_do_not_fit_the_model_are_one_line_and_take_no_try(
    folder, rasters, compares, dates, words
):
    arrive(folder, rasters, *DAYS[:2])
    if not compares:
        trained().save(folder / "model")

    done = run(folder, dates=dates)

    assert (done.done, done.code, rows(folder, "SELECT * FROM scenes")) == (0, 2, [])
    (line,) = done.messages
    assert words in line


def test_a_backfill_with_another_number_of_dates_scores_again(folder, rasters):
    arrive(folder, rasters, *DAYS[:3])
    run(folder, Stub(flagged=5))

    again = [run(folder, Stub(flagged=5), backfill=True, dates=dates) for dates in (3, 2, 2)]

    assert [done.done for done in again] == [0, 2, 0]


def test_a_scene_is_requeued_if_a_file_before_it_changes_meanwhile(folder, rasters):
    arrive(folder, rasters, *DAYS[:2])

    class Changing(Stub):
        def score(self, scene, folder):
            os.utime(scene.before[0].read[0], (0, 0))
            return super().score(scene, folder)

    done = run(folder, Changing(flagged=5))

    assert (done.done, scenes(folder)) == (0, [])


def offered(rasters, *days):
    """List the scenes of some days."""
    return [FoundScene(name_of(day), name_of(day), (str(rasters / name_of(day)),)) for day in days]


def test_scenes_of_one_day_are_in_the_order_of_their_names(rasters):
    first, second = offered(rasters, *DAYS[:2])
    other = replace(second, identity="other", source=f"z{second.source}")

    history = DateHistory(9, [other, second, first], set())

    assert history.followers == [second, other]
    assert history.before(other) == (first, second)
    assert history.before(second) == (first,)


def test_only_a_limited_number_of_earlier_scenes_is_tried(rasters):
    known = offered(rasters, *DAYS)
    gone = [replace(each, read=("gone.tif",)) for each in known[1:4]]

    history = DateHistory(2, [known[0], *gone, known[4]], set())

    assert history.before(known[4]) == (gone[-1],)  # its scoring reports the reason


def test_bands_in_files_of_their_own_are_joined_for_every_date(folder, rasters, detector):
    names = tuple(f"band_{number}" for number in range(1, BANDS + 1))
    offer = []
    for day in DAYS[:2]:
        values = bands_of(rasters / name_of(day))
        read = [
            str(write(folder / f"{day}-{name}.tif", band[None]))
            for name, band in zip(names, values, strict=True)
        ]
        source = f"s2/{name_of(day)}"
        stack = BandStack(source, tuple(map(StackBand, names, read)))
        offer.append(FoundScene(day, source, tuple(read), stack))
    site = watch(folder, site=SERIES).site[0]

    before = DateHistory(3, offer, set()).before(offer[1])
    made = scoring_of(site)(replace(offer[1], before=before), folder / "maps")

    assert before == (offer[0],)
    same = expected(detector, rasters, folder, *DAYS[:2])
    assert np.array_equal(bands_of(made.path), same, equal_nan=True)
