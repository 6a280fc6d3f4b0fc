"""Pages as text: escaped, self-contained or beside their assets, with data that no name can end."""

import json
import re
from dataclasses import dataclass, replace
from html import unescape
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from PIL import Image
from support import demo_pages

from anomvae import pages
from anomvae.pages import assets
from anomvae.pages.rendering import count, percent

TEXTS = st.text(st.characters() | st.sampled_from("<>&\"'/\u2028\u202e\udce9"), max_size=40)


def data_of(html, name):
    """The data of a widget, as a browser reads them."""
    found = re.search(rf'<script type="application/json" id="{name}-data">(.*?)</script>', html)
    return json.loads(found[1])


def pixels(source):
    """The pixels of a picture in a data URI."""
    import base64
    import io

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


@given(TEXTS)
def test_no_text_ends_a_script_and_every_printable_text_comes_back(text):
    written = pages.script_json({"name": text})

    assert not set("<>&\u2028\u2029") & set(written)
    assert written.isascii()
    if text.isprintable():
        assert json.loads(written) == {"name": text}


def test_what_is_not_finite_is_null_and_arrays_are_lists():
    value = {
        "array": np.array([1, np.nan], np.float32),
        "whole": np.int64(3),
        "deep": [(np.inf, 0.1), np.float32(0.1), np.nan],
        "none": None,
    }

    assert json.loads(pages.script_json(value)) == {
        "array": [1.0, None],
        "whole": 3,
        "deep": [[None, 0.1], 0.1, None],
        "none": None,
    }


def test_dataclasses_are_objects_with_the_names_of_their_fields():
    axis = json.loads(pages.script_json(pages.Axis("rate", log=True)))

    assert axis == {"label": "rate", "unit": "", "log": True, "low": None, "high": None}


def test_what_a_page_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="A page holds no complex"):
        pages.script_json([1j])


def test_a_page_stands_alone():
    html = pages.render(demo_pages.page()).decode()

    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg|\^https", "", html)
    assert "style=" not in html
    assert " onclick=" not in html


def test_hostile_names_are_text():
    html = pages.render(demo_pages.page(demo_pages.HOSTILE)).decode()
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)

    assert "<img" not in html
    assert html.count("</script>") == html.count("<script")
    assert demo_pages.HOSTILE[0] in unescape(markup)
    assert "\\u202egnp.exe" in markup
    assert "\u202e" not in html


def test_a_policy_allows_the_scripts_of_the_page_and_no_other():
    html = pages.render(demo_pages.page()).decode()
    policy = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', html)[1])
    texts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)

    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert [assets.digest(text) in policy for text in texts] == [True] * len(texts)


def test_a_page_has_only_the_scripts_that_it_uses():
    whole = demo_pages.page()
    table = replace(whole, widgets={"runs": whole.widgets["runs"]})
    none = replace(whole, widgets={})

    assert "MapView" not in pages.render(table).decode()
    assert "anomvae.start()" in pages.render(table).decode()
    assert "<script" not in pages.render(none).decode()
    assert "script-src &#39;none&#39;" in pages.render(none).decode()


def test_a_name_without_a_value_is_an_error():
    page = demo_pages.page()

    with pytest.raises(UndefinedError):
        pages.render(replace(page, values={}))


@pytest.mark.parametrize("name", ["", "Map", "a b", '"><script>', "1"])
def test_an_id_that_could_be_data_is_refused(name):
    page = demo_pages.page()

    with pytest.raises(ValueError, match="is no id of a widget"):
        pages.render(replace(page, widgets={name: page.widgets["runs"]}))


def test_a_page_of_a_site_links_to_files_beside_it(tmp_path):
    written = pages.write_assets(tmp_path / "assets").at("../assets/")

    html = pages.render(demo_pages.page(), written).decode()

    links = re.findall(r'(?:src|href)="\.\./assets/(.*?)"', html)
    assert len(links) > 5
    assert all((tmp_path / "assets" / link).is_file() for link in links)
    assert "<style" not in html
    assert "script-src &#39;self&#39;" in html


def test_assets_are_written_once_and_named_by_their_content(tmp_path):
    first = pages.write_assets(tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    again = pages.write_assets(tmp_path)

    assert again == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert all(re.fullmatch(r"\w+-[0-9a-f]{12}\.(js|css)", name) for name in times)


def test_every_script_is_short_and_none_can_end_itself():
    folder = files("anomvae.pages") / "assets"
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    assert {*assets.ORDER, assets.START, assets.STYLE} == texts.keys()
    assert all(len(text.splitlines()) < 300 for text in texts.values())
    assert not any(
        "</" in text or "innerHTML" in text or "eval(" in text for text in texts.values()
    )


def test_values_of_dataclasses_and_numbers_are_shown():
    @dataclass(frozen=True)
    class Run:
        scene: str

    text = pages.rendering.environment(demo_pages.__name__).from_string(
        "{{ run.scene }}|{{ absent }}|{{ 1234567|count }}|{{ 0.0012|percent }}"
    )

    assert text.render(run=Run("a<b\u202e"), absent=None) == (
        "a&lt;b\\u202e|\N{EN DASH}|1,234,567|0.12 %"
    )


def test_numbers_that_are_missing_are_a_dash():
    assert [show(value) for show in (count, percent) for value in (None, np.nan)] == [
        "\N{EN DASH}"
    ] * 4


@given(
    st.lists(
        st.floats(0, 1e6, allow_subnormal=False) | st.just(float("nan")), min_size=1, max_size=30
    ),
    st.sampled_from(["log1p", "linear"]),
    st.sampled_from([254, 1022, 65_534]),
)
def test_scores_come_back_from_a_layer_within_half_a_step(values, scale, levels):
    layer = pages.score_layer("Score", np.array([values]), scale=scale, levels=levels)

    stored = pixels(layer.source).astype(int)
    steps = stored[0, :, 0] * 256 + stored[0, :, 1]
    t, back = (np.log1p, np.expm1) if scale == "log1p" else (np.float64, np.float64)
    step = (t(layer.high) - t(layer.low)) / levels
    known = np.isfinite(values)
    assert (steps > 0).tolist() == known.tolist()
    read = t(layer.low) + (steps - 1) * step
    expected = t(np.array(values))
    assert np.allclose(read[known], expected[known], rtol=0, atol=0.51 * step + 1e-9)
    assert np.isfinite(back(read)).all()


def test_a_layer_without_data_is_a_layer():
    layer = pages.score_layer("Score", np.full((2, 3), np.nan))

    assert (layer.low, layer.high) == (0, pytest.approx(np.expm1(1)))
    assert not pixels(layer.source).any()


def test_classes_come_back_from_a_layer():
    values = np.array([[0, 1], [254, 255]], np.uint8)

    layer = pages.class_layer("Flags", values, pages.flag_classes())

    assert pixels(layer.source).tolist() == values.tolist()
    assert {one.value for one in layer.classes} == {0, 1, 254, 255}


def test_the_data_of_every_widget_are_in_the_page():
    page = demo_pages.page()

    html = pages.render(page).decode()

    assert {name: data_of(html, name)["widget"] for name in page.widgets} == {
        "map": "viewer",
        "scores": "histogram",
        "objects": "table",
        "spectrum-1": "spectra",
        "spectrum-2": "spectra",
        "roc": "lines",
        "timeline": "timeline",
        "runs": "table",
    }
    assert data_of(html, "map")["of"]["layers"][2]["follows"] == "Score"


def test_a_picture_may_be_a_jpeg():
    image = np.zeros((4, 5, 3), np.uint8)

    assert pages.picture(image).startswith("data:image/png;base64,")
    assert pages.picture(image, quality=80).startswith("data:image/jpeg;base64,")
    assert pixels(pages.picture(image, quality=80)).shape == (4, 5, 3)


def test_without_javascript_a_page_says_what_is_missing():
    html = pages.render(demo_pages.page()).decode()

    assert "need JavaScript" in re.search(r"<noscript>(.*?)</noscript>", html)[1]


def test_pages_repeat_to_the_byte():
    assert pages.render(demo_pages.page()) == pages.render(demo_pages.page())
