"""Pages in Chromium: every widget by mouse and by keys, on narrow screens, with hostile names."""

import re

import numpy as np
import pytest
from support import demo_pages

from anomvae import pages

MAP = "anomvae.widget('map')"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "demo.html"
    path.write_bytes(pages.render(demo_pages.page()))
    return path


@pytest.fixture
def page(browser, demo):
    """A page with every widget; in the end its console has no error."""
    opened = browser.open(demo)
    yield opened
    assert opened.errors() == []


def view(page):
    return page.script(f"const m = {MAP}; return [m.row, m.col, m.scale]")


def flagged(page):
    """How many cells the flags of the map show as anomalous."""
    layer = f"{MAP}.layers.find((one) => one.data.follows).layer"
    return page.script(f"return {layer}.levels[0].cells.reduce((n, v) => n + (v === 1), 0)")


def above(threshold):
    of = demo_pages.scores()
    return int(((of > threshold) & (demo_pages.flags(of) < 2)).sum())


def colour(page, x, y):
    """The colour of the map at a place of the frame, as red, green and blue."""
    return page.script(
        "const c = document.querySelector('#map canvas');"
        f"return [...c.getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)"
    )


def at(page, row, col):
    """Where a pixel is in the frame, in screen pixels."""
    return page.script(f"return {MAP}.screen({row} + 0.5, {col} + 0.5).map(Math.round)")


def cells(page, css, column):
    """The texts of a column of a table, as they are on its page."""
    rows = f"document.querySelectorAll('{css} tbody tr')"
    return page.script(f"return [...{rows}].map((row) => row.cells[{column}].textContent)")


def test_the_map_reads_out_what_is_under_the_mouse(page):
    page.hover("#map .frame", *at(page, 22, 32))

    text = page.text("#map .readout")
    assert "row 22, column 32" in text
    assert "x 500113.8, y 3599921.3 (EPSG:32611)" in text
    assert "Score 42 nats" in text
    assert "Flags anomalous" in text
    assert "Masks clear" in text
    assert "object 1" in text


def test_the_read_out_says_when_a_cell_covers_several_pixels(browser, tmp_path):
    of = demo_pages.scores()
    layer = pages.score_layer("Score", demo_pages.halved(np.nan_to_num(of)))
    viewer = pages.Viewer(demo_pages.ROWS, demo_pages.COLUMNS, (layer,))
    whole = demo_pages.page()
    widgets = {**whole.widgets, "map": viewer}
    path = tmp_path / "page.html"
    path.write_bytes(
        pages.render(pages.Page("a", whole.room, whole.template, whole.values, widgets))
    )

    page = browser.open(path)
    page.hover("#map .frame", *at(page, 22, 32))

    assert "Score 43 nats (of 2 \N{MULTIPLICATION SIGN} 2 pixels)" in page.text("#map .readout")
    assert page.errors() == []


def test_parts_of_a_layer_share_a_switch_and_the_finest_is_read(browser, tmp_path):
    of = np.nan_to_num(demo_pages.scores())
    box = (20, 30, 26, 37)
    crop = of[box[0] : box[2], box[1] : box[3]]
    classes = pages.flag_classes()
    coarse = demo_pages.halved(of)
    layers = (
        pages.score_layer("Score", coarse, limits=(0, 130)),
        pages.score_layer("Score", crop, box=box, limits=(0, 130)),
        pages.class_layer("Flags", (coarse > 10).astype("u1"), classes, follows="Score"),
        pages.class_layer("Flags", (crop > 10).astype("u1"), classes, follows="Score", box=box),
    )
    viewer = pages.Viewer(demo_pages.ROWS, demo_pages.COLUMNS, layers, threshold=10.0)
    whole = demo_pages.page()
    widgets = {**whole.widgets, "map": viewer}
    path = tmp_path / "page.html"
    path.write_bytes(
        pages.render(pages.Page("a", whole.room, whole.template, whole.values, widgets))
    )

    page = browser.open(path)
    page.hover("#map .frame", *at(page, 22, 32))

    assert len(page.all("#map .layer")) == 2
    assert re.search(r"Score 42(\.0\d)? nats · Flags anomalous$", page.text("#map .readout"))
    page.script("anomvae.widget('map').setThreshold(44)")
    crops = page.script(f"return {MAP}.layers[3].layer.levels[0].cells.reduce((n, v) => n + v)")
    assert crops == (crop > 44).sum()
    assert page.errors() == []


def test_a_scale_bar_has_a_round_length(page):
    metres = page.text("#map .scale-text")
    width = page.script("return document.querySelector('#map .scale-bar').getBBox().width")

    assert re.fullmatch(r"[125]0* m", metres)
    assert width == pytest.approx(float(metres[:-2]) / 3.5 * view(page)[2], abs=2)


def test_a_layer_is_switched_off_and_fades(page):
    x, y = at(page, 22, 32)
    strong = colour(page, x, y)

    page.script("document.querySelector('[aria-label=\"Opacity of Flags\"]').focus()")
    page.press(*["PAGE_DOWN"] * 5)
    weak = colour(page, x, y)
    page.keys("#map .layer:nth-child(2) input[type=checkbox]", "SPACE")
    without = colour(page, x, y)

    assert strong[0] > weak[0] > without[0]
    assert strong[2] < weak[2] < without[2]


def test_the_score_layer_is_coloured_by_its_scores(page):
    page.click("#map .layer:nth-child(3) input[type=checkbox]")
    page.click("#map .layer:nth-child(2) input[type=checkbox]")

    weak, strong = (colour(page, *at(page, *place)) for place in ((60, 10), (90, 20)))

    assert sum(strong) > 500 > sum(weak)


@pytest.mark.parametrize("way", ["wheel", "button", "key"])
def test_the_map_zooms(page, way):
    before = view(page)

    if way == "wheel":
        page.wheel("#map .frame", -300)
    elif way == "button":
        page.click("#map [aria-label='Zoom in']")
    else:
        page.keys("#map .frame", "+")
    after = view(page)
    page.keys("#map .frame", "0")

    assert after[2] > 1.2 * before[2]
    assert view(page) == pytest.approx(before)


def test_the_map_is_pinched(page):
    before = view(page)[2]
    finger = """
const frame = document.querySelector('#map .frame'), box = frame.getBoundingClientRect();
frame.setPointerCapture = () => {};
const touch = (name, id, x) => frame.dispatchEvent(new PointerEvent(name,
  {pointerId: id, clientX: box.left + x, clientY: box.top + 90, bubbles: true}));
touch('pointerdown', 7, 100); touch('pointerdown', 8, 200); touch('pointermove', 8, 300);
touch('pointerup', 7, 100); touch('pointerup', 8, 300);
"""

    page.script(finger)

    assert view(page)[2] == pytest.approx(2 * before)


def test_the_map_moves_by_drag_and_by_keys(page):
    page.click("#map [aria-label='Zoom in']")
    page.click("#map [aria-label='Zoom in']")
    start = view(page)

    page.drag("#map .frame", 80, 40)
    dragged = view(page)
    page.keys("#map .frame", "ARROW_RIGHT", "ARROW_DOWN")
    moved = view(page)

    assert dragged[0] < start[0]
    assert dragged[1] < start[1]
    assert moved[0] > dragged[0]
    assert moved[1] > dragged[1]
    assert moved[2] == start[2]


def test_outlines_follow_the_zoom_and_small_objects_are_rings(page):
    width = (
        "const drawn = [...document.querySelectorAll('#map .overlay path.object')];"
        "return drawn.pop().getBoundingClientRect().width"  # of object 2
    )
    before = page.script(width)
    assert len(page.all("#map .overlay circle.object")) == 2  # with its halo

    page.keys("#map .frame", "+", "+")

    assert page.script(width) == pytest.approx(before * 2.25, rel=0.1)


def test_a_click_on_an_object_selects_its_row_and_its_panel(page):
    page.click_at("#map .frame", *at(page, 72, 101))

    assert page.script("return document.querySelector('tr[aria-current]').dataset.id") == "2"
    assert page.all("article[data-object='2']")[0].is_displayed()
    assert not page.all("article[data-object='1']")[0].is_displayed()


def test_an_object_without_a_panel_shows_the_one_of_all_others(page):
    assert not page.one("p[data-object='']").is_displayed()

    page.click("#objects tr[data-id='3']")

    assert page.one("p[data-object='']").is_displayed()
    assert not page.one("article[data-object='1']").is_displayed()


@pytest.mark.parametrize("way", ["click", "enter"])
def test_a_row_zooms_to_its_object(page, way):
    row = "#objects tr[data-id='2']"

    page.click(row) if way == "click" else page.keys(row, "ENTER")

    place, scale = view(page)[:2], view(page)[2]
    assert place == pytest.approx([73, 102])
    assert scale > 10
    assert len(page.all("#map .overlay path.selected")) == 2
    assert "object 2" in page.text("#map .readout")


def test_keys_walk_through_the_objects(page):
    page.keys("#map .frame", "n", "n", "n", "p")

    assert page.script("return document.querySelector('tr[aria-current]').dataset.id") == "2"
    assert page.script("return document.querySelector('#map .readout').ariaLive") == "polite"


def test_the_threshold_is_dragged_and_the_flags_follow(page):
    assert page.text("#scores .share") == (
        f"Threshold 10 nats: {above(10)} of 18,750 pixels flagged (0.597 %)"
    )

    page.drag("#scores .grip", -120, 0)
    page.wait(lambda: flagged(page) > above(10), "the flags follow")

    threshold = float(page.one("#scores").get_attribute("data-threshold"))
    share = int(re.search(r": ([\d,]+) of", page.text("#scores .share"))[1].replace(",", ""))
    assert threshold < 8
    assert flagged(page) == pytest.approx(above(threshold), abs=3)
    assert share == pytest.approx((demo_pages.scores() > threshold).sum(), rel=0.02)


def test_the_threshold_is_moved_by_keys_and_brought_back(page):
    handle = page.one("#scores .handle")
    assert handle.get_attribute("role") == "slider"

    page.keys("#scores .handle", *["ARROW_RIGHT"] * 4)
    page.wait(lambda: flagged(page) < above(10), "the flags follow")

    assert float(handle.get_attribute("aria-valuenow")) > 10
    assert handle.get_attribute("aria-valuetext").startswith(
        page.text("#scores .share").removeprefix("Threshold ").partition(":")[0]
    )
    page.click("#scores .share-row button")
    page.wait(lambda: flagged(page) == above(10), "the given flags come back")
    assert float(handle.get_attribute("aria-valuenow")) == 10


def test_the_slider_of_the_map_moves_the_histogram(page):
    page.keys("#map .threshold input", *["PAGE_DOWN"] * 2)

    page.wait(lambda: flagged(page) > above(10), "the flags follow")
    assert float(page.one("#scores").get_attribute("data-threshold")) < 10


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


def test_a_map_follows_the_width_of_the_window(page):
    before = page.script(f"return {MAP}.width")

    page.resize(700, 900)

    page.wait(lambda: page.script(f"return {MAP}.width") != before, "the map is laid out anew")
    frame = page.one("#map .frame").size["width"]
    assert page.script("return document.querySelector('#map canvas').width") == frame


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(pages.render(demo_pages.page(demo_pages.HOSTILE)))

    page = browser.open(path, width=380, height=800)

    hostile = demo_pages.HOSTILE
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
    whole = demo_pages.page()
    table = whole.widgets["runs"]
    more = ("runs-2023.js", "runs-2022.js")
    widgets = {
        **whole.widgets,
        "runs": pages.Table(table.name, table.columns, table.rows, more=more),
    }
    site = pages.Page("Site", whole.room, whole.template, whole.values, widgets)
    assets = pages.write_assets(tmp_path / "assets").at("../assets/")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_bytes(pages.render(site, assets))
    for year in (2023, 2022):
        rows = [[f"{year}-05-{day:02}", ["run", "#run"], "normal"] for day in range(1, 31)]
        path = tmp_path / "site" / f"runs-{year}.js"
        path.write_bytes(pages.rows_script("runs", rows))

    page = browser.open(tmp_path / "site" / "index.html")
    page.keys("#runs input[type=search]", *"2022-05-30")

    page.wait(lambda: cells(page, "#runs", 0) == ["2022-05-30"], "further rows come")
    assert page.errors() == []


def test_a_layer_whose_file_is_gone_says_so(browser, tmp_path):
    viewer = pages.Viewer(10, 10, (pages.ImageLayer("Scene", "gone.png"),), "Gone")
    whole = demo_pages.page()
    page = pages.Page(
        "Gone", whole.room, whole.template, whole.values, {**whole.widgets, "map": viewer}
    )
    (tmp_path / "page.html").write_bytes(pages.render(page))

    opened = browser.open(tmp_path / "page.html")

    assert "Scene cannot be drawn: its file is missing." in opened.text("#map .layers")
