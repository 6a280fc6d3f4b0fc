"""Polygons of a site that cannot be used: one line for the site, and no scene loses a try."""

import pytest
from support.passes import write_polygons
from support.watching import Clock, drop, rows, run_watch, scenes, watch

SQUARE = [[14, 50], [14.1, 50], [14.1, 50.1], [14, 50.1], [14, 50]]
METRES = [[x * 1e5, y * 1e5] for x, y in SQUARE]


@pytest.mark.parametrize("key", ["only", "exclude"])
@pytest.mark.parametrize("what", ["missing", "empty", "metres without a system", "no JSON"])
def test_unusable_polygons_are_one_line_and_take_no_try_from_a_scene(tmp_path, key, what):
    path = tmp_path / "area.geojson"
    write_polygons(path, *{"empty": [], "metres without a system": [METRES]}.get(what, [SQUARE]))
    if what == "no JSON":
        path.write_text("no JSON")
    elif what == "missing":
        path.unlink()
    config, clock = watch(tmp_path, site={"area": {key: "area.geojson"}}), Clock()
    for name in ("a.tif", "b.tif", "c.tif"):
        drop(tmp_path, name, 30)
    for _ in range(config.retry.tries + 1):
        done = run_watch(config, clock)
        assert done.code == 3
        (line,) = done.messages
        assert line.startswith("harbour: ")
        assert "area.geojson" in line
        clock.forward(days=1)
    assert not rows(tmp_path, "SELECT * FROM scenes WHERE tries > 0 OR status = 'done'")
    write_polygons(path, SQUARE)
    assert run_watch(config, clock).code == 0
    assert scenes(tmp_path) == [(name, "done") for name in ("a.tif", "b.tif", "c.tif")]


def test_polygons_that_miss_a_scene_fail_it_alone(tmp_path):
    area = write_polygons(tmp_path / "a.geojson", [[x + 9, y] for x, y in SQUARE])
    config = watch(tmp_path, site={"area": {"only": area}})
    drop(tmp_path, "a.tif", 30)
    done = run_watch(config, Clock())
    assert done.code == 5
    assert scenes(tmp_path) == [("a.tif", "failed")]
