"""The pages of a watch: what they show, what changes them, and whose folder they are in."""

import base64
import io
import re
import shutil
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from support.archives import DAYS, add_scene, record_many
from support.imports import after
from support.rasters import BANDS, land, run, write
from support.scorers import Neighbours
from support.watching import Clock, Stub, drop, run_watch, watch

from anomvae.errors import LockHeld, OutputExists
from anomvae.files import locked
from anomvae.mapping import score_scene
from anomvae.mapping.panels import read_panels
from anomvae.mapping.quicklook import QuickLook, QuickLookSpec, drawn
from anomvae.monitoring.answers import Answer, Remark, give_answer
from anomvae.monitoring.config import read_monitoring
from anomvae.monitoring.pages import write_pages
from anomvae.monitoring.pages.results import Results
from anomvae.monitoring.pages.views import scene_view
from anomvae.pixels.bands import unnamed_bands
from anomvae.pixels.flag_classes import ANOMALOUS
from anomvae.pixels.tiling import whole
from anomvae.stats.thresholds import Threshold

HOSTILE = "<img src=x onerror=alert(1)>\"'&%23{{7*7}}\u202e.tif"


class Addresses(HTMLParser):
    """Collects where a page leads."""

    def __init__(self, text):
        super().__init__()
        self.found, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.found += [value for name, value in attributes if name in {"href", "src"}]


def pages_of(site):
    return sorted(site.rglob("*.html"))


def broken_links(site):
    """Return links of pages that lead nowhere."""
    wanted = [
        (page, address)
        for page in pages_of(site)
        for address in Addresses(page.read_text(encoding="utf-8")).found
        if not address.startswith(("#", "data:"))
    ]
    assert wanted
    return [
        (page.name, address)
        for page, address in wanted
        if not (page.parent / unquote(address)).is_file()
    ]


def contents(site):
    """Return the bytes of all files, by their names."""
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def states(site):
    """Return what changes when a file is written, by names."""
    return {
        path.relative_to(site).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in site.rglob("*")
        if path.is_file()
    }


def pages(folder, site=None, **how):
    return write_pages(read_monitoring(folder / "watch.toml"), site or folder / "site", **how)


def changed(before, site):
    """Return the names of files that were written since, but the list of all."""
    now = states(site)
    return {name for name in now if before.get(name) != now[name]} - {"manifest.json"}


def page_of(site, words):
    """Return the only page of a scene whose name holds some words."""
    (found,) = site.glob(f"sites/*/scenes/*{words}*.html")
    return found


def test_every_scene_and_event_has_a_page_and_every_link_leads_somewhere(watched, tmp_path):
    done = pages(watched, tmp_path / "site")

    assert done.index == tmp_path / "site" / "index.html"
    assert len(list((tmp_path / "site").glob("sites/harbour/scenes/*.html"))) == len(DAYS)
    assert len(list((tmp_path / "site").glob("sites/harbour/events/*.html"))) == 2
    assert not broken_links(tmp_path / "site")


def test_pages_hold_no_clock_and_equal_states_have_equal_pages(watched, tmp_path):
    pages(watched, tmp_path / "one")
    pages(watched, tmp_path / "other")

    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert one == other


def test_pages_about_nothing_new_are_not_touched(own):
    pages(own)
    before = states(own / "site")

    again = pages(own)

    assert states(own / "site") == before
    assert (again.written, again.removed) == (0, 0)


def test_one_more_scene_changes_its_own_page_and_those_of_its_site_and_events_alone(own):
    pages(own)
    before = states(own / "site")
    write(own / "in" / "site_2025-07-01.tif", land(seed=1))
    run("monitor", "run", own / "watch.toml")

    pages(own)

    names = changed(before, own / "site")
    others = {name for name in names if "/events/" not in name}
    others -= {"index.html", "sites/harbour/index.html"}
    assert [bool(re.search("/scenes/.*2025-07-01", name)) for name in others] == [True]
    assert not broken_links(own / "site")


def test_pages_that_were_moved_lead_to_the_results_again(own):
    pages(own)
    (own / "deep").mkdir()
    (own / "site").rename(own / "deep" / "site")

    pages(own, own / "deep" / "site")

    assert not broken_links(own / "deep" / "site")


def test_an_answer_changes_the_pages_of_its_event_of_its_site_and_the_first_one(own):
    pages(own)
    before = states(own / "site")
    remark = Remark("duty", "new <pier> & permit", Clock().time)
    give_answer(own / "state", ["harbour-2"], Answer.ACKNOWLEDGED, remark)

    pages(own)

    page = own / "site" / "sites" / "harbour" / "events" / "2.html"
    assert changed(before, own / "site") == {
        "index.html",
        "sites/harbour/index.html",
        "sites/harbour/events/2.html",
    }
    assert "new &lt;pier&gt; &amp; permit" in page.read_text()


class Killed(BaseException):
    """Ends a run at once."""


@pytest.mark.parametrize("at", [0, 3, 8])
def test_a_run_that_dies_on_the_way_leaves_a_site_that_works_and_the_next_one_mends_it(own, at):
    pages(own)
    write(own / "in" / "site_2025-07-01.tif", land(seed=1))
    run("monitor", "run", own / "watch.toml")
    shutil.rmtree(own / "site" / "sites" / "harbour" / "scenes")  # more to write

    def progress(_step, done, _total):
        if done == at:
            raise Killed

    with pytest.raises(Killed):
        pages(own, progress=progress)
    index = (own / "site" / "index.html").read_text()
    assert index.rstrip().endswith("</html>")
    pages(own)

    pages(own, own / "other")
    assert contents(own / "site") == contents(own / "other")


def test_a_first_run_that_dies_leaves_a_folder_that_the_next_one_takes(own):
    def progress(_step, done, _total):
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        pages(own, progress=progress)
    pages(own)

    assert not broken_links(own / "site")


def test_pages_say_which_files_were_deleted_since(own):
    (map_,) = (own / "maps").glob(f"*{DAYS[1]}*/*.anomaly.tif")
    pages(own)
    map_.unlink()
    shutil.rmtree(next((own / "maps").glob(f"*{DAYS[2]}*")))
    before = states(own / "site")

    pages(own)

    some, whole_ = (page_of(own / "site", str(day)).read_text() for day in DAYS[1:3])
    assert f"<s>{map_.name}</s>" in some
    assert "Some files of this scene were deleted" in some
    assert "The files of this scene were deleted since it was scored" in whole_
    assert sum("/scenes/" in name for name in changed(before, own / "site")) == 2
    assert not broken_links(own / "site")


def test_the_story_of_an_event_is_on_its_page_with_pictures_of_before_and_after(own):
    pages(own)

    page = (own / "site" / "sites" / "harbour" / "events" / "2.html").read_text()
    assert "Opened, provisional" in page
    assert "Confirmed" in page
    assert "Alert: it is confirmed" in page
    assert f"Before, {DAYS[1]}" in page
    assert f"After, {DAYS[-1]}" in page
    assert page.count("from the scene") == 2


def test_pictures_of_events_come_from_quick_looks_where_scenes_are_gone(own):
    shutil.rmtree(own / "in")

    pages(own)

    page = (own / "site" / "sites" / "harbour" / "events" / "2.html").read_text()
    assert page.count("from the quick look") == 2


def test_an_event_whose_scenes_and_results_are_gone_has_a_page_without_pictures(own):
    shutil.rmtree(own / "in")
    for folder in (own / "maps").glob("site_*"):
        shutil.rmtree(folder)

    pages(own)

    page = (own / "site" / "sites" / "harbour" / "events" / "2.html").read_text()
    assert "Before and after" not in page
    assert not broken_links(own / "site")


def test_pages_about_what_the_state_no_longer_has_are_removed_and_files_of_others_kept(own):
    pages(own)
    (own / "site" / "robots.txt").write_text("User-agent: *")
    (own / "site" / "sites" / "note.txt").write_text("ours")
    with closing(sqlite3.connect(own / "state" / "monitor.sqlite")) as database, database:
        database.execute("DELETE FROM scenes WHERE taken = ?", (str(DAYS[0]),))
        database.execute("DELETE FROM events WHERE number = 1")

    done = pages(own)

    assert done.removed == 2
    assert not list((own / "site").glob(f"**/*{DAYS[0]}*"))
    assert not (own / "site" / "sites" / "harbour" / "events" / "1.html").exists()
    assert (own / "site" / "robots.txt").exists()
    assert (own / "site" / "sites" / "note.txt").exists()


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(own):
    (own / "mine").mkdir()
    (own / "mine" / "index.html").write_text("my home page")

    done = run("monitor", "page", own / "watch.toml", "-o", own / "mine")

    assert done.code == 3
    assert "did not write" in done.err
    assert done.err.count("\n") == 1
    assert contents(own / "mine") == {"index.html": b"my home page"}


def test_a_folder_of_another_watch_is_refused_until_that_is_gone(own):
    pages(own)
    shutil.copytree(own / "state", own / "elsewhere")
    text = (own / "watch.toml").read_text()
    (own / "watch.toml").write_text(f'state = "elsewhere"\n{text}')

    with pytest.raises(OutputExists, match="another watch"):
        pages(own)
    shutil.rmtree(own / "state")
    pages(own)


def test_a_watch_that_never_ran_has_no_pages(own):
    shutil.rmtree(own / "state")

    done = run("monitor", "page", own / "watch.toml", "-o", own / "site")

    assert done.code == 3
    assert "Run `anomvae monitor run` first" in done.err
    assert not (own / "site").exists()


def test_one_run_at_a_time_writes_pages(own):
    pages(own)

    with locked(own / "site", "pages"), pytest.raises(LockHeld):
        pages(own)


def test_pages_need_no_torch(own):
    found = after("monitor", "page", own / "watch.toml", "-o", own / "site", folder=own)

    assert (own / "site" / "index.html").is_file()
    assert not found & {"torch", "pandas", "scipy", "matplotlib", "sklearn"}


def test_a_run_brings_configured_pages_up_to_date(own):
    with (own / "watch.toml").open("a") as file:
        file.write('\n[pages]\ndir = "site"\n')
    add_scene(own, 5)

    run("monitor", "run", own / "watch.toml")

    assert not broken_links(own / "site")
    assert "at work" not in (own / "site" / "index.html").read_text()
    assert pages(own).written == 0


def test_pages_that_cannot_be_written_are_a_note_of_the_run_and_no_failure(own):
    (own / "site").write_text("a file")
    with (own / "watch.toml").open("a") as file:
        file.write('\n[pages]\ndir = "site"\n')

    done = run("monitor", "run", own / "watch.toml")

    assert done.code == 0
    assert "Note: the pages are not up to date" in done.err


def test_hostile_names_of_scenes_are_text_on_pages(tmp_path):
    config = watch(tmp_path)
    drop(tmp_path, HOSTILE, "30")
    run_watch(config, Clock(), Stub())

    write_pages(config, tmp_path / "site")

    texts = [page.read_text() for page in pages_of(tmp_path / "site")]
    assert not any("img" in Addresses(text).tags for text in texts)
    assert any("&lt;img src=x onerror=alert(1)&gt;" in text for text in texts)
    assert not any("\u202e" in text for text in texts)
    assert not broken_links(tmp_path / "site")
    names = [path.name for path in (tmp_path / "site").rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)


@pytest.mark.parametrize("name", ["..", ".", "A", "a.", "-"])
def test_a_site_of_an_odd_name_has_a_folder_of_its_own(tmp_path, name):
    config = watch(tmp_path, site={"name": name}, others=[{"name": "a", "out": "maps2"}])
    run_watch(config, Clock(), Stub())

    write_pages(config, tmp_path / "site")

    folders = {path.name.lower() for path in (tmp_path / "site" / "sites").iterdir()}
    assert len(folders) == 2
    assert not broken_links(tmp_path / "site")
    assert {path.name for path in (tmp_path / "site").iterdir()} == {
        *("assets", "index.html", "manifest.json", "sites"),
    }


def test_a_failed_scene_and_a_failed_site_are_named_on_the_first_page(tmp_path):
    config = watch(tmp_path, others=[{"name": "quay", "out": "maps2", "folder": {"path": "gone"}}])
    drop(tmp_path, "a.tif", "bad")
    run_watch(config, Clock(), Stub())

    write_pages(config, tmp_path / "site")

    text = (tmp_path / "site" / "index.html").read_text()
    assert "is damaged. Fetch it again." in text
    assert "The last run failed at 1 of 2 sites." in text


def test_a_site_without_scenes_has_a_page(tmp_path):
    config = watch(tmp_path)
    run_watch(config, Clock(), Stub())

    write_pages(config, tmp_path / "site")

    text = (tmp_path / "site" / "sites" / "harbour" / "index.html").read_text()
    assert "No scene was scored yet." in text


def test_many_scenes_are_listed_in_files_beside_a_page_that_stays_small(own):
    record_many(own, 1300)

    pages(own)

    site = own / "site" / "sites" / "harbour"
    assert sorted(path.name for path in site.glob("rows-*.js")) == ["rows-0.js", "rows-1.js"]
    assert sorted(path.name for path in site.glob("year-*")) == [
        *(f"year-{year}.html" for year in range(2020, 2024)),
        "year-2025.html",
    ]
    assert max(path.stat().st_size for path in (own / "site").rglob("*")) < 500_000
    before = states(own / "site")
    write(own / "in" / "site_2025-07-01.tif", land(seed=1))
    run("monitor", "run", own / "watch.toml")
    assert pages(own).written < 10
    assert not any("rows-" in name for name in changed(before, own / "site"))


def test_the_panels_of_a_quick_look_are_read_back_as_they_were_drawn(tmp_path):
    rng = np.random.default_rng(3)
    shape, part = (70, 90), whole((70, 90))
    quicklook = QuickLook(QuickLookSpec.of(shape, unnamed_bands(3)))
    quicklook.add_preview(part, rng.random((*shape, 3), np.float32))
    flags = rng.random(shape) > 0.97
    quicklook.add_scores(part, rng.gamma(2.0, 5.0, shape).astype(np.float32), flags)
    png = drawn("scene", quicklook, Threshold(20.0, 0.001, "sigma:3", 1000, held_out=True))
    (tmp_path / "a.png").write_bytes(png)

    panels = read_panels(tmp_path / "a.png")

    assert panels.scene.shape == (*shape, 3)
    assert (panels.flagged == flags).all()
    assert np.corrcoef(panels.scene[..., 0].ravel(), quicklook.image[..., 0].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_is_no_quick_look_has_no_panels(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)

    assert read_panels(tmp_path / "a.png") is None
    assert read_panels(tmp_path / "gone.png") is None


@pytest.mark.parametrize(("shape", "keeps_quicklook"), [((300, 280), False), ((600, 570), True)])
def test_the_map_of_a_scene_shows_each_anomalous_pixel_however_large_the_scene_is(
    tmp_path, shape, keeps_quicklook
):
    values = land(shape, seed=3)
    places = np.random.default_rng(1).integers(5, np.array(shape) - 5, (12, 2))
    for row, col in places:
        values[:, row, col] = np.linspace(0.9, 0.1, BANDS)
    result = score_scene(Neighbours(), write(tmp_path / "scene.tif", values), tmp_path / "out")
    files = result.files
    kept = [files.scores, files.flags, *([files.quicklook] if keeps_quicklook else [])]
    (files.quicklook if not keeps_quicklook else files.summary).unlink()

    view = scene_view(Results(files, tuple(path.name for path in kept), (0, 0)))

    shown = {layer.name: layer for layer in view.layers}
    high, low = np.moveaxis(pixels_of(shown["Score"])[..., :2].astype(int), -1, 0)
    strong = 256 * high + low > 0.8 * shown["Score"].levels
    for found in (strong, pixels_of(shown["Flags"]) == ANOMALOUS):
        for at in places:
            row, col = (at * found.shape // np.array(shape)).tolist()
            assert found[row - 1 : row + 2, col - 1 : col + 2].any()  # a cell beside it at most


def pixels_of(layer):
    data = base64.b64decode(layer.source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))
