"""Drift of a site: recorded with each scene, and reported before alarms flood."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from support.rasters import run, trained
from support.watching import Clock, Stub, drop, result, rows, run_watch, watch

from anomvae.monitoring import history
from anomvae.monitoring.decisions.drift import SceneDrift, drift_warning
from anomvae.monitoring.rule_tables import DriftConfig
from anomvae.stats.drift import Divergence, Drift
from anomvae.stats.trend import trend_of

LIMITS = DriftConfig()
SCORES = Divergence("scores", 0.001, 0.01, 0.01, 0.01)


def drift(level, scores=SCORES):
    """Make a drift of a level: nir is lower, by a PSI that is its square of the limit."""
    band = Divergence("nir", level**2 * LIMITS.psi, -level * LIMITS.ks, 0.01, 0.01)
    return Drift(scores, band, 2000)


def season(*levels, every=5, comparable=True):
    start = date(2025, 6, 1)
    return [
        SceneDrift(f"s{number}.tif", start + timedelta(number * every), drift(level), comparable)
        for number, level in enumerate(levels)
    ]


def test_a_scene_beyond_a_limit_warns_at_once_with_the_band_and_its_direction():
    warning = drift_warning(season(0.2, 0.3, 1.2), LIMITS)

    assert "s2.tif lies far from the training scenes, for the first time" in warning
    assert "nir is lower (PSI 0.36 of 0.25, KS 0.36 of 0.30)" in warning
    assert "scores" not in warning


def test_a_step_is_dated_by_the_first_scene_that_shows_it():
    warning = drift_warning(season(1.5, 0.2, 1.3, 1.1, 1.4), LIMITS)

    assert "since 2025-06-11, 3 scenes in a row" in warning


def test_drift_that_grows_warns_before_it_exceeds_a_limit():
    levels = (0.1, 0.2, 0.35, 0.4, 0.5, 0.6, 0.72)

    warning = drift_warning(season(*levels), LIMITS)

    assert "drift from the training scenes grows since 2025-06-01: nir is lower" in warning
    assert "exceeds its limit about 2025-07-1" in warning
    assert drift_warning(season(*levels, comparable=False), LIMITS) is None


@pytest.mark.parametrize(
    "levels",
    [
        (),
        (0.9,),
        (0.9, 0.7, 0.8, 0.9, 0.6, 0.8, 0.7),
        (0.9, 0.8, 0.7, 0.6, 0.5, 0.4),
        (0.1, 0.15, 0.2, 0.25, 0.3, 0.35),  # as the training scenes differ
        (0.60, 0.602, 0.604, 0.606, 0.608, 0.61),  # far off
    ],
)
def test_scenes_that_differ_as_usual_do_not_warn(levels):
    assert drift_warning(season(*levels), LIMITS) is None


def test_the_limits_of_a_site_count_unless_training_scenes_differ_more():
    strict = DriftConfig(psi=0.05, ks=0.1)
    part = Divergence("nir", 0.2, 0.2, usual_psi=0.1, usual_ks=0.15)

    assert part.limits(strict.psi, strict.ks) == pytest.approx((0.4, 0.3))
    assert drift_warning(season(0.6), strict) is not None
    assert drift_warning(season(0.6), LIMITS) is None


def test_a_trend_is_that_of_most_pairs():
    line = trend_of(range(8), [0, 1, 2, 3, 90, 5, 6, 7])

    assert (line.slope, line.now, line.rising) == (pytest.approx(1), pytest.approx(7), True)
    assert line.time_to(9) == pytest.approx(2)
    assert trend_of(range(5), range(5)) is None
    assert trend_of([3] * 8, range(8)) is None  # all on one day
    rng = np.random.default_rng(0)
    chance = [trend_of(range(10), rng.normal(size=10).tolist()).rising for _ in range(1000)]
    assert np.mean(chance) <= 0.02


def scoring(level):
    def score(scene, folder):
        folder.mkdir(parents=True)
        made = result(folder, 0, stem=scene.source.removesuffix(".tif"))
        made.drift = drift(level)
        return made

    return lambda site: score


def test_a_watch_records_drift_and_reports_it(tmp_path):
    health = {"prometheus": str(tmp_path / "m.prom")}
    config, clock = watch(tmp_path, health=health), Clock()
    drop(tmp_path, "a_2025-05-30.tif", "0")
    quiet = run_watch(config, clock, scoring(0.4))
    drop(tmp_path, "b_2025-05-31.tif", "0")
    moved = run_watch(config, clock, scoring(2.0))
    again = run_watch(config, clock, scoring(2.0))

    assert (quiet.reports, quiet.code, moved.code) == ((), 0, 0)
    (warning,) = moved.reports
    assert warning.startswith("harbour: b_2025-05-31.tif lies far from the training scenes")
    assert again.reports == ()  # nothing is new
    assert 'drift{site="harbour"} 2\n' in (tmp_path / "m.prom").read_text()
    assert 'drift_ks{site="harbour",of="bands"} -0.6\n' in (tmp_path / "m.prom").read_text()
    assert list(history(tmp_path / "state")["drift_level"]) == pytest.approx([2, 0.4])


def test_scenes_without_drift_are_recorded_without(tmp_path):
    config = watch(tmp_path)
    drop(tmp_path, "a.tif", "0")

    done = run_watch(config, Clock(), Stub())

    assert (done.done, done.reports) == (1, ())
    assert rows(tmp_path, "SELECT drift FROM scenes") == [(None,)]
    assert list(history(tmp_path / "state")["drift_level"].isna()) == [True]


def test_a_model_without_these_figures_is_one_line(tmp_path):
    detector = trained()
    old = replace(detector, usual_drift=None, card=replace(detector.card, drift=False))
    old.save(tmp_path / "model")
    config = watch(tmp_path)
    drop(tmp_path, "a.tif", "0")

    done = run_watch(config, Clock(), Stub())

    assert [note.text for note in done.notes if "drift" in note.text] == [
        "no drift is measured: the model keeps no figures of how its training scenes differ. "
        "Train it anew with this version."
    ]


def test_status_has_a_line_about_drift(tmp_path):
    (tmp_path / "w.toml").write_text(
        '[[site]]\nname = "harbour"\nmodel = "model"\nout = "maps"\n[site.folder]\npath = "in"\n'
    )
    config = watch(tmp_path)
    drop(tmp_path, "a_2025-05-30.tif", "0")
    run_watch(config, Clock(), scoring(0.4))

    ended = run("monitor", "status", tmp_path / "w.toml")

    assert "drift: harbour: drift at 40% of its limit: nir is lower" in ended.out
