"""A watched folder of products: each is one scene, stable once all of its files are."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from support.toy_products import toys
from support.watching import Clock, run_watch, scenes, watch

from anomvae.monitoring.folder import scan_folder
from anomvae.monitoring.source_tables import FolderConfig

__all__ = ["toys"]

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("toys")


def fill(folder, *names, content="5"):
    for name in names:
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def scan(folder, known=None, now=LATER, pattern="*.TOY"):
    config = FolderConfig.read(
        {"path": "in", "stable_seconds": 60, "pattern": pattern}, folder=folder
    )
    return scan_folder(config, known or {}, now)


def sources(scanned):
    return [scene.source for scene in scanned.scenes]


@pytest.mark.parametrize("pattern", ["*.TOY", "*", "**/*", "**/*.tif", "*/B1.tif"])
def test_a_product_is_one_scene_whatever_of_it_the_pattern_names(tmp_path, pattern):
    fill(tmp_path, "S_20240601.TOY/B1.tif", "S_20240601.TOY/B2.tif", "S_20240601.TOY/B3.tif")
    (tmp_path / "in" / "other").mkdir()

    (scene,) = scan(tmp_path, pattern=pattern).scenes

    assert scene.product.stem == "S_20240601.TOY"
    assert (scene.date.month, scene.date.day) == (6, 1)


@pytest.mark.parametrize(("name", "warned"), [("a.TOY/B1.tif", True), ("notes.txt", False)])
def test_products_that_the_pattern_does_not_match_are_noted(tmp_path, name, warned):
    fill(tmp_path, name)

    scanned = scan(tmp_path, pattern="*.tif")

    (notice,) = scanned.notices
    assert sources(scanned) == []
    assert f"matches pattern = '*.tif'; it holds {name.partition('/')[0]}. " in notice.text
    assert ("Of products (a.TOY) give the pattern" in notice.text) is warned


def test_a_product_that_is_being_copied_waits_until_all_of_its_files_are_stable(tmp_path):
    fill(tmp_path, "a.TOY/B1.tif")

    early = scan(tmp_path, now=NOW)
    fill(tmp_path, "a.TOY/B2.tif.part")
    partial = scan(tmp_path, early.records)
    (tmp_path / "in/a.TOY/B2.tif.part").rename(tmp_path / "in/a.TOY/B2.tif")
    grown = scan(tmp_path, partial.records, LATER)
    complete = scan(tmp_path, partial.records | grown.records, LATER + timedelta(seconds=61))

    assert sources(early) == sources(partial) == []
    assert sources(complete) == ["a.TOY"]


@pytest.mark.parametrize("name", ["a.TOY/B2.tif", "a.TOY/extra.tif"])
def test_any_changed_or_new_file_makes_it_another_scene(tmp_path, name):
    fill(tmp_path, "a.TOY/B1.tif", "a.TOY/B2.tif")
    first = scan(tmp_path)
    (scene,) = first.scenes
    assert not scene.changed
    fill(tmp_path, name, content="6")

    assert scene.changed
    waiting = scan(tmp_path, first.records, LATER + timedelta(seconds=1))
    (second,) = scan(tmp_path, waiting.records, LATER + timedelta(seconds=61)).scenes
    assert sources(waiting) == []
    assert second.identity != scene.identity
    assert second.source == scene.source


def test_a_removed_product_vanishes(tmp_path):
    fill(tmp_path, "a.TOY/B1.tif", "b.TOY/B1.tif")
    first = scan(tmp_path)
    shutil.rmtree(tmp_path / "in" / "a.TOY")

    second = scan(tmp_path, first.records)

    assert first.scenes[0].vanished
    assert (sources(second), second.missing) == (["b.TOY"], ["a.TOY"])


def test_a_product_of_too_many_files_is_a_fault_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("anomvae.monitoring.local.MOST_FILES", 3)
    fill(tmp_path, *(f"a.TOY/B{number}.tif" for number in range(1, 5)))

    (scene,) = scan(tmp_path).scenes

    assert "a.TOY cannot be read: it holds more than 3 files" in scene.fault


def test_a_damaged_product_is_named_in_one_line(tmp_path):
    fill(tmp_path, "bad.TOY/B1.tif", content="no raster")
    site = {"folder": {"path": "in", "pattern": "*.TOY", "stable_seconds": 0}}
    config = watch(tmp_path, site=site)

    report = run_watch(config, Clock(LATER), scoring=scoring_of_files)

    assert report.code == 5
    assert [(source, status) for source, status in scenes(tmp_path)] == [("bad.TOY", "failed")]
    assert "bad.TOY" in str(report.problems[0].error)
    assert "\n" not in str(report.problems[0].error)


def scoring_of_files(site):
    """Open the scenes as a detector does."""
    from anomvae.monitoring.scoring import scene_of

    del site

    def score(found, folder):
        del folder
        with scene_of(found).open():
            pytest.fail("it was opened")

    return score
