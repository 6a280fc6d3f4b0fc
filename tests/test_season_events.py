"""An eventful season under watch: what lasts is confirmed once, and nothing else is."""

from dataclasses import replace

import pytest

from anomvae.testing.eventful import EventfulSeason, course
from benchmarks.eventful import watch
from benchmarks.season_events import Findings, findings, table

SHORT = EventfulSeason(scenes=14, archive=20, lasting=5, offset_from=11, hazy=1, shifted=2, stray=1)


@pytest.fixture(scope="module", params=["model"])
def season(request, tmp_path_factory):
    """Watch a short season by a model, and by comparing dates; what happened, and was found."""
    drawn = course(SHORT, 1)
    root = tmp_path_factory.mktemp("season") / request.param
    return request.param, findings(drawn, watch(root, drawn, request.param, 1))


@pytest.mark.slow
def test_a_lasting_change_is_confirmed_once_as_soon_as_it_may_be(season):
    _, found = season

    assert found.in_time


@pytest.mark.slow
def test_nothing_else_is_confirmed(season):
    _, found = season

    assert found.vanishing == found.elsewhere == found.failed == 0
    assert found.events == 1 < found.alerts


@pytest.mark.slow
def test_hazy_scenes_and_those_with_an_offset_are_not_comparable_and_the_others_are(season):
    _, found = season

    assert found.hazy == (1, 1)
    assert found.offset == (3, 3)
    assert found.plain == (0, 10)


@pytest.mark.slow
def test_drift_warns_at_the_first_scene_with_an_offset_and_not_before(season):
    _, found = season

    assert found.warned
    assert found.early == 0


def test_the_table_adds_up_the_seasons_of_each_kind():
    good = Findings(
        confirmed=(13,),
        due=13,
        vanishing=0,
        elsewhere=0,
        hazy=(4, 4),
        offset=(6, 6),
        plain=(0, 20),
        warned=True,
        early=0,
        alerts=30,
        known=2,
        events=1,
        failed=0,
    )
    late, twice = replace(good, confirmed=(14,)), replace(good, confirmed=(13, 20), plain=(1, 20))

    lines = list(table({"one": [good, late, twice], "other": [good]}))

    assert "| seasons whose lasting object is confirmed once, in time | 1 of 3 | 1 of 1 |" in lines
    assert "| other scenes that are not comparable | 1 of 60 | 0 of 20 |" in lines
    assert "| alerts | 3 | 1 |" in lines
