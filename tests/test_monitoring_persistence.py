"""The persistence map of a site: a function of its passes, whatever happens in between."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from support.passes import (
    one_by_one,
    placed_at,
    published,
    read_map,
    scored,
    site_of,
)
from support.scene_files import in_folder
from support.watching import Clock, Stub, drop, rows, run_watch, watch

from anomvae.errors import GridMismatch, NotWritten
from anomvae.monitoring.decisions.events import is_confirmed
from anomvae.monitoring.decisions.map_file import map_path
from anomvae.monitoring.decisions.passes import recorded_passes
from anomvae.monitoring.decisions.persistence import StagedMap, stage
from anomvae.monitoring.rule_tables import AlertRule
from anomvae.monitoring.state import opened_state
from anomvae.stats.persistence import (
    CONFIRMED,
    FINISHED,
    PROVISIONAL,
    Confirmation,
    advanced,
    days_of,
    no_history,
)

SHAPE = (6, 8)
HISTORY = ("status", "exceedances", "first", "last", "consecutive", "recent", "passes")


def flags_at(*places, shape=SHAPE, value=1):
    """Return flags that are normal but for rows and columns, as in ``(slice(2), 3)``."""
    flags = np.zeros(shape, np.uint8)
    for place in places:
        flags[place] = value
    return flags


def season(folder, *scenes, **more):
    """Score scenes on following days: ``places`` that are flagged, for each."""
    return [
        scored(folder, f"s{day}", flags_at(*places), day=day, **more)
        for day, places in enumerate(scenes)
    ]


LEFT, RIGHT, FAR = (slice(1, 3), slice(0, 2)), (slice(1, 3), slice(3, 5)), (slice(4, 6), 7)
BRIDGE = (1, 2)
BESIDE = (slice(1, 3), slice(0, 3))
"""Four pixels beyond its rim."""


@st.composite
def seasons(draw):
    """Draw flags of a few scenes: normal, flagged, masked, no data."""
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 5))
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([0, 1, 254, 255], np.uint8), (count, *SHAPE), p=[0.5, 0.3, 0.1, 0.1])


COLUMNS = (
    "site, scene, model, settings, source, status, tries, started, taken, finished, map, outcome"
)


def test_passes_are_the_newest_comparable_scenes_of_each_source_in_the_order_of_days(tmp_path):
    known = [
        ("b-old", "b.tif", "2024-06-01", "1", "normal"),
        ("c-old", "c.tif", "2024-06-02", "2", "anomalous"),
        ("a", "a.tif", "2024-06-03", "3", "normal"),
        ("c-new", "c.tif", "2024-06-02", "4", "not comparable"),
        ("b-new", "b.tif", "2024-06-05", "5", "anomalous"),
        ("d", "d.tif", None, "4", "normal"),
        ("e", "e.tif", "2024-06-04", "6", None),
    ]
    with opened_state(tmp_path) as state:
        for scene, source, taken, finished, outcome in known:
            values = ("harbour", scene, "m", "s", source, "done", 1, "", taken)
            state.database.execute(
                f"INSERT INTO scenes ({COLUMNS}) VALUES ({', '.join('?' * 12)})",
                (*values, f"2024-06-0{finished}T00", f"{scene}.anomaly.tif", outcome),
            )

        passes = recorded_passes(state.database, "harbour")

    assert [one.key.scene for one in passes] == ["a", "d", "b-new"]


@settings(in_folder, max_examples=4)
@given(seasons(), st.sampled_from(["1 of 1", "2 of 3", "3 of 16"]), st.data())
def test_a_lost_or_older_map_becomes_the_same_to_the_bit(tmp_path_factory, values, confirm, data):
    folder = tmp_path_factory.mktemp("site")
    site = site_of(folder, alert={"min_area_px": 1, "confirm": confirm})
    passes = [scored(folder, f"s{day}", one, day=day) for day, one in enumerate(values)]
    kept = data.draw(st.integers(0, len(passes)))
    for number, one in enumerate(passes):
        if number == kept and number:
            older = map_path(site).read_bytes()
        staged = published(site, passes[:number], one)
    whole = map_path(site).read_bytes()

    if 0 < kept < len(passes):
        map_path(site).write_bytes(older)
    else:
        map_path(site).unlink()
    again = published(site, passes)

    assert map_path(site).read_bytes() == whole
    assert again.clusters == staged.clusters


@settings(in_folder, max_examples=4)
@given(seasons(), st.data())
def test_a_late_or_scored_again_scene_counts_in_its_order(tmp_path_factory, values, data):
    folder, other = (tmp_path_factory.mktemp(name) for name in ("site", "other"))
    passes = [scored(folder, f"s{day}", one, day=day) for day, one in enumerate(values)]
    order = data.draw(st.permutations(passes))
    late, again = site_of(folder), site_of(other)
    for number, one in enumerate(order):
        published(late, sorted(order[:number], key=lambda each: each.order), one)
    better = scored(folder, "s0", 1 - values[0] % 2, model="newer", day=0)

    published(late, passes, better)

    one_by_one(again, [better, *passes[1:]])
    ours, theirs = (read_map(map_path(site)).layers for site in (late, again))
    assert all(np.array_equal(ours[name], theirs[name]) for name in HISTORY)
    going_on = np.isin(ours["status"], (PROVISIONAL, CONFIRMED))
    assert ((ours["event"] > 0) >= going_on).all()


def test_a_pass_twice_changes_nothing(tmp_path):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT])
    first = one_by_one(site, passes)
    state = map_path(site).stat()

    again = published(site, passes, passes[1], next_number=9)

    assert map_path(site).stat().st_mtime_ns == state.st_mtime_ns
    assert (again.clusters, again.next_number) == (first.clusters, first.next_number)


def test_a_map_that_is_staged_and_not_published_leaves_the_one_before(tmp_path):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT])
    one_by_one(site, passes[:1])
    before = map_path(site).read_bytes()

    with stage(site, passes[:1], passes[1]) as staged:
        assert map_path(site).read_bytes() == before

    assert map_path(site).read_bytes() == before
    assert [each.name for each in tmp_path.glob(".*")] == []
    assert [each.confirmed_px for each in staged.clusters] == [4]


def test_an_event_is_described_by_its_pixels(tmp_path):
    site = site_of(tmp_path)

    staged = one_by_one(site, season(tmp_path, [LEFT], [LEFT, BRIDGE], [LEFT]))

    (event,) = staged.clusters
    assert (event.number, event.area_px, event.confirmed_px) == (1, 5, 4)
    assert (event.first.isoformat(), event.last.isoformat()) == ("2024-06-01", "2024-06-03")
    assert (event.agreed, event.passes, event.box) == (3, 3, (1, 2, 0, 2))
    assert event.area_m2 == pytest.approx(500, rel=2e-3)
    longitudes, latitudes = np.transpose(event.geometry["coordinates"][0][0])
    assert np.ptp(longitudes) * 111_320 * np.cos(np.radians(45.15)) == pytest.approx(30, abs=0.3)
    assert np.ptp(latitudes) * 111_132 == pytest.approx(20, abs=0.3)


@pytest.mark.parametrize(
    ("hidden", "first", "confirmed"),
    [(slice(2, 6), slice(0, 2), True), (slice(0, 0), slice(0, 3), False)],
    ids=["clouds hide a part", "two objects that meet"],
)
def test_half_of_the_pixels_that_enough_passes_show_confirm_an_event(
    tmp_path, hidden, first, confirmed
):
    rows, rule = slice(1, 3), {"min_area_px": 2, "confirm": "2 of 3"}
    before = flags_at((rows, first))
    before[rows, hidden] = 254
    now = flags_at((rows, slice(0 if confirmed else 2, 6)))
    passes = [scored(tmp_path, f"s{day}", one, day=day) for day, one in enumerate([before, now])]

    (event,) = one_by_one(site_of(tmp_path, alert=rule), passes).clusters

    assert (event.confirmed_px, event.tested_px) == ((4, 4) if confirmed else (2, 6))
    assert is_confirmed(event, AlertRule(**rule)) is confirmed


def test_the_map_describes_its_layers_and_scenes(tmp_path):
    site = site_of(tmp_path)

    one_by_one(site, season(tmp_path, [LEFT, (5, 5)], [LEFT]))

    made = read_map(map_path(site))
    at = {name: int(layer[1, 1]) for name, layer in made.layers.items()}
    assert at == {
        "status": CONFIRMED,
        "exceedances": 2,
        "first": 19875,
        "last": 19876,
        "consecutive": 2,
        "recent": 3,
        "passes": 2,
        "event": 1,
    }
    assert made.layers["first"][0, 7] == -(2**31)
    assert {"ANOMVAE_SITE": "harbour", "ANOMVAE_CONFIRM": "2 of 3"}.items() <= made.tags.items()


def test_events_keep_their_numbers_when_they_join_part_and_end(tmp_path):
    site = site_of(tmp_path, alert={"min_area_px": 1, "confirm": "1 of 4"})
    passes = season(
        tmp_path,
        [RIGHT, FAR],
        [LEFT, RIGHT],  # LEFT is new
        [LEFT, BRIDGE, RIGHT],  # joined
        [LEFT, RIGHT],
        [LEFT, RIGHT],  # FAR ends
        [LEFT, RIGHT, FAR],  # FAR anew
        [LEFT, RIGHT, FAR],  # parted
    )
    numbers, merged = [], []
    for count, one in enumerate(passes):
        staged = published(site, passes[:count], one)
        numbers.append([event.number for event in staged.clusters])
        merged.append(dict(staged.merged))

    assert numbers == [[1, 2], [1, 2, 3], [1, 2], [1, 2], [1], [1, 4], [1, 4]]
    assert merged == [{}, {}, {3: 1}, {}, {}, {}, {}]
    layers = read_map(map_path(site)).layers
    assert (layers["status"][1, 2], layers["event"][1, 2]) == (FINISHED, 1)


@pytest.mark.parametrize(
    ("begin", "joined", "numbers"),
    [
        (4, BESIDE, [1, 2]),  # confirmed on day 1, and settled on day 3
        (2, BESIDE, [1]),  # clouds may have hidden it
        (4, (slice(1, 3), slice(1, 3)), [1]),  # smaller than an object but for its rim
        (4, (slice(0, 4), 2), [1]),  # nothing but a rim
    ],
)
def test_a_new_object_beside_a_settled_event_is_an_event_of_its_own(
    tmp_path, begin, joined, numbers
):
    site = site_of(tmp_path, alert={"min_area_px": 4, "confirm": "2 of 3"})
    passes = season(tmp_path, *([RIGHT, *[joined] * (day >= begin)] for day in range(begin + 3)))

    staged = one_by_one(site, passes)

    assert [event.number for event in staged.clusters] == numbers
    layers = read_map(map_path(site)).layers
    assert layers["event"][1, 3] == 1
    assert (layers["event"][joined] == numbers[-1]).all()
    assert sum(event.area_px for event in staged.clusters) == (layers["event"] > 0).sum()
    assert all(event.geometry is not None for event in staged.clusters)


def test_a_settled_event_stays_so_when_it_shrinks(tmp_path):
    site = site_of(tmp_path, alert={"min_area_px": 4, "confirm": "2 of 3"})
    passes = season(tmp_path, *[[RIGHT]] * 4, *[[(1, 3)]] * 3, [(1, 3), BESIDE], [(1, 3), BESIDE])

    staged = one_by_one(site, passes)

    sizes = {event.number: (event.area_px, event.confirmed_px) for event in staged.clusters}
    assert sizes == {1: (1, 1), 2: (6, 6)}


@settings(in_folder, max_examples=4)
@given(seasons())
def test_small_flagged_objects_count_where_an_event_goes_on_and_nowhere_else(
    tmp_path_factory, values
):
    folder = tmp_path_factory.mktemp("site")
    site = site_of(folder, alert={"min_area_px": 4, "confirm": "2 of 3"})
    passes = [scored(folder, f"s{day}", one, day=day) for day, one in enumerate(values)]

    one_by_one(site, passes)

    history = no_history(SHAPE)
    for day, flags in enumerate(values):
        objects = label(flags == 1, np.ones((3, 3)))[0]
        large = (objects > 0) & (np.bincount(objects.ravel())[objects] >= 4)
        exceeds = (flags == 1) & (large | history.active)
        when = days_of(passes[day].day)
        history = advanced(history, exceeds, flags <= 1, when, Confirmation(2, 3))
    layers = read_map(map_path(site)).layers
    for name in ("status", "exceedances", "consecutive"):
        valid = history.passes > 0
        assert np.array_equal(layers[name][valid], getattr(history, name)[valid])


@settings(in_folder, max_examples=4)
@given(seasons())
def test_an_event_keeps_its_pixels_while_they_go_on(tmp_path_factory, values):
    site = site_of(tmp_path_factory.mktemp("site"), alert={"min_area_px": 1, "confirm": "1 of 2"})
    passes = [scored(Path(site.out), f"s{day}", one, day=day) for day, one in enumerate(values)]
    before = np.zeros(SHAPE, int)
    for number, one in enumerate(passes):
        staged = published(site, passes[:number], one)
        layers = read_map(map_path(site)).layers
        going_on = np.isin(layers["status"], (PROVISIONAL, CONFIRMED))
        kept = going_on & (before > 0)

        renamed = np.vectorize(lambda event, of=staged.merged: of.get(event, event))(before)
        assert np.array_equal(layers["event"][kept], renamed[kept])
        assert {event.number for event in staged.clusters} == set(layers["event"][going_on])

        before = np.where(going_on, layers["event"], 0)


def test_events_of_a_scene_of_many_windows_are_whole(tmp_path):
    across, below, corner = (slice(500, 530), 2), (slice(1020, 1028), 3), (1028, 4)
    flags = flags_at(across, below, corner, (3, 1), shape=(1040, 8))
    site = site_of(tmp_path)
    passes = [scored(tmp_path, f"s{day}", flags, day=day) for day in range(2)]

    staged = one_by_one(site, passes)

    found = [(event.number, event.area_px, event.confirmed_px) for event in staged.clusters]
    assert found == [(1, 1, 1), (2, 30, 30), (3, 9, 9)]
    assert [event.box for event in staged.clusters][1:] == [(500, 529, 2, 2), (1020, 1028, 3, 4)]


def test_the_number_of_a_new_event_is_not_below_the_given_one(tmp_path):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT, FAR])

    published(site, [], passes[0], next_number=5)
    staged = published(site, passes[:1], passes[1], next_number=7)

    assert [event.number for event in staged.clusters] == [5, 7]
    assert staged.next_number == 8


def test_other_rules_make_the_map_anew_and_events_keep_their_numbers(tmp_path):
    passes = season(tmp_path, [FAR], [LEFT], [LEFT], [LEFT])
    one_by_one(site_of(tmp_path), passes)
    changed = site_of(tmp_path, alert={"min_area_px": 1, "confirm": "4 of 4"})

    staged = published(changed, passes)

    layers = read_map(map_path(changed)).layers
    assert (layers["status"][1, 1], layers["status"][4, 7]) == (PROVISIONAL, PROVISIONAL)
    assert (layers["event"][1, 1], layers["event"][4, 7]) == (2, 3)
    assert [event.number for event in staged.clusters] == [2, 3]


@pytest.mark.parametrize("fault", ["cut", "overwritten", "foreign"])
def test_a_damaged_map_is_made_again(tmp_path, fault):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT, FAR], [LEFT], [LEFT])
    staged, path = one_by_one(site, passes), map_path(site)
    whole = path.read_bytes()
    if fault == "foreign":
        shutil.copy(passes[0].files.flags, path)
    else:
        end = whole[: len(whole) // 2]
        path.write_bytes(end if fault == "cut" else end + bytes(len(whole) - len(end)))

    again = published(site, passes)

    assert path.read_bytes() == whole
    assert again.clusters == staged.clusters


def test_scenes_whose_flags_are_gone_are_named_in_one_line_and_the_rest_counts(tmp_path):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT], [LEFT], [LEFT])
    for one in passes[:2]:
        shutil.rmtree(one.map.parent)

    staged = published(site, passes[:3], passes[3])
    again = published(site, passes)

    (line,) = staged.notes
    assert "s0.flags.tif does not exist" in line
    assert line.endswith("(so do 1 more)")
    assert [event.agreed for event in staged.clusters] == [2]
    assert again.notes == ()


def test_the_newest_scene_without_flags_fails(tmp_path):
    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT])
    shutil.rmtree(passes[1].map.parent)

    with pytest.raises(OSError, match=r"s1\.flags.tif does not exist"):
        stage(site, passes[:1], passes[1])

    assert not map_path(site).exists()


def test_scenes_without_a_day_count_in_the_order_of_recording(tmp_path):
    site = site_of(tmp_path)
    passes = [
        scored(tmp_path, name, flags_at(LEFT), day=None, recorded=f"2025-01-0{day}T00:00:00")
        for name, day in (("b", 1), ("a", 2))
    ]

    staged = one_by_one(site, passes)

    assert [event.first.isoformat() for event in staged.clusters] == ["2025-01-01"]
    assert published(site, sorted(passes, key=lambda one: one.order)).clusters == staged.clusters


@pytest.mark.parametrize(
    ("at", "shape", "place"),
    [
        ({}, SHAPE, (0, 0)),
        ({"row": -2, "col": -3}, SHAPE, (2, 3)),
        ({"row": 3, "col": 2}, (4, 9), (0, 0)),
    ],
)
def test_a_shifted_scene_extends_the_canvas_by_whole_pixels(tmp_path, at, shape, place):
    site = site_of(tmp_path)
    first = scored(tmp_path, "s0", flags_at((3, 4)))
    shift = at.get("row", 0), at.get("col", 0)
    there = flags_at((3 - shift[0], 4 - shift[1]), shape=shape)
    second = scored(tmp_path, "s1", there, day=1, **placed_at(**at))

    staged = one_by_one(site, [first, second])

    made = read_map(map_path(site))
    row, col = place[0] + 3, place[1] + 4
    assert (made.layers["status"] == CONFIRMED).nonzero() == (np.array([row]), np.array([col]))
    assert made.layers["passes"][place[0] + 5, place[1] + 7] == (1 if shift < (0, 0) else 2)
    assert made.transform.c == 5e5 - 10 * place[1]
    assert len(staged.clusters) == 1
    whole = map_path(site).read_bytes()
    map_path(site).unlink()
    published(site, [first, second])
    assert map_path(site).read_bytes() == whole


def test_a_scene_so_far_away_that_the_canvas_would_be_huge_is_refused(tmp_path):
    site, first = site_of(tmp_path), scored(tmp_path, "s0", flags_at(LEFT))
    far = scored(tmp_path, "s1", flags_at(LEFT), day=1, **placed_at(row=400))
    published(site, [], first)

    with pytest.raises(GridMismatch, match=r"row 400, column 0.*would grow to 406 x 8 pixels"):
        stage(site, [first], far)


OTHERS = [
    placed_at(row=0.5, col=0.4),
    placed_at(side=5.0),
    {"crs": "EPSG:3857", "transform": placed_at()["transform"]},
]


@pytest.mark.parametrize("where", OTHERS, ids=["half a pixel", "finer", "another system"])
def test_a_scene_on_another_grid_is_refused_where_that_is_configured(tmp_path, where):
    first = scored(tmp_path, "s0", flags_at(LEFT))
    other = scored(tmp_path, "s1", flags_at(LEFT), day=1, **where)
    refusing = site_of(tmp_path, grid="refuse")
    published(refusing, [], first)

    with pytest.raises(GridMismatch, match=r"lies on another grid than its site.*grid = 'warp'"):
        stage(refusing, [first], other)


def test_scenes_on_other_grids_are_warped_onto_that_of_the_site(tmp_path):
    site, first = site_of(tmp_path), scored(tmp_path, "s0", flags_at((3, 4)))
    half = scored(tmp_path, "s1", flags_at((3, 4)), day=1, **placed_at(row=0.3, col=-0.4))
    fine = scored(
        tmp_path,
        "s2",
        flags_at((slice(6, 8), slice(8, 10)), shape=(12, 16)),
        day=2,
        **placed_at(side=5.0),
    )

    staged = one_by_one(site, [first, half, fine])

    (event,) = staged.clusters
    assert (event.area_px, event.agreed, event.box) == (1, 3, (3, 3, 4, 4))
    assert "warped onto that, by the nearest pixel" in staged.notes[0]
    assert read_map(map_path(site)).layers["status"].shape == SHAPE


def test_a_scene_of_another_system_that_does_not_meet_its_site_is_refused(tmp_path):
    site, first = site_of(tmp_path), scored(tmp_path, "s0", flags_at(LEFT))
    far = scored(tmp_path, "s1", flags_at(LEFT), day=1, **placed_at(crs="EPSG:32634"))
    published(site, [], first)

    with pytest.raises(GridMismatch, match=r"s1 lies elsewhere than its site .*EPSG:32634"):
        stage(site, [first], far)


def test_scenes_without_georeference_are_compared_by_shape(tmp_path):
    bare = {"crs": None}
    site, first = site_of(tmp_path), scored(tmp_path, "s0", flags_at(LEFT), **bare)
    second = scored(tmp_path, "s1", flags_at(LEFT), day=1, **bare)
    wider = scored(tmp_path, "s2", flags_at(LEFT, shape=(6, 9)), day=2, **bare)

    staged = one_by_one(site, [first, second])

    (event,) = staged.clusters
    assert (event.agreed, event.geometry, event.area_m2) == (2, None, None)
    with pytest.raises(GridMismatch, match="6 x 9 pixels, not 6 x 8 pixels"):
        stage(site, [first, second], wider)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process of POSIX")


def in_child(work):
    """Run a function in a child process; return its exit code, or less the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@needs_fork
def test_a_run_killed_before_it_publishes_the_map_is_made_up_for_by_the_next(tmp_path):
    config, clock = watch(tmp_path), Clock()
    drop(tmp_path, "a.tif", 12)
    run_watch(config, clock)
    drop(tmp_path, "b.tif", 12)

    def work():
        StagedMap.publish = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        run_watch(config, clock)

    killed = in_child(work)
    path = tmp_path / "maps" / "harbour.persistence.tif"
    left = read_map(path).tags["ANOMVAE_COUNT"]
    done = run_watch(config, clock)

    assert (killed, left) == (-signal.SIGKILL, "1")
    assert (done.done, done.code, read_map(path).tags["ANOMVAE_COUNT"]) == (0, 0, "2")
    assert rows(tmp_path, "SELECT count(*) FROM scenes WHERE status = 'done'") == [(2,)]
    assert list(path.parent.glob(".*")) == []


def test_a_run_reports_once_that_scenes_are_warped(tmp_path):
    @dataclass
    class Shifting(Stub):
        def score(self, scene, folder):
            scored = super().score(scene, folder)
            with rasterio.open(scored.files.flags, "r+") as dataset:
                a, b, c, d, e, f = dataset.transform[:6]
                dataset.transform = Affine(a, b, c + a * len(self.scored) / 4, d, e, f)
            return scored

    for name in ("a.tif", "b.tif", "c.tif"):
        drop(tmp_path, name, 12)

    done = run_watch(watch(tmp_path), Clock(), Shifting())

    (line,) = done.reports
    assert line.startswith("harbour: scenes lie on another grid than the first of the site")
    assert (done.done, done.code) == (3, 0)


@needs_fork
def test_a_full_disk_leaves_the_map_and_nothing_else(tmp_path):
    import resource

    site, passes = site_of(tmp_path), season(tmp_path, [LEFT], [LEFT])
    published(site, [], passes[0])
    before = sorted(tmp_path.rglob("*")), map_path(site).read_bytes()

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        with pytest.raises(NotWritten):
            stage(site, passes[:1], passes[1])
        return 3

    code = in_child(work)

    assert code == 3
    assert (sorted(tmp_path.rglob("*")), map_path(site).read_bytes()) == before
