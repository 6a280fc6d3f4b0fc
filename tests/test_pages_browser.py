"""Pages in Chromium: tables and charts, keys, narrow screens, hostile names, pages of a site."""

import re

import numpy as np
import pytest
from PIL import Image
from support import demo_pages
from support.browser import started

from anomvae import pages


@pytest.fixture
def page(browser, demo):
    """A page with every widget; in the end its console has no error."""
    opened = browser.open(demo)
    yield opened
    assert opened.errors() == []


def cells(page, css, column):
    """The texts of a column of a table, as they are on its page."""
    rows = f"document.querySelectorAll('{css} tbody tr')"
    return page.script(f"return [...{rows}].map((row) => row.cells[{column}].textContent)")


def test_a_table_sorts_by_its_heads(page):
    head = "#objects th:nth-child(3)"
    assert page.one(head).get_attribute("aria-sort") == "descending"
    assert cells(page, "#objects", 2)[:2] == ["100", "50"]

    page.click(f"{head} button")

    assert page.one(head).get_attribute("aria-sort") == "ascending"
    assert cells(page, "#objects", 2)[:2] == ["0.8333", "0.8403"]
    page.keys("#objects th:nth-child(1) button", "ENTER", "ENTER")
    assert cells(page, "#objects", 0)[:3] == ["1", "2", "3"]
    assert page.one(head).get_attribute("aria-sort") is None


def test_a_table_is_filtered_by_words_and_by_choice(page):
    page.keys("#objects input[type=search]", *"BoA")

    assert set(cells(page, "#objects", 1)) == {"boat"}
    assert page.text("#objects [role=status]").startswith("1\N{EN DASH}40 of 40 (of 120)")
    page.keys("#objects select", "r")
    assert cells(page, "#objects", 0) == ["No row matches."]


def test_a_table_is_paged(page):
    status = "#objects [role=status]"
    assert page.text(status) == "1\N{EN DASH}50 of 120; the first 120 of 2,000,000 are listed"

    page.click("#objects .pager button:nth-child(2)")
    page.click("#objects .pager button:nth-child(2)")

    assert page.text(status).startswith("101\N{EN DASH}120 of 120")
    assert len(page.all("#objects tbody tr")) == 20
    assert not page.one("#objects .pager button:nth-child(2)").is_enabled()


def test_an_object_on_another_page_of_the_table_is_found(page):
    page.script("document.dispatchEvent(new Event('x')); anomvae.widget('objects').select('90')")

    assert page.text("#objects [role=status]").startswith("101\N{EN DASH}120")
    assert page.script("return document.querySelector('tr[aria-current]').dataset.id") == "90"


def test_charts_are_read_by_mouse_and_by_keys(page):
    page.keys("#roc svg.plot", "END")
    assert page.text("#roc .readout") == "false-positive rate 1 · vae 1 · rx 1"

    page.hover("#spectrum-1 svg.plot", 120, 80)
    assert re.match(
        r"wavelength [\d,.]+ nm · object 0\.\d+ · .*contribution", page.text("#spectrum-1 .readout")
    )
    page.keys("#timeline svg.plot", "HOME", "ARROW_RIGHT")
    assert page.text("#timeline .readout").startswith("2024-01-06 · annulus 0.24 % · normal")


def test_a_point_of_a_timeline_leads_to_its_page(page):
    page.keys("#timeline svg.plot", "HOME", "ENTER")

    page.wait(lambda: page.script("return location.hash") == "#run", "the page of the point opens")


def test_charts_have_names_and_data_as_a_table(page):
    for name in ("scores", "roc", "spectrum-1", "timeline"):
        assert page.one(f"#{name} svg.plot").get_attribute("aria-label")
        assert page.all(f"#{name} svg.plot > title")
        assert page.all(f"#{name} svg.plot > desc")

    page.click("#roc details > summary")
    page.wait(lambda: page.all("#roc details td"), "the data are listed")

    assert [cell.text for cell in page.all("#roc details td")][:3] == ["0.0001", "0.3981", "0.0631"]


def test_a_line_has_gaps_where_there_are_no_data(page):
    paths = page.script(
        "return [...document.querySelectorAll('#spectrum-1 .line')].map((p) => p.getAttribute('d'))"
    )

    pieces = [path.count("M") for path in paths if path != "M1 6H21"]
    assert pieces == [1, 2, 1]


def test_the_keyboard_alone_reaches_everything_and_leaves_it(page):
    page.script(
        "const nameOf = (e) => e.ariaLabel || e.textContent || e.labels?.[0]?.textContent;"
        "window.seen = [];"
        "document.addEventListener('focusin', (event) => window.seen.push(nameOf(event.target)))"
    )

    page.press(*["TAB"] * 140)

    seen = page.script("return window.seen")
    expected = ("Skip to the content", "Map of the scene", "Zoom in", "Opacity of Score")
    expected += (
        "Threshold of the flags",
        "Threshold",
        "Search ",
        "Mean score (nats)",
        "ROC",
        "Runs",
    )
    assert [name for name in expected if name not in seen] == []
    assert seen.index("Map of the scene") < seen.index("Zoom in") < seen.index("ROC")


def test_everything_that_works_has_a_name_for_screen_readers(page):
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "slider", "searchbox", "combobox", "checkbox", "link", "application"}
    roles |= {"region", "table", "figure"}

    met = [(n["role"]["value"], n.get("name", {}).get("value")) for n in nodes if "role" in n]
    used = [(role, name) for role, name in met if role in roles]

    assert {role for role, _ in used} >= {
        "button",
        "slider",
        "searchbox",
        "combobox",
        "application",
    }
    assert [pair for pair in used if not (pair[1] or "").strip()] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_narrow_screen_does_not_scroll_sideways(browser, demo, dark):
    page = browser.open(demo, width=380, height=800, dark=dark)

    assert not page.is_wider_than_window()
    assert page.one("#map .frame").size["width"] > 300
    page.keys("#map .frame", "+")
    assert page.errors() == []


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    hostile = demo_pages.HOSTILE

    page = browser.open(demo_pages.written(tmp_path, hostile), width=380, height=800)

    assert page.errors() == []
    assert page.all("img[src='x']") == []
    assert hostile[0] in cells(page, "#objects", 1)
    assert page.text("#map .layer:nth-child(4) span") == hostile[0]
    assert "\\u202egnp.exe\\u2069" in page.text("#map .layer:first-child .legend")
    assert page.text("#spectrum-1 .legend li:last-child span") == hostile[2]
    assert not page.is_wider_than_window()
    page.keys("#runs input[type=search]", *"onerror")
    assert cells(page, "#runs", 1) == [hostile[0]]
    assert page.all("#runs tbody a") == []  # javascript: is no address of a page


def test_the_policy_stops_a_script_that_the_page_does_not_have(browser, demo):
    page = browser.open(demo)

    run = page.script(
        "const s = document.createElement('script'); s.textContent = 'window.run = 1';"
        "document.body.append(s); return window.run || 0"
    )

    assert run == 0
    assert any("Content Security Policy" in error for error in page.errors())


def test_a_site_works_from_files_and_fetches_further_rows(browser, tmp_path):
    table = demo_pages.runs(demo_pages.NAMES)
    more = ("runs-2023.js", "runs-2022.js")
    columns = (*table.columns, pages.Column("look", "Look", "picture"))
    rows = [[*row, "look.png"] for row in table.rows]
    viewer = pages.Viewer(10, 10, (pages.ImageLayer("Look", "look.png"),))
    runs = pages.Table(table.name, columns, rows, more=more)
    site = demo_pages.page(widgets={"map": viewer, "runs": runs})
    assets = pages.write_assets(tmp_path / "assets").at("../assets/")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_bytes(pages.render(site, assets))
    for year in (2023, 2022):
        days = [f"{year}-05-{day:02}" for day in range(1, 31)]
        rows = [[day, ["run", "#run"], "normal", "look.png"] for day in days]
        path = tmp_path / "site" / f"runs-{year}.js"
        path.write_bytes(pages.rows_script("runs", rows))

    Image.fromarray(demo_pages.scene()).save(tmp_path / "site" / "look.png")

    page = browser.open(tmp_path / "site" / "index.html")
    assert page.text("#map .layer") == "Look100 %"
    page.keys("#runs input[type=search]", *"2022-05-30")

    page.wait(lambda: cells(page, "#runs", 0) == ["2022-05-30"], "further rows come")
    looks = "return document.querySelector('#runs td img').naturalWidth"
    page.wait(
        lambda: page.script(looks) == demo_pages.COLUMNS, "pictures beside the page are shown"
    )
    assert page.errors() == []


@pytest.mark.parametrize(("needed", "outcome"), [("", "skipped"), ("required", "failed")])
def test_tests_of_pages_are_skipped_without_chromium_unless_it_is_required(
    monkeypatch, tmp_path, needed, outcome
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANOMVAE_BROWSER", needed)
    expected = pytest.skip.Exception if outcome == "skipped" else AssertionError

    with pytest.raises(expected, match=r"Run \.ci/browser"), started(tmp_path):
        pass


def odd_widgets():
    """Widgets of little data, or of numbers at the edges of what charts can show."""
    nothing, one = pages.Axis("x"), np.array([1.0])
    line = pages.Line("a", one, one)
    holes = pages.Line("b", [1, None, 3], [np.nan, 2.0, None], low=[0, 1, 2], high=[1, 2, 3])
    return {
        "map": pages.Viewer(1, 100_000, (), objects=(pages.MapObject("1", ()),), threshold=1.0),
        "scores": pages.Histogram("Empty", [0.0, 1.0], [0], 3.0),
        "objects": pages.Table("Empty", (pages.Column("a", "A", choices=True),), [], []),
        "spectrum-1": pages.Spectra("Empty", (), nothing, nothing),
        "spectrum-2": pages.Spectra("Holes", (line, holes), nothing, nothing, [None]),
        "roc": pages.LineChart("One", (line,), pages.Axis("x", log=True), nothing),
        "timeline": pages.Timeline("Empty", (), nothing),
        "runs": pages.Table("One", (pages.Column("a", "A", "number"),), [[None], ["a"], [np.nan]]),
    }


@pytest.mark.parametrize("width", [380, 1200])
def test_little_data_and_odd_numbers_make_no_error(browser, tmp_path, width):
    page = browser.open(demo_pages.written(tmp_path, widgets=odd_widgets()), width=width)

    for chart in page.all("svg.plot"):
        page.script("arguments[0].dispatchEvent(new PointerEvent('pointermove'))", chart)
    page.keys("#map .frame", "n", "+", "ENTER", "0")
    page.keys("#runs th button", "ENTER")
    page.frame()
    assert page.text("#timeline .plot-holder") == "No data."
    assert cells(page, "#objects", 0) == ["No rows."]
    assert page.errors() == []
    assert not page.is_wider_than_window()


def test_scores_below_zero_and_a_threshold_beyond_all_are_shown(browser, tmp_path):
    of = pages.Histogram("Scores", [-2.0, -1.0, 0.0, 1.0], [3, 2, 1], 7.0, 0, "", "linear")

    opened = browser.open(demo_pages.written(tmp_path, widgets={"scores": of}))
    assert opened.text("#scores .share") == "Threshold 7: 0 of 6 pixels flagged (0 %)"
    opened.keys("#scores .handle", "HOME")

    assert opened.text("#scores .share") == "Threshold -2: 6 of 6 pixels flagged (100 %)"
    assert opened.errors() == []
