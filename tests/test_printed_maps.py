"""Figures of results for print: lengths and north are right, nothing overlaps, bytes repeat."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from affine import Affine
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from rasterio.crs import CRS
from support.rasters import BANDS, NODATA, land, run, write
from support.refusals import refused
from support.scorers import Neighbours

import anomvae
from anomvae.config import resolve_config, shipped
from anomvae.errors import AnomvaeError, ConfigError, FileError, GridMismatch
from anomvae.figures import Print
from anomvae.figures.axes import to_bytes
from anomvae.mapping import detect_scene, rethreshold, score_scene
from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference, Layout, MapWriter, Scene
from anomvae.raster.crs import text_of

NAMES = ["B1", "B2", "B3", "B4", "B5", "B6"]


def turned(degrees, pixel=10.0):
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine(pixel * cosine, pixel * sine, 5e5, pixel * sine, -pixel * cosine, 4.5e6)


PLACES = {
    "metres": ({"transform": turned(0)}, 10.0, 0.0),
    "rotated": ({"transform": turned(25)}, 10.0, 25.0),
    "upside down": ({"transform": turned(180)}, 10.0, 180.0),
    "feet": (
        {"crs": "EPSG:2230", "transform": Affine(10, 0, 6.2e6, 0, -10, 1.8e6)},
        10 * 1200 / 3937,
        None,
    ),
    "degrees": (
        {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 10, 0, -1e-4, 60)},
        5.58,
        0.0,
    ),
}
SHAPES = {"tiny": (20, 20), "square": (120, 100), "wide": (30, 800), "tall": (800, 30)}


def scene_at(path, shape=(60, 80), **where):
    """Write a scene with 12 objects and a row without data."""
    values, rng = land(shape, seed=3), np.random.default_rng(1)
    for row, col in zip(*(rng.integers(side - 2, size=12) for side in shape), strict=True):
        spectrum = np.linspace(0.9, 0.1, BANDS) * rng.uniform(0.6, 1)
        values[:, row : row + 2, col : col + 2] = spectrum[:, None, None]
    values[:, 0] = NODATA
    return write(path, values, names=NAMES, **where)


def result_at(folder, shape=(60, 80), **where):
    return score_scene(Neighbours(), scene_at(folder / "scene.tif", shape, **where), folder / "out")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return result_at(tmp_path_factory.mktemp("printed"))


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    config = resolve_config("default", ["training.max_steps=20"]).config
    path = shipped("data_samples") / "scene_a.tif"
    return detect_scene(path, tmp_path_factory.mktemp("explained"), config)


def texts_of(figure):
    return [text.get_text() for text in every_text(figure) if text.get_text()]


def every_text(figure):
    found = list(figure.texts)
    for axes in figure.axes:
        found += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        legend = axes.get_legend()
        found += [] if legend is None else legend.get_texts()
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            shown = axis.get_majorticklocs() if axes.axison else []
            pairs = zip(shown, axis.get_ticklabels(), strict=False)
            found += [text for at, text in pairs if min(limits) <= at <= max(limits)]
    return found


def by_gid(figure, gid):
    return [
        (axes, each)
        for axes in figure.axes
        for each in axes.get_children()
        if each.get_gid() == gid
    ]


def bar_of(figure):
    """Return the length of the scale bar, mm, and what it stands for, m."""
    ((key, line),) = by_gid(figure, "scale-bar")
    size, unit = next(
        text.get_text().split() for text in key.texts if re.match(r"\d+ \w+$", text.get_text())
    )
    return np.ptp(line.get_xdata()), float(size) * {"km": 1000, "m": 1, "cm": 0.01}[unit]


def width_of_map(figure):
    """Return the width of the first map, mm, and its columns."""
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    return axes.get_position().width * figure.get_figwidth() * 25.4, high - low


@pytest.mark.parametrize(("where", "column", "north"), PLACES.values(), ids=PLACES)
def test_the_scale_bar_and_the_arrow_are_right_wherever_the_map_lies(
    tmp_path, where, column, north
):
    figure = anomvae.map_figure(result_at(tmp_path, **where))

    bar, metres = bar_of(figure)
    width, columns = width_of_map(figure)
    (_, arrow), _ = by_gid(figure, "north")
    tip, _, notch = arrow.get_xy()[:3]
    pointing = math.degrees(math.atan2(tip[0] - notch[0], notch[1] - tip[1]))
    assert bar * columns * column / width == pytest.approx(metres, rel=0.01)
    if north is not None:
        assert abs((pointing - north + 180) % 360 - 180) < 1


def test_pixels_are_drawn_as_high_as_they_are_on_the_ground(tmp_path):
    where, _, _ = PLACES["degrees"]

    axes = anomvae.map_figure(result_at(tmp_path, **where)).axes[0]

    place, figure = axes.get_position(), axes.figure
    height, width = place.height * figure.get_figheight(), place.width * figure.get_figwidth()
    assert (height / 60) / (width / 80) == pytest.approx(111.4 / 55.8, rel=0.01)


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        (Affine(10, 0, 5e5, 0, -10, 4.5e6), False),
        (Affine(10, 0, 5e5, 0, -40, 4.5e6), False),
        (Affine(10, 0, 5e5, 0, -100, 4.5e6), True),
        (Affine(100, 0, 5e5, 0, -10, 4.5e6), True),
    ],
)
def test_a_scale_bar_that_holds_along_rows_alone_says_so(tmp_path, transform, said):
    notes = notes_of(anomvae.map_figure(result_at(tmp_path, (40, 50), transform=transform)))

    assert ("the bar holds along rows alone" in notes) == said


def test_a_map_too_far_away_for_its_system_has_its_coordinates_and_no_scale(tmp_path):
    where = {"transform": Affine(10, 0, 9e8, 0, -10, 9e9)}

    figure = anomvae.map_figure(result_at(tmp_path, **where))

    assert "The middle of the map has no place on Earth" in notes_of(figure)
    assert "those of pixels" not in notes_of(figure)
    assert "Easting (m)" in texts_of(figure)
    assert not by_gid(figure, "scale-bar")


def notes_of(figure):
    return " ".join(texts_of(figure))


def test_a_map_of_flags_alone_is_100_percent_anomalous(result, tmp_path):
    shutil.copytree(result.files.folder, tmp_path / "all")
    map_ = tmp_path / "all" / result.files.scores.name
    rethreshold(map_, "fixed:0")

    figure = anomvae.map_figure(map_)

    assert any(text.endswith("pixels (100 %)") for text in texts_of(figure))


def test_coordinates_are_those_of_the_system_of_the_map(tmp_path, result):
    where, _, _ = PLACES["degrees"]

    metres = anomvae.map_figure(result).axes[0]
    degrees = anomvae.map_figure(result_at(tmp_path, **where)).axes[0]

    assert (metres.get_xlabel(), metres.get_ylabel()) == ("Easting (m)", "Northing (m)")
    for place, label in zip(metres.get_xticks(), metres.get_xticklabels(), strict=True):
        text = label.get_text().replace("\N{THIN SPACE}", "")
        assert not text or float(text) == pytest.approx(5e5 + 10 * place)
    for place, label in zip(degrees.get_xticks(), degrees.get_xticklabels(), strict=True):
        text = label.get_text()
        assert not text or float(text.removesuffix("° E")) == pytest.approx(10 + 1e-4 * place)


def test_a_map_without_a_place_has_columns_and_rows_and_neither_scale_nor_north(tmp_path):
    figure = anomvae.map_figure(result_at(tmp_path, crs=None, transform=None))

    assert figure.axes[0].get_xlabel() == "Column (pixels)"
    assert not by_gid(figure, "scale-bar")
    assert not by_gid(figure, "north")
    assert "The map is not located on Earth" in " ".join(texts_of(figure))


@pytest.mark.parametrize("width", [85, 180])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_texts_overlap_or_leave_the_page(tmp_path, shape, width):
    result = result_at(tmp_path, shape)

    for figure in (
        anomvae.map_figure(result, size=Print(width)),
        anomvae.object_figure(result, 1, size=Print(width)),
    ):
        require_apart(figure)


@pytest.mark.parametrize("name", ["W" * 120, "a$\\frac$c_{x} <b> & Bærum"])
def test_names_of_any_kind_fit_the_page(result, tmp_path, name):
    for file in result.files.folder.iterdir():
        shutil.copy(file, tmp_path / file.name.replace("scene", name, 1))

    for figure in (anomvae.map_figure(tmp_path), anomvae.object_figure(tmp_path, 1)):
        require_apart(figure)
        assert ET.fromstring(to_bytes(figure, "svg")) is not None


@pytest.mark.parametrize("width", [80, 180])
def test_no_texts_of_an_explained_object_overlap(explained, width):
    require_apart(anomvae.object_figure(explained, 1, size=Print(width)))


def require_apart(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).padded(-1))
        for text in every_text(figure)
        if text.get_text().strip() and text.get_visible()
    ]
    for number, (text, box) in enumerate(boxes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
        for other, its in boxes[number + 1 :]:
            assert not box.overlaps(its), (text, other)


def test_the_strongest_objects_are_numbered_and_their_number_is_said(result):
    figure = anomvae.map_figure(result, top=3)

    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers == ["1", "2", "3"]
    assert f"the 3 strongest of {result.objects} objects" in " ".join(texts_of(figure))
    assert not anomvae.map_figure(result, top=0).axes[0].texts


def test_the_bands_of_the_scene_are_named_with_their_wavelengths(explained):
    text = " ".join(texts_of(anomvae.map_figure(explained)))

    assert re.search(r"Scene: natural colour: .*\d+ nm", text)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_results_give_the_same_bytes(result, kind):
    one, other = (to_bytes(anomvae.map_figure(result), kind) for _ in range(2))

    assert one == other


def test_text_of_an_svg_is_text_and_a_pdf_has_one_page_with_its_fonts(result):
    figure = anomvae.map_figure(result)

    svg, pdf = (to_bytes(figure, kind) for kind in ("svg", "pdf"))

    written = [
        "".join(each.itertext()).strip() for each in ET.fromstring(svg).iter() if "text" in each.tag
    ]
    assert {"scene", "Scene", "Score (log scale)", "Flags", "N"} <= set(written)
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    assert b"/FontFile2" in pdf


def test_width_and_dots_are_those_that_are_given(result, tmp_path):
    out = tmp_path / "column.png"

    done = run("figure", result.path, "-o", out, "--width", 85, "--dpi", 200)

    assert (done.code, done.out) == (0, f"{out}\n"), done.err
    with Image.open(out) as picture:
        assert picture.width == pytest.approx(85 / 25.4 * 200, abs=1)
        assert picture.info["dpi"][0] == pytest.approx(200, rel=0.01)


def test_one_anomalous_pixel_of_a_large_map_is_red(tmp_path):
    values = np.full((1, 900, 900), 0.5, np.float32)
    values[0, 411, 577] = 100
    tags = {"ANOMVAE_DIGEST": "d", "ANOMVAE_DETECTOR": "x"}
    path = write(tmp_path / "big.anomaly.tif", values, names=["score"], nodata=np.nan)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**tags)
    result = rethreshold(path, "fixed:1")

    figure = anomvae.map_figure(result, size=Print(dpi=72))

    image = figure.axes[1].images[0].get_array()
    red = (np.asarray(image)[..., :3] == (214, 26, 28)).all(axis=-1)
    assert red.any()


def test_an_object_has_its_spectrum_with_the_bands_that_lead(explained):
    item = anomvae.read_objects(explained.files.objects).items[0]

    figure = anomvae.object_figure(explained, 1)

    (axes,) = [axes for axes in figure.axes if axes.get_ylabel() == "Value (data units)"]
    spectrum = axes.get_lines()[0].get_ydata()
    np.testing.assert_allclose(spectrum[np.isfinite(spectrum)], item.explanation.spectrum)
    assert [text.get_text() for text in axes.get_legend().get_texts()][:2] == [
        "object",
        "reconstruction",
    ]
    written = texts_of(figure)
    assert f"Rank 1 of {explained.objects}" in written
    assert sum(bool(re.match(r"[123]  .* of the score", text)) for text in written) == 3


def test_an_object_that_is_not_explained_has_no_spectrum(result):
    figure = anomvae.object_figure(result, 2)

    assert "Its spectrum is not in the objects file." in texts_of(figure)
    assert "Value (data units)" not in texts_of(figure)


def moved(result, folder):
    """Copy results, whose scene is no longer there."""
    shutil.copytree(result.files.folder, folder)
    summary = folder / result.files.summary.name
    data = json.loads(summary.read_text())
    summary.write_text(json.dumps(data | {"scene": "gone/scene.tif"}))
    return folder


def test_a_scene_that_has_gone_is_shown_as_in_the_quick_look(result, tmp_path):
    folder = moved(result, tmp_path / "moved")

    whole = anomvae.map_figure(folder)
    crop = anomvae.object_figure(folder, 1)
    given = anomvae.map_figure(folder, scene=Scene.of(result.scene))
    (folder / "scene.png").unlink()
    bare = anomvae.map_figure(folder)

    assert "(from the quick look: gone/scene.tif is not there)" in " ".join(texts_of(whole))
    assert "The scene is not shown: gone/scene.tif is not there." in " ".join(texts_of(crop))
    assert "quick look" not in " ".join(texts_of(given))
    titles = [{"Scene", "Flags"} & set(texts_of(figure)) for figure in (whole, crop, given, bare)]
    assert titles == [{"Scene", "Flags"}, {"Flags"}, {"Scene", "Flags"}, {"Flags"}]
    for figure in (whole, crop, bare, anomvae.map_figure(folder, size=Print(85))):
        require_apart(figure)
    bar, metres = bar_of(bare)
    width, columns = width_of_map(bare)
    assert bar * columns * 10 / width == pytest.approx(metres, rel=0.01)


def test_a_scene_that_has_changed_is_shown_as_in_the_quick_look(tmp_path):
    folder = result_at(tmp_path).files.folder
    later = (folder / "scene.json").stat().st_mtime_ns + 10**9

    scene_at(tmp_path / "scene.tif", (60, 80))
    os.utime(tmp_path / "scene.tif", ns=(later, later))
    whole, crop = anomvae.map_figure(folder), anomvae.object_figure(folder, 1)

    why = "is another one than that which was scored"
    assert f"scene.tif {why})" in " ".join(texts_of(whole))
    assert f"scene.tif {why}." in " ".join(texts_of(crop))


def test_a_scene_on_another_grid_is_refused(result, tmp_path):
    other = scene_at(tmp_path / "other.tif", (20, 30))

    with pytest.raises(GridMismatch, match=r"the map has 60 x 80 pixels"):
        anomvae.map_figure(result, scene=Scene.of(other))


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (["{out}", "--object", "999", "-o", "a.png"], 2, ["objects, none with the id 999"]),
        (["{out}", "-o", "a.jpg"], 2, ["does not end in .png, .svg or .pdf"]),
        (["{out}", "--width", "2", "-o", "a.png"], 2, ["width = 2", "Give 80 to 1000 mm"]),
        (["{empty}", "-o", "a.png"], 3, ["holds no <scene>.anomaly.tif"]),
        (["{empty}/none", "-o", "a.png"], 3, ["does not exist"]),
        (["{scene}", "-o", "a.png"], 3, ["is not called <scene>.anomaly.tif"]),
        (["{foreign}", "-o", "a.png"], 3, ["an anomaly map has score"]),
        (["{two}", "-o", "a.png"], 2, ["holds 2 maps", "Give one of them"]),
        (["{no_flags}", "-o", "a.png"], 3, ["holds no scene.flags.tif"]),
        (["{no_objects}", "--object", "1", "-o", "a.png"], 3, ["holds no scene.objects.geojson"]),
        (["{no_summary}", "-o", "a.png"], 3, ["holds no scene.json", "anomvae rethreshold"]),
        (["{out}", "--input", "none.tif", "-o", "a.png"], 3, ["none.tif"]),
    ],
)
def test_bad_input_is_refused_in_one_line(result, tmp_path, monkeypatch, words, code, parts):
    monkeypatch.chdir(tmp_path)
    places = {name: tmp_path / name for name in ("empty", "foreign.anomaly.tif", "two")}
    places["empty"].mkdir()
    shutil.copy(result.scene, places["foreign.anomaly.tif"])
    for gone in ("flags.tif", "objects.geojson", "json"):
        name = f"no_{ {'flags.tif': 'flags', 'json': 'summary'}.get(gone, 'objects') }"
        places[name] = tmp_path / name
        shutil.copytree(result.files.folder, places[name])
        (places[name] / f"scene.{gone}").unlink()
    shutil.copytree(result.files.folder, places["two"])
    shutil.copy(result.files.scores, places["two"] / "other.anomaly.tif")
    places |= {"out": result.files.folder, "scene": result.scene}
    places["foreign"] = places.pop("foreign.anomaly.tif")

    refused(run("figure", *(word.format(**places) for word in words)), code, *parts)

    assert not (tmp_path / "a.png").exists()


def test_a_figure_replaces_neither_a_result_nor_another_file_unasked(result, tmp_path):
    out = tmp_path / "figure.png"
    out.write_bytes(b"kept")

    refused(run("figure", result.path, "-o", out), 3, "Give --overwrite")
    refused(
        run("figure", result.path, "-o", result.files.quicklook, "--overwrite"),
        2,
        "is the name of a result",
    )

    assert out.read_bytes() == b"kept"
    assert run("figure", result.path, "-o", out, "--overwrite").code == 0


def test_a_whole_map_and_an_object_exclude_each_other(result):
    done = run("figure", result.path, "--scene", "--object", 1, "-o", "a.png")

    assert done.code == 2
    assert "Give either --scene or --object ID." in done.err


def test_errors_of_python_are_those_of_the_command(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        anomvae.map_figure(tmp_path / "none")
    with pytest.raises(ConfigError, match="dpi = 1 is no size"):
        Print(dpi=1)
    with pytest.raises(AnomvaeError, match=r"has \S+ dots"):
        Print(width=1000, dpi=2400)


@pytest.mark.slow
def test_a_map_of_100_megapixels_is_drawn_in_constant_memory(tmp_path):
    side, tags = 10_000, {"ANOMVAE_DIGEST": "d", "ANOMVAE_DETECTOR": "x"}
    where = Georeference(
        Grid((side, side), (10, 0, 5e5, 0, -10, 4e6), text_of(CRS.from_epsg(32633)))
    )
    path = tmp_path / "big.anomaly.tif"
    with MapWriter(path, where, Layout("float32", math.nan, ("score",), tags)) as writer:
        for row in range(0, side, 2048):  # the rest is never written
            strip = np.full((1, 64, side), 0.5, np.float32)
            strip[0, 10, 1234] = 100
            writer.write((slice(row, row + 64), slice(0, side)), strip)
    rethreshold(path, "fixed:1")
    script = (  # ru_maxrss of a child starts at that of its parent
        "import anomvae; from anomvae.figures import save; from benchmarks.faults import memory;"
        f"save(anomvae.map_figure({str(path)!r}), {str(tmp_path / 'big.png')!r});"
        "print(memory.peak())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) < 2**30
    with Image.open(tmp_path / "big.png") as picture:
        assert picture.width == pytest.approx(180 / 25.4 * 300, abs=1)
