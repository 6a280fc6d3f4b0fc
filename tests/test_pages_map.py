"""The map of a page in Chromium: layers, zoom, read-out, objects, and the threshold to drag."""

import re

import numpy as np
import pytest
from support import demo_pages

from anomvae import pages

MAP = "anomvae.widget('map')"


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

    page = browser.open(demo_pages.written(tmp_path, widgets={"map": viewer}))
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

    page = browser.open(demo_pages.written(tmp_path, widgets={"map": viewer}))
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

    assert page.text("#objects a") == "To the map"
    page.click(row) if way == "click" else page.keys(row, "ENTER")

    place, scale = view(page)[:2], view(page)[2]
    assert place == pytest.approx([73, 102])
    assert scale > 10
    assert page.text("#objects a[href='#map']") == "Object 2 on the map"
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


def test_a_map_follows_the_width_of_the_window(page):
    before = page.script(f"return {MAP}.width")

    page.resize(700, 900)

    page.wait(lambda: page.script(f"return {MAP}.width") != before, "the map is laid out anew")
    frame = page.one("#map .frame").size["width"]
    assert page.script("return document.querySelector('#map canvas').width") == frame


def test_outlines_stay_on_the_map_when_the_window_becomes_lower(page):
    before = page.script(f"return {MAP}.height")

    page.resize(1200, 500)

    page.wait(lambda: page.script(f"return {MAP}.height") < before, "the map is laid out anew")
    page.frame()
    canvas, frame = (page.one(f"#map {name}").size for name in (".frame canvas", ".frame"))
    assert (
        page.script("return document.querySelector('#map .frame canvas').height") == frame["height"]
    )
    assert canvas == frame
    viewbox = page.script("return document.querySelector('.overlay').getAttribute('viewBox')")
    assert viewbox == f"0 0 {frame['width']} {frame['height']}"


def test_a_layer_whose_file_is_gone_says_so(browser, tmp_path):
    viewer = pages.Viewer(10, 10, (pages.ImageLayer("Scene", "gone.png"),), "Gone")

    page = browser.open(demo_pages.written(tmp_path, widgets={"map": viewer}))

    assert "Scene cannot be drawn: its file is missing." in page.text("#map .layers")
