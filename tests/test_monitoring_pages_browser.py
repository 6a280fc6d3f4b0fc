"""The pages of a watch in Chromium: by keyboard, on a narrow screen, and with hostile names."""

import sqlite3
from contextlib import closing

import pytest
from support.archives import DAYS, copied, record_many

from anomvae.monitoring.config import read_monitoring
from anomvae.monitoring.pages import write_pages

HOSTILE = "</script><script>document.title='run'</script><b>\"'.tif"


@pytest.fixture(scope="module")
def site(watched, tmp_path_factory):
    """Write the pages of the archive.

    A scene has a hostile name, another failed, and of a third the quick look is all that is left.
    """
    folder = copied(watched, tmp_path_factory.mktemp("pages") / "watch")
    with closing(sqlite3.connect(folder / "state" / "monitor.sqlite")) as database, database:
        database.execute("UPDATE scenes SET source = ? WHERE taken = ?", (HOSTILE, str(DAYS[0])))
        database.execute(
            "UPDATE scenes SET status = 'failed', error = 'a.tif is damaged.' WHERE taken = ?",
            (str(DAYS[1]),),
        )
    next((folder / "maps").glob(f"*{DAYS[2]}*/*.anomaly.tif")).unlink()
    write_pages(read_monitoring(folder / "watch.toml"), folder / "site")
    return folder / "site"


def follow(page, css, title):
    """Press Enter on a link, and wait for the page that it leads to."""
    page.keys(css, "ENTER")
    page.wait(lambda: title in page.script("return document.title"), title)
    page.wait_until_ready()


def test_the_keyboard_leads_from_the_first_page_to_a_site_an_event_and_a_scene(browser, site):
    page = browser.open(site / "index.html")

    follow(page, "article.site h3 a", "harbour")
    follow(page, 'tbody a[href="events/2.html"]', "Event harbour-2")
    follow(page, "figure.crop:last-child figcaption a", f"site_{DAYS[-1]}.tif")
    follow(page, "nav.crumbs a:first-child", "Watched sites")

    assert page.errors() == []


def test_scenes_are_sorted_and_filtered_by_their_outcome(browser, site):
    page = browser.open(site / "sites" / "harbour" / "index.html")

    def days():
        return [row.text.split()[0] for row in page.all("#scenes tbody tr")]

    newest_first = days()
    page.click("#scenes thead th:first-child button")
    page.wait(lambda: days() != newest_first, "the order changes")
    oldest_first = days()
    page.script(
        "const select = document.querySelector('#scenes select');"
        "[...select.options].find((one) => one.textContent.startsWith('failed')).selected = true;"
        "select.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    page.wait(lambda: len(days()) == 1, "failed scenes alone are listed")

    assert newest_first == [str(day) for day in reversed(DAYS)]
    assert oldest_first == newest_first[::-1]
    assert days() == [str(DAYS[1])]
    assert page.errors() == []


def test_the_map_of_a_site_shows_what_lasts_and_reads_it_out(browser, site):
    page = browser.open(site / "sites" / "harbour" / "index.html")

    names = page.text("#map")
    page.hover("#map .frame", 200, 200)
    page.wait(lambda: "row" in page.text("#map output.readout").lower(), "the place is read out")

    assert all(name in names for name in ("Status", "Exceedances", "Newest scene", "confirmed"))
    assert "Status" in page.text("#map output.readout")
    assert page.errors() == []


def test_the_layers_of_a_scene_are_switched(browser, site):
    (path,) = site.glob(f"sites/harbour/scenes/*{DAYS[-1]}*.html")
    page = browser.open(path)

    boxes = page.all("#map input[type=checkbox]")
    for box in boxes:
        page.into_view(box)
        box.click()
        page.frame()

    assert len(boxes) >= 3
    assert page.errors() == []


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_opens_without_an_error_and_fits_a_narrow_screen(browser, site, dark):
    for path in sorted(site.rglob("*.html")):
        page = browser.open(path, width=380, height=800, dark=dark)

        assert page.errors() == [], path.name
        assert not page.is_wider_than_window(), path.name


@pytest.mark.parametrize(("width", "printed"), [(1200, False), (794, False), (794, True)])
def test_no_cell_of_a_table_is_cut_off(browser, site, width, printed):
    page = browser.open(site / "sites" / "harbour" / "index.html", width=width)

    page.emulate(printed=printed)
    page.frame()

    cut = page.script(
        "return [...document.querySelectorAll('td > *')]"
        ".filter((one) => one.scrollHeight > one.clientHeight + 1).map((one) => one.textContent)"
    )
    assert cut == []
    assert not printed or not page.is_wider_than_window()


def test_rows_in_files_beside_a_page_are_fetched_from_disk(browser, watched, tmp_path):
    folder = copied(watched, tmp_path / "watch")
    record_many(folder, 700)
    write_pages(read_monitoring(folder / "watch.toml"), folder / "site")
    page = browser.open(folder / "site" / "sites" / "harbour" / "index.html")

    page.click("#scenes thead th:first-child button")
    first = "#scenes tbody tr:first-child"
    page.wait(lambda: "2020-01-01" in page.text(first), "the oldest scene comes first")

    assert page.errors() == []


def test_the_quick_look_is_shown_where_the_map_is_gone(browser, site):
    (path,) = site.glob(f"sites/harbour/scenes/*{DAYS[2]}*.html")
    page = browser.open(path, width=380)

    assert page.script("return document.querySelector('figure.shot img').naturalWidth") > 380
    assert not page.is_wider_than_window()
    assert page.errors() == []


def test_a_hostile_name_runs_nothing(browser, site):
    page = browser.open(site / "sites" / "harbour" / "index.html")
    (path,) = site.glob("sites/harbour/scenes/script-*.html")
    title = page.script("return document.title")
    scene = browser.open(path)

    assert title == "harbour"
    assert scene.text("h1") == HOSTILE
    assert scene.script("return document.title") == HOSTILE
    assert scene.errors() == []
