"""A site without a model compares each scene with the dates before it."""

import json

import numpy as np
import pytest
from support.rasters import bands_of, land, write
from support.watching import Clock, rows, run_watch, watch

from anomvae.monitoring.config import SiteConfig
from anomvae.monitoring.scoring import scoring_of
from anomvae.stats.domain import InDomain

DAYS = tuple(f"2024-{month:02}-{day:02}" for month in (4, 5, 6) for day in (1, 11, 21))
LASTING, BRIEF, VEILED = 3, 4, 8
"""Numbers of the first date with the lasting change, of that of one date, and of a veiled one."""
FIELD, BARGE = (slice(8, 13), slice(10, 15)), (slice(26, 31), slice(30, 35))
QUICK = 'model = {family = "change", hidden = [8]}\ntraining = {max_steps = 40}\n'
SHAPE = (40, 48)


def values_of(number):
    """Return the land of a date, in its light, with what is there."""
    noise = np.random.default_rng(number)
    values = land(SHAPE, seed=3) * (1 + 0.02 * number)
    if number >= LASTING:
        values[(slice(None), *FIELD)] = land(SHAPE, seed=3)[::-1][(slice(None), *FIELD)] + 0.2
    if number == BRIEF:
        values[(slice(None), *BARGE)] += np.array([0.3, -0.1] * 3)[:, None, None]
    if number == VEILED:
        values = 0.05 * values + 0.5 + noise.normal(0, 0.1, values.shape)
    return (values + noise.normal(0, 0.005, values.shape)).astype("float32")


def site(folder, **keys):
    """Configure a site that compares three dates by a quick configuration."""
    (folder / "quick.toml").write_text(QUICK)
    own = {"model": None, "config": "quick.toml", "dates": 3}
    own |= {"folder": {"path": "in", "stable_seconds": 0}}
    own |= {"alert": {"confirm": "2 of 3", "on": ["confirmed"]}}
    return watch(folder, site=own | keys)


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """Watch a season, scene by scene; return its folder and the results of the passes."""
    folder = tmp_path_factory.mktemp("season")
    config, clock, passes = site(folder), Clock(), []
    for number, day in enumerate(DAYS):
        write(folder / "in" / f"site_{day}.tif", values_of(number))
        passes.append(run_watch(config, clock, scoring_of))
        clock.forward(days=10)
    return folder, passes


def events(folder):
    """List the confirmed events: days of confirmation and closing, and box."""
    found = rows(folder, "SELECT confirmed, closed, box FROM events WHERE confirmed IS NOT NULL")
    return [(confirmed, closed, json.loads(box)) for confirmed, closed, box in found]


def inside(box, spot):
    top, bottom, left, right = box
    (first, last), (west, east) = ((part.start - 1, part.stop) for part in spot)
    return first <= top <= bottom <= last and west <= left <= right <= east


def test_a_lasting_change_is_confirmed_once_and_closed_as_the_new_normal_and_no_other_one_is(
    season,
):
    folder, passes = season

    ((confirmed, closed, box),) = events(folder)

    assert confirmed == DAYS[LASTING + 1]  # the second pass that shows it
    assert inside(box, FIELD)
    assert closed == DAYS[LASTING + 4]  # two dates before it, and three passes without it
    assert [each.code for each in passes] == [0] * len(DAYS)


def test_what_is_there_at_one_date_alone_opens_an_event_that_is_never_confirmed(season):
    folder, _ = season

    found = rows(folder, "SELECT first, last, status, confirmed, box FROM events")

    (barge,) = [row[:4] for row in found if inside(json.loads(row[4]), BARGE)]
    assert barge == (DAYS[BRIEF], DAYS[BRIEF], "closed", None)


def test_a_scene_that_the_dates_before_it_do_not_predict_is_not_comparable(season):
    folder, _ = season

    outcomes = rows(folder, "SELECT source, outcome, reasons FROM scenes ORDER BY source")

    *others, (source, outcome, reasons) = outcomes
    assert (source, outcome) == (f"site_{DAYS[VEILED]}.tif", "not comparable")
    assert "the dates before it predict" in reasons
    assert InDomain.NO not in {each for _, each, _ in others}
    assert {outcome for _, outcome, _ in others} == {"normal", "anomalous"}


def test_the_first_scene_waits_for_a_second_and_is_not_scored(season):
    folder, passes = season

    assert (passes[0].done, passes[0].known, passes[0].code) == (0, 1, 0)
    (notice,) = passes[0].notices
    assert notice.text == f"site_{DAYS[0]}.tif waits for a second date"
    assert notice not in passes[1].notices
    assert rows(folder, f"SELECT status FROM scenes WHERE source = 'site_{DAYS[0]}.tif'") == []


def test_candidates_are_hidden_from_later_scenes_so_that_a_lasting_change_stays_one(season):
    folder, _ = season

    flagged = []
    for day in DAYS[LASTING : LASTING + 3]:
        ((path,),) = rows(folder, f"SELECT map FROM scenes WHERE source = 'site_{day}.tif'")
        flags = bands_of(path.replace(".anomaly.tif", ".flags.tif"))[0]
        flagged.append((flags[FIELD] == 1).mean())

    assert min(flagged[:2]) > 0.8  # one of the two dates before shows what was there
    assert flagged[2] < 0.2  # none does: the change is what is normal


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"config": "default", "dates": 3}, "'vae' of config = 'default' compares none"),
        ({"config": "timeseries", "dates": 1}, "dates = 1, and config = 'timeseries' compares"),
        ({"config": "timeserie"}, "Did you mean 'timeseries'?"),
    ],
)
def test_a_configuration_that_does_not_fit_the_dates_is_one_line(tmp_path, keys, words):
    config = site(tmp_path, **{"dates": 3} | keys)
    for number in (0, 1):
        write(tmp_path / "in" / f"site_{DAYS[number]}.tif", values_of(number))

    done = run_watch(config, Clock(), scoring_of)

    (line,) = done.messages
    assert words in line
    assert (done.done, done.code) == (0, 2)
    assert rows(tmp_path, "SELECT tries FROM scenes WHERE tries > 0") == []


def test_a_configuration_alone_compares_nine_dates_and_dates_alone_are_a_time_series():
    own = {"name": "harbour", "out": "maps", "folder": {"path": "in"}}

    named = SiteConfig.read(own | {"config": "timeseries"})
    counted = SiteConfig.read(own | {"dates": 5})

    assert (named.dates, counted.dates, counted.config) == (9, 5, None)
    assert named.model is counted.model is None


def test_a_changed_configuration_file_scores_the_scenes_that_arrive_from_then_on(tmp_path):
    config = site(tmp_path)
    for number in (0, 1):
        write(tmp_path / "in" / f"site_{DAYS[number]}.tif", values_of(number))
    run_watch(config, Clock(), scoring_of)
    (tmp_path / "quick.toml").write_text(QUICK.replace("40", "41"))
    write(tmp_path / "in" / f"site_{DAYS[2]}.tif", values_of(2))

    done = run_watch(config, Clock(), scoring_of)

    assert done.done == 1
    assert len(set(rows(tmp_path, "SELECT model FROM scenes"))) == 2


def test_a_configuration_that_is_not_there_fails_its_site(tmp_path):
    config = site(tmp_path, config="other.toml")
    for number in (0, 1):
        write(tmp_path / "in" / f"site_{DAYS[number]}.tif", values_of(number))

    done = run_watch(config, Clock(), scoring_of)

    (line,) = done.messages
    assert "other.toml, the configuration, cannot be read" in line
    assert done.code == 3
