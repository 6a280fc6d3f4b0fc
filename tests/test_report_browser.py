"""Reports in Chromium: the map, the threshold, objects, several scenes, narrow screens, keys."""

import numpy as np
import pytest
from support.rasters import land, plant, write
from support.reports import scored

import anomvae

HOSTILE = '<img src=x onerror="document.title=1">'
HOSTILE_FILE = "bay <b>&'"


@pytest.fixture(scope="session")
def single(tmp_path_factory):
    """The report of a scene, with labels and the model."""
    folder = tmp_path_factory.mktemp("single")
    results = scored(folder, "bay")
    more = {"labels": folder / "labels.tif", "model": folder / "model.safetensors"}
    return anomvae.report(results, folder / "report.html", baselines=("rx",), **more).path


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """The report of a folder of scenes with hostile names."""
    folder = tmp_path_factory.mktemp("several")
    names = (HOSTILE, "</script><script>document.title=2</script>", "a\u202eb", "=1", "e", "f")
    for seed, name in enumerate((HOSTILE_FILE, "delta", "estuary")):
        path = write(folder / f"{name}.tif", plant(land(seed=seed)), names=names)
        anomvae.map_baseline(path, folder / "out", "rx")
    return anomvae.report(folder / "out", folder / "report.html").path


@pytest.fixture
def page(browser, single):
    opened = browser.open(single)
    yield opened
    assert opened.errors() == []


@pytest.fixture
def folder(browser, several):
    opened = browser.open(several)
    yield opened
    assert opened.errors() == []


def flagged(page, prefix="s1"):
    """How many cells of the flags show as anomalous."""
    layer = f"anomvae.widget('{prefix}-map').layers.find((one) => one.data.follows).layer"
    return page.script(f"return {layer}.levels[0].cells.reduce((n, v) => n + (v === 1), 0)")


def test_the_first_screen_states_what_was_found(page):
    headline = page.one(".headline")

    assert "are unusual, in" in headline.text
    assert page.script("return arguments[0].getBoundingClientRect().bottom", headline) < 300
    assert (
        page.script("return document.querySelector('#s1-map .frame').getBoundingClientRect().top")
        < 600
    )


def test_the_map_is_painted_and_its_layers_switch(page):
    def painted():
        return page.script(
            "const c = document.querySelector('#s1-map canvas');"
            "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
            ".reduce((a, b) => (a * 31 + b) % 1000003, 7)"
        )

    before, seen = painted(), set()
    for box in page.all("#s1-map .layers input[type=checkbox]")[:2]:  # flags, then score
        page.script("arguments[0].click()", box)
        page.frame()
        seen.add(painted())

    assert len(seen - {before}) == 2


def test_dragging_the_threshold_moves_flags_and_share(page):
    before, text = flagged(page), page.text("#s1-scores .share")

    page.drag("#s1-scores .handle", 80, 0)

    assert flagged(page) < before
    assert page.text("#s1-scores .share") != text


def test_a_row_leads_to_its_object_on_the_map_and_to_its_spectra(page):
    panels = "[...document.querySelectorAll('article.object')].filter((one) => !one.hidden)"
    before = page.script("return anomvae.widget('s1-map').scale")

    page.keys('#s1-objects tr[data-id="2"]', "ENTER")

    assert page.script("return anomvae.widget('s1-map').selected.id") == "2"
    assert page.script("return anomvae.widget('s1-map').scale") > before
    assert page.script(f"return {panels}.map((one) => one.dataset.object)") == ["2"]
    assert page.script(f"return {panels}[0].querySelectorAll('svg').length") > 0


def test_every_chart_of_the_page_is_drawn(page):
    empty = page.script(
        "return [...document.querySelectorAll('figure.chart')].filter((one) => "
        "!one.closest('[hidden]') && !one.querySelector('svg')).map((one) => one.id)"
    )

    assert empty == []
    assert {"s1-roc", "s1-pr", "training-elbo"} <= {
        one.get_attribute("id") for one in page.all("figure.chart")
    }


def test_keys_alone_reach_map_threshold_and_objects(page):
    stops = page.script(
        "return [...document.querySelectorAll('[tabindex=\"0\"]')].map((one) => one.getAttribute("
        "'aria-label') || one.tagName)"
    )

    page.keys("#s1-map .frame", "n")

    assert page.script("return anomvae.widget('s1-map').selected.id") == "1"
    assert {"Map of bay", "Threshold", "TR"} <= set(stops)


@pytest.mark.parametrize("name", ["single", "several"])
def test_a_narrow_screen_is_not_scrolled_sideways(browser, request, name):
    page = browser.open(request.getfixturevalue(name), width=380, height=800)

    for part in page.all("details.scene"):
        page.script("arguments[0].open = true", part)
    page.frame()

    assert not page.is_wider_than_window()
    assert page.errors() == []


def test_a_scene_of_several_opens_from_the_overview(folder):
    assert page_open(folder) == [False, False, False]

    link = folder.script("return document.querySelector('#scenes a[href=\"#s2-top\"]')")
    folder.script("arguments[0].click()", link)
    folder.wait(lambda: page_open(folder)[1], "the scene opens")

    folder.wait(lambda: folder.script("return anomvae.widget('s2-map').width > 100"), "its map")
    assert page_open(folder) == [False, True, False]
    assert flagged(folder, "s2") > 0


def page_open(page):
    return [page.script("return arguments[0].open", one) for one in page.all("details.scene")]


def test_hostile_names_are_shown_as_they_are(folder):
    for part in folder.all("details.scene"):
        folder.script("arguments[0].open = true", part)
    folder.frame()

    body = folder.script("return document.body.textContent")
    assert HOSTILE_FILE in body
    assert folder.script("return document.title") == "3 scenes"
    assert folder.all("img[src=x]") == []
    assert "\u202e" not in body


def test_every_control_has_a_name(page):
    nameless = page.script(
        "return [...document.querySelectorAll('button, input, select, [role=slider]')].filter((one)"
        " => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length ||"
        " one.getAttribute('aria-labelledby'))).map((one) => one.outerHTML)"
    )

    assert nameless == []


def test_a_page_in_the_dark_has_no_white_ground(browser, single):
    page = browser.open(single, dark=True)

    ground = page.script("return getComputedStyle(document.body).backgroundColor")

    assert np.mean([int(part) for part in ground.strip("rgba()").split(",")[:3]]) < 80
