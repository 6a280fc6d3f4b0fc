"""Where scenes come from: only whole files, read once, each told from the others."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.watching import START, drop

from anomvae.errors import FileError
from anomvae.monitoring import sources
from anomvae.monitoring.config import FolderConfig, UrlsConfig
from anomvae.monitoring.sources import UNFINISHED, scan_folder
from anomvae.monitoring.state import stamp


def scan(folder, known=None, now=START, aside=(), **config):
    (folder / "in").mkdir(exist_ok=True)
    asked = FolderConfig.model_validate(
        {"path": "in", "stable_seconds": 60} | config, context={"folder": folder}
    )
    return scan_folder(asked, known or {}, now, aside=aside)


def names(found):
    return [each.source for each in found.scenes]


def seconds(count):
    return timedelta(seconds=count)


def test_a_file_that_rests_is_a_scene(tmp_path):
    drop(tmp_path, "a.tif", "5", START - seconds(61))

    (found,) = scan(tmp_path).scenes

    assert found.source == "a.tif"
    assert found.identity.startswith("a.tif@")
    assert found.read == (str(tmp_path / "in" / "a.tif"),)


def test_a_file_that_was_just_written_is_none_yet(tmp_path):
    drop(tmp_path, "a.tif", "5", START - seconds(59))

    first = scan(tmp_path)
    later = scan(tmp_path, first.records, START + seconds(61))

    assert names(first) == []
    assert first.records["a.tif"].digest is None
    assert names(later) == ["a.tif"]


def test_a_file_that_grows_under_an_old_time_waits_until_it_rests(tmp_path):
    path, old = drop(tmp_path, "a.tif", "1"), START - timedelta(days=9)
    os.utime(path, (old.timestamp(),) * 2)
    known = scan(tmp_path, now=old + seconds(1)).records  # seen, not yet stable
    path.write_text("1 and more")
    os.utime(path, (old.timestamp(),) * 2)

    soon = scan(tmp_path, known)
    later = scan(tmp_path, soon.records, START + seconds(60))

    assert names(soon) == []
    assert names(later) == ["a.tif"]


def test_a_file_from_the_future_is_a_scene_once_it_was_seen_to_rest(tmp_path):
    drop(tmp_path, "a.tif", "1", START + timedelta(days=1))

    first = scan(tmp_path)
    later = scan(tmp_path, first.records, START + seconds(60))

    assert names(first) == []
    assert names(later) == ["a.tif"]


@given(age=st.integers(-100, 200), span=st.integers(0, 100))
def test_at_first_sight_only_the_age_counts(tmp_path_factory, age, span):
    folder = tmp_path_factory.mktemp("scan")
    drop(folder, "a.tif", "1", START - seconds(age))

    found = scan(folder, stable_seconds=span)

    assert bool(found.scenes) == (age >= span or span == 0)


@pytest.mark.parametrize(
    "name", [".a.tif", ".hidden/a.tif", "a.tif~", *(f"a.tif{ending}" for ending in UNFINISHED)]
)
def test_a_name_of_something_unfinished_is_never_a_scene(tmp_path, name):
    drop(tmp_path, name, "5")
    drop(tmp_path, "b.tif", "5")

    assert names(scan(tmp_path, pattern="**/*")) == ["b.tif"]


def test_results_are_no_scenes(tmp_path):
    drop(tmp_path, "a.tif", "5")
    drop(tmp_path, "maps/a.anomaly.tif", "5")

    assert names(scan(tmp_path, pattern="**/*.tif", aside=[tmp_path / "in" / "maps"])) == ["a.tif"]


def test_a_pattern_chooses_and_may_look_into_folders(tmp_path):
    for name in ("a.tif", "b.txt", "2025/c.tif"):
        drop(tmp_path, name, "5")

    assert names(scan(tmp_path)) == ["a.tif"]
    assert names(scan(tmp_path, pattern="**/*.tif")) == ["2025/c.tif", "a.tif"]


def test_older_files_come_first(tmp_path):
    for name, age in (("a.tif", 100), ("b.tif", 300), ("c.tif", 200)):
        drop(tmp_path, name, "5", START - seconds(age))

    assert names(scan(tmp_path)) == ["b.tif", "c.tif", "a.tif"]


def test_a_known_file_is_not_read_again(tmp_path, monkeypatch):
    drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    monkeypatch.setattr(sources, "digest_of_file", lambda path: pytest.fail("it was read"))

    second = scan(tmp_path, first.records)

    assert second.scenes == first.scenes
    assert not second.records


def test_a_touched_file_is_read_again_and_is_the_same_scene(tmp_path):
    drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    drop(tmp_path, "a.tif", "5", START - timedelta(minutes=30))

    waiting = scan(tmp_path, first.records)
    second = scan(tmp_path, first.records | waiting.records, START + seconds(60))

    assert [each.identity for each in second.scenes] == [each.identity for each in first.scenes]


def test_another_content_is_another_scene(tmp_path):
    drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    drop(tmp_path, "a.tif", "6", START + timedelta(hours=1))

    second = scan(tmp_path, first.records, START + timedelta(hours=2))

    assert second.scenes[0].source == first.scenes[0].source
    assert second.scenes[0].identity != first.scenes[0].identity


def test_a_file_that_vanishes_while_it_is_looked_at_stops_nobody(tmp_path, monkeypatch):
    for name in ("a.tif", "b.tif"):
        drop(tmp_path, name, "5")
    digest = sources.digest_of_file

    def vanishing(path):
        if Path(path).name == "a.tif":
            Path(path).unlink()
        return digest(path)

    monkeypatch.setattr(sources, "digest_of_file", vanishing)

    assert names(scan(tmp_path)) == ["b.tif"]


def test_a_file_that_is_written_while_it_is_read_is_not_stable(tmp_path, monkeypatch):
    path = drop(tmp_path, "a.tif", "5")
    digest = sources.digest_of_file
    monkeypatch.setattr(
        sources, "digest_of_file", lambda file: (path.write_text("more"), digest(file))[1]
    )

    assert names(scan(tmp_path)) == []


def test_a_file_that_cannot_be_read_is_offered_and_so_fails_by_name(tmp_path, monkeypatch):
    drop(tmp_path, "a.tif", "5")

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(sources, "digest_of_file", denied)

    assert names(scan(tmp_path)) == ["a.tif"]


def test_files_that_are_gone_are_forgotten(tmp_path):
    path = drop(tmp_path, "a.tif", "5")
    first = scan(tmp_path)
    path.unlink()

    assert scan(tmp_path, first.records).missing == ["a.tif"]


def test_a_missing_folder_is_an_error_and_not_an_empty_one(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        scan(tmp_path, path="gone")


def test_the_time_of_first_sight_is_kept(tmp_path):
    drop(tmp_path, "a.tif", "5", START)

    first = scan(tmp_path)
    second = scan(tmp_path, first.records, START + seconds(30))

    assert first.records["a.tif"].since == stamp(START)
    assert not second.records


def test_addresses_come_once_in_their_order_and_without_their_signature(tmp_path):
    (tmp_path / "list.txt").write_text("# scenes\nhttps://eo.example/b.tif\n\n")
    signed = "https://eo.example/a.tif?X-Amz-Signature=secret&X-Amz-Expires=60"
    config = UrlsConfig(urls=(signed, signed), file=str(tmp_path / "list.txt"))

    found = sources.listed_urls(config)

    assert [each.identity for each in found] == [
        "https://eo.example/a.tif",
        "https://eo.example/b.tif",
    ]
    assert found[0].read == (signed,)
    assert "secret" not in found[0].identity + found[0].source


def test_a_missing_list_of_addresses_is_named(tmp_path):
    with pytest.raises(FileError, match=r"gone\.txt cannot be read"):
        sources.listed_urls(UrlsConfig(file=str(tmp_path / "gone.txt")))
