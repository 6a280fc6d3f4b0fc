"""What of a source is no scene, or none yet: in the status, and once on stderr where it matters."""

import json
import os
from datetime import timedelta

import pytest
from support.rasters import run
from support.watching import START, Clock, Stub, drop, rows, run_watch, scenes, watch

from anomvae.monitoring import overview

NOW = START - timedelta(seconds=20)


def notices(folder):
    return [f"{notice.site}: {notice.text}" for notice in overview(folder / "state").notices]


def site(**folder):
    return {"folder": {"path": "in"} | folder}


def nothing(folder):
    (folder / "in").mkdir()


def links(folder):
    drop(folder, "a.tif", "5")
    os.symlink("a.tif", folder / "in" / "latest.tif")


@pytest.mark.parametrize(
    ("arrange", "source", "lines", "reported"),
    [
        (nothing, {}, ["/in is empty"], True),
        (
            lambda folder: [drop(folder, f"{name}.tif", "5", NOW) for name in "abcd"],
            {},
            ["4 files rest, ready in 40 s (at 2025-06-01 03:00:40 UTC): a.tif, b.tif, c.tif, ..."],
            False,
        ),
        (
            lambda folder: [drop(folder, name, "5") for name in ("a.tif", "b.TIF", "c.Tif")],
            {},
            ["2 names match: b.TIF, c.Tif; pattern = '*.tif' matches them only if the case of le"],
            True,
        ),
        (
            lambda folder: [
                drop(folder, name, "5") for name in ("a.jp2", ".x.tif", "b/c.tif", "d.tif.part")
            ],
            {},
            [
                "/in matches pattern = '*.tif'; it holds a.jp2, b. Names in its folders are "
                "matched by '**/*.tif'.",
                "2 names are hidden or unfinished, no scenes: .x.tif, d.tif.part",
            ],
            True,
        ),
        (
            lambda folder: [
                drop(folder, name, "5") for name in ("a", "maps/m.tif", "b.part", "d/e")
            ],
            {"pattern": "*"},
            [
                "1 name is hidden or unfinished, no scene: b.part",
                "1 name is no file and no product, no scene: d",
            ],
            False,
        ),
        (links, {}, ["1 name links to another scene, no scene: latest.tif"], False),
    ],
)
def test_what_is_no_scene_is_noted_and_reported_once(tmp_path, arrange, source, lines, reported):
    arrange(tmp_path)
    config = watch(tmp_path, site=site(**source) | {"out": "in/maps"})

    first, second = (run_watch(config, Clock()) for _ in range(2))

    found = [text for text in notices(tmp_path) if "results" not in text]
    assert len(found) == len(lines), found
    assert all(line in text for line, text in zip(lines, found, strict=True)), found
    assert (bool(first.reports), second.reports) == (reported, ())
    assert first.code == second.code == 0


def test_a_folder_that_is_emptied_is_noted_and_not_reported(tmp_path):
    path = drop(tmp_path, "a.tif", "5")
    config = watch(tmp_path)

    run_watch(config, Clock())
    path.unlink()
    done = run_watch(config, Clock())

    assert notices(tmp_path) == [f"harbour: {tmp_path}/in is empty"]
    assert not done.reports


def test_the_status_has_the_notices_of_the_last_run_and_stderr_those_that_are_new(tmp_path):
    drop(tmp_path, "a.TIF", "5")
    text = f"""
    [[site]]
    name = "harbour"
    model = "{tmp_path}/model"
    out = "maps"
    [site.folder]
    path = "in"
    """
    path = tmp_path / "watch.toml"
    path.write_text(text)
    (tmp_path / "model").write_text("model")

    first, second = (run("monitor", "run", path) for _ in range(2))
    noted, verbose = run("monitor", "status", path).out, run("monitor", "run", path, "-v").err
    as_json = json.loads(run("monitor", "status", path, "--json").out)

    (line,) = first.err.splitlines()
    assert line.startswith("Note: harbour: 1 name matches: a.TIF; pattern = '*.tif'")
    assert (first.code, second.code, second.err) == (0, 0, "")
    assert line in verbose.splitlines()
    assert f"note: {line.removeprefix('Note: ')}" in noted
    assert [notice["site"] for notice in as_json["notices"]] == ["harbour"]


def urls(*listed):
    return {"folder": None, "urls": {"urls": list(listed)}}


def spellings(folder):
    drop(folder, "high tide.tif", "5")
    path = folder / "in" / "high tide.tif"
    return urls(str(path), path.as_uri(), f"{folder}/in/../in/high tide.tif", f"{path}")


def servers(folder):
    return urls(
        "https://eo.example/~a/b%20c.tif?sig=1",
        "HTTPS://EO.example:443/%7ea/b c.tif?sig=2",
        "https://user:word@eo.example/~a/b%20c.tif",
    )


def linked_folders(folder):
    drop(folder, "x/a.tif", "5")
    os.symlink("x", folder / "in" / "y")
    return site(pattern="*/*.tif")


@pytest.mark.parametrize("offering", [spellings, servers, linked_folders])
def test_a_scene_that_is_offered_twice_is_scored_once(tmp_path, offering):
    config, scoring = watch(tmp_path, site=offering(tmp_path)), Stub(flagged=20)

    done = [run_watch(config, Clock(), scoring) for _ in range(2)]

    assert [one.code for one in done] == [0, 0], done[0].messages
    assert len(scoring.scored) == len(scenes(tmp_path)) == 1
    assert len(rows(tmp_path, "SELECT * FROM alerts")) <= 1
    assert any("twice" in text or "links" in text for text in notices(tmp_path))


def test_names_that_are_shown_alike_are_scenes_apart(tmp_path):
    for name in ("new\nline.tif", r"new\nline.tif"):
        drop(tmp_path, name, "5")

    done = [run_watch(watch(tmp_path), Clock()) for _ in range(2)]

    assert [(one.done, one.code) for one in done] == [(2, 0), (0, 0)]
    assert rows(tmp_path, "SELECT count(DISTINCT path), min(digest) IS NULL FROM files") == [(2, 0)]


def test_the_status_has_why_a_site_failed_in_the_last_run_alone(tmp_path):
    drop(tmp_path, "a.tif", "5")
    text = "[[site]]\nname='harbour'\nmodel='model'\nout='maps'\n[site.folder]\npath='in'\n"
    path = tmp_path / "watch.toml"
    path.write_text(text)

    failed, status = run("monitor", "run", path), run("monitor", "status", path)
    (tmp_path / "in" / "a.tif").unlink()
    (tmp_path / "model").write_text("model")
    run("monitor", "run", path)

    reason = f"{tmp_path}/model, the model, cannot be read"
    assert failed.code == 3
    assert f"site failed: harbour: {reason}" in status.out
    assert "site failed" not in run("monitor", "status", path).out


def test_scenes_of_one_stem_are_scored_each_into_a_folder_of_its_own(tmp_path):
    for name in ("a.tif", "b/a.tif", "c/a.tif", "a.TIF"):
        drop(tmp_path, name, "5")
    other = {"name": "other", **site(pattern="*.[tT][iI][fF]")}

    done = run_watch(watch(tmp_path, site=site(pattern="**/*.tif"), others=[other]), Clock())

    maps = [path for (path,) in rows(tmp_path, "SELECT map FROM scenes")]
    assert (done.done, done.code, len(maps), len(set(maps))) == (5, 0, 5, 5)


def test_what_is_wrong_with_one_scene_or_site_stops_no_other(tmp_path):
    """Names, links, lists and folders that nobody can read, beside scenes that anybody can."""
    for number, name in enumerate(("a.tif", "b.tif", "z.tif")):
        drop(tmp_path, name, number)
    drop(tmp_path, "c.tif", "bad")
    drop(tmp_path, "new\nline.tif", "5")
    os.symlink("loop.tif", tmp_path / "in" / "loop.tif")
    os.symlink("nowhere.tif", tmp_path / "in" / "dead.tif")
    os.mkfifo(tmp_path / "in" / "pipe.tif")
    (tmp_path / "in" / os.fsdecode(b"bay\xe9.tif")).write_text("5")
    (tmp_path / "list.txt").write_text(
        "http://[\nhttps://eo.example:99999/\n\x07\n%00\n\n", "utf-8"
    )
    others = [
        {"name": "lists", "folder": None, "urls": {"file": str(tmp_path / "list.txt")}},
        {"name": "gone", "folder": {"path": "nowhere"}},
        {"name": "none", "model": "nowhere"},
        {"name": "last"},
    ]

    done = run_watch(watch(tmp_path, others=others), Clock())

    scored = rows(tmp_path, "SELECT site, count(*) FROM scenes WHERE status = 'done' GROUP BY site")
    assert dict(scored) == {"harbour": 4, "last": 4}
    assert {problem.site for problem in done.problems} == {
        "harbour",
        "lists",
        "gone",
        "none",
        "last",
    }
    assert not [line for line in done.messages if "internal error" in line]


@pytest.mark.parametrize(
    ("encoding", "code", "words"),
    [
        ("utf-8-sig", 0, ""),
        ("utf-16", 3, "it is encoded in UTF-16, not in UTF-8. Save it as UTF-8"),
    ],
)
def test_a_list_of_addresses_may_begin_with_a_mark_of_utf_8(tmp_path, encoding, code, words):
    path = drop(tmp_path, "a.tif", "5")
    (tmp_path / "list.txt").write_text(f"{path}\n", encoding)
    config = watch(tmp_path, site={"folder": None, "urls": {"file": str(tmp_path / "list.txt")}})

    done = run_watch(config, Clock())

    assert (done.code, done.done) == (code, int(not code))
    assert words in " ".join(done.messages)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_configuration_may_begin_with_a_mark_of_utf_8(tmp_path, encoding):
    path = tmp_path / "watch.toml"
    text = "[[site]]\nname = 'a'\nmodel = 'm'\nout = 'o'\n[site.folder]\npath = 'in'\n"
    path.write_text(text, encoding)

    checked = run("config", "check", path)

    if encoding == "utf-16":
        assert (checked.code, len(checked.err.splitlines())) == (2, 1)
        assert "it is encoded in UTF-16, not in UTF-8" in checked.err
    else:
        assert (checked.code, checked.out.splitlines()[0]) == (0, f"{path} fits")
