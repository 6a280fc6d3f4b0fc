"""Sources: which files of a folder are scenes, when they are read, and what identifies them."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.watching import START, drop

from anomvae.monitoring.folder import scan_folder
from anomvae.monitoring.local import digest_of_file
from anomvae.monitoring.source_tables import FolderConfig, UrlsConfig
from anomvae.monitoring.sources import listed_urls
from anomvae.monitoring.state import stamp
from anomvae.names import UNFINISHED

DAY = timedelta(days=1)


def scan(folder, known=None, now=START, *, aside=(), digest=digest_of_file, **config):
    (folder / "in").mkdir(exist_ok=True)
    config = FolderConfig.read({"path": "in", "stable_seconds": 60} | config, folder=folder)
    return scan_folder(config, known or {}, now, aside=aside, digest=digest)


def names(scanned):
    return [scene.source for scene in scanned.scenes]


def seconds(count):
    return timedelta(seconds=count)


def test_a_stable_file_is_a_scene_identified_by_its_path_and_content(tmp_path):
    path = drop(tmp_path, "a.tif", "5", START - seconds(61))

    (scene,) = scan(tmp_path).scenes

    assert (scene.source, scene.read) == ("a.tif", (str(path),))
    assert scene.identity == f"a.tif@{digest_of_file(path)}"


@given(age=st.integers(-100, 200), span=st.integers(0, 100))
def test_on_the_first_scan_a_file_is_stable_from_a_certain_age(tmp_path_factory, age, span):
    folder = tmp_path_factory.mktemp("scan")
    drop(folder, "a.tif", "1", START - seconds(age))

    scanned = scan(folder, stable_seconds=span)

    assert bool(scanned.scenes) == (age >= span or span == 0)
    assert scanned.records["a.tif"].since == stamp(START)


@pytest.mark.parametrize("age", [seconds(59), -DAY], ids=["just written", "from the future"])
def test_a_file_that_is_not_stable_is_a_scene_once_it_stayed_the_same(tmp_path, age):
    drop(tmp_path, "a.tif", "5", START - age)

    first = scan(tmp_path)
    too_early = scan(tmp_path, first.records, START)
    later = scan(tmp_path, first.records, START + seconds(60))

    assert names(first) == names(too_early) == []
    assert first.records["a.tif"].digest is None
    assert not too_early.records  # nothing is new
    assert names(later) == ["a.tif"]


def test_a_file_that_grows_under_an_old_time_waits_until_it_is_stable(tmp_path):
    path, old = drop(tmp_path, "a.tif", "1"), START - 9 * DAY
    os.utime(path, (old.timestamp(),) * 2)
    known = scan(tmp_path, now=old + seconds(1)).records  # not yet stable
    path.write_text("1 and more")
    os.utime(path, (old.timestamp(),) * 2)

    soon = scan(tmp_path, known)
    later = scan(tmp_path, soon.records, START + seconds(60))

    assert names(soon) == []
    assert names(later) == ["a.tif"]


@pytest.mark.parametrize(
    "name", [".a.tif", ".hidden/a.tif", "a.tif~", *(f"a.tif{ending}" for ending in UNFINISHED)]
)
def test_a_name_of_something_unfinished_is_never_a_scene(tmp_path, name):
    drop(tmp_path, name, "5")
    drop(tmp_path, "b.tif", "5")

    assert names(scan(tmp_path, pattern="**/*")) == ["b.tif"]


def test_the_pattern_selects_files_and_results_are_excluded(tmp_path):
    for name in ("a.tif", "b.txt", "2025/c.tif", "maps/a.anomaly.tif"):
        drop(tmp_path, name, "5")
    aside = [tmp_path / "in" / "maps"]

    assert names(scan(tmp_path, aside=aside)) == ["a.tif"]
    assert names(scan(tmp_path, aside=aside, pattern="**/*.tif")) == ["2025/c.tif", "a.tif"]


def test_older_files_come_first(tmp_path):
    for name, age in (("a.tif", 100), ("b.tif", 300), ("c.tif", 200)):
        drop(tmp_path, name, "5", START - seconds(age))

    assert names(scan(tmp_path)) == ["b.tif", "c.tif", "a.tif"]


def test_a_known_file_is_not_read_again(tmp_path):
    drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)

    second = scan(tmp_path, first.records, digest=lambda path: pytest.fail("it was read"))

    assert second.scenes == first.scenes
    assert not second.records


@pytest.mark.parametrize(("content", "same"), [("5", True), ("6", False)])
def test_a_rewritten_file_is_another_scene_if_its_content_differs(tmp_path, content, same):
    drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    drop(tmp_path, "a.tif", content, START + seconds(1))

    waiting = scan(tmp_path, first.records, START + seconds(1))
    second = scan(tmp_path, first.records | waiting.records, START + seconds(61))

    assert names(waiting) == []
    assert names(second) == names(first)
    assert (second.scenes[0].identity == first.scenes[0].identity) is same


def test_a_file_that_vanishes_during_the_scan_is_skipped(tmp_path):
    for name in ("a.tif", "b.tif"):
        drop(tmp_path, name, "5")

    def vanishing(path):
        if path.name == "a.tif":
            path.unlink()
        return digest_of_file(path)

    assert names(scan(tmp_path, digest=vanishing)) == ["b.tif"]


def test_a_file_that_is_written_while_it_is_read_is_not_stable(tmp_path):
    drop(tmp_path, "a.tif", "5")

    def growing(path):
        Path(path).write_text("more")
        return digest_of_file(path)

    assert names(scan(tmp_path, digest=growing)) == []


def test_a_file_that_cannot_be_read_is_offered_so_that_its_scoring_fails(tmp_path):
    drop(tmp_path, "a.tif", "5")

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    assert names(scan(tmp_path, digest=denied)) == ["a.tif"]


def test_missing_files_are_reported(tmp_path):
    path = drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    path.unlink()

    assert scan(tmp_path, first.records).missing == ["a.tif"]


def test_addresses_come_once_in_their_order_and_without_their_signature(tmp_path):
    (tmp_path / "list.txt").write_text("# scenes\nhttps://eo.example/b.tif\n\n")
    signed = "https://eo.example/a.tif?X-Amz-Signature=secret&X-Amz-Expires=60"

    config = UrlsConfig(urls=(signed, signed), file=str(tmp_path / "list.txt"))
    first, second = listed_urls(config).each_once.scenes

    assert first.identity == first.source == "https://eo.example/a.tif"
    assert second.identity == "https://eo.example/b.tif"
    assert first.read == (signed,)
