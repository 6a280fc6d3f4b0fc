"""A persistence map that was lost: its events are those that the state has, by the same numbers."""

import shutil

import numpy as np
import pytest
from support.events import cluster
from support.passes import one_by_one, placed_at, read_map, scored, site_of

from anomvae.monitoring.decisions.map_file import map_path
from anomvae.monitoring.decisions.persistence import stage
from anomvae.monitoring.decisions.recovery import recorded_numbers

LEFT, RIGHT, LOW = (slice(0, 2), slice(0, 2)), (slice(0, 2), slice(5, 7)), (slice(4, 6), 3)


def flags_at(*places):
    """Return flags of 6 x 8 pixels."""
    flags = np.zeros((6, 8), np.uint8)
    for place in places:
        flags[place] = 1
    return flags


def season(folder):
    """Publish the map of a site: the scene of the second day arrives last; return its passes."""
    passes = [
        scored(folder, f"s{day}", flags_at(*places), day=day)
        for day, places in ((0, ()), (2, [LEFT]), (3, [LEFT, LOW]), (1, [RIGHT]))
    ]
    return site_of(folder), passes


def damage(path, how, folder):
    """Make a map one that is gone, is no map, is cut or is that of another site."""
    if how == "gone":
        path.unlink()
    elif how == "text":
        path.write_text("no map")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        other = site_of(folder / "other", name="other")
        far = placed_at(row=500, col=500)
        one_by_one(other, [scored(folder / "other", "t1", flags_at(LOW), day=0, **far)])
        shutil.copy(map_path(other), path)


@pytest.mark.parametrize("how", ["gone", "text", "cut", "of another site"])
def test_a_lost_map_gets_the_numbers_of_the_recorded_events(tmp_path, how):
    site, passes = season(tmp_path)
    known = one_by_one(site, passes).clusters
    before, newest = read_map(map_path(site)), scored(tmp_path, "s4", flags_at(LOW, RIGHT), day=4)
    recorded = sorted(passes, key=lambda one: one.order)
    with stage(site, recorded, newest, next_number=4) as staged:
        expected = staged.clusters
    damage(map_path(site), how, tmp_path)
    with stage(site, recorded, newest, next_number=4, known=known) as staged:
        staged.publish()
    assert [before.layers["event"][at][0].flat[0] for at in (LEFT, LOW, RIGHT)] == [1, 2, 3]
    assert staged.clusters == expected
    event = read_map(map_path(site)).layers["event"]
    assert [np.unique(event[at]).tolist() for at in (LEFT, LOW, RIGHT)] == [[1], [2], [3]]


def test_a_cluster_has_the_number_of_the_same_event_then_of_the_nearest_then_a_new_one():
    known = [cluster(5), cluster(2, area_px=3), cluster(9, box=(0, 9, 30, 39))]
    made = [
        cluster(1, box=(50, 59, 50, 59)),
        cluster(2, box=(0, 8, 30, 39)),
        cluster(3, area_px=3),
        cluster(4),
    ]
    assert recorded_numbers(made, known, 12) == {4: 5, 3: 2, 2: 9, 1: 12}
