"""``anomvae plot``: pictures of a model from the shell, and the pixels that they sample."""

import json

import numpy as np
import pytest
from support.rasters import bands_of, land, plant, run, trained, write, write_labels
from support.refusals import refused

from anomvae.explaining import labelled, objects_of, open_for, sample_latent, sample_spectra
from anomvae.mapping import score_scene
from anomvae.raster import Scene

PNG = b"\x89PNG"


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    trained().save(path)
    return path


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


@pytest.mark.parametrize(
    ("command", "end"),
    [
        (("latent", "scene.tif", "--pixels", "60", "--method", "tsne"), "png"),
        (("latent", "scene.tif", "--colour", "labels", "--labels", "labels.tif"), "svg"),
        (("latent", "scene.tif", "--colour", "scene", "--pixels", "99"), "pdf"),
        (("spectra", "scene.tif", "--at", "10,12", "--at", "20,20"), "png"),
        (("spectra", "scene.tif", "--generated", "50", "--seed", "3"), "png"),
        (("history",), "png"),
        (("traversal", "--unit", "2"), "png"),
    ],
)
def test_each_picture_is_drawn_the_same_twice(
    tmp_path, monkeypatch, scene, model, labels, command, end
):
    monkeypatch.chdir(tmp_path)
    contents = []
    for name in (f"a.{end}", f"b.{end}"):
        ran = run("plot", *command, "-m", model, "-o", name)
        assert (ran.code, ran.out, ran.err) == (0, f"{name}\n", "")
        contents.append((tmp_path / name).read_bytes())

    assert contents[0] == contents[1]
    assert contents[0].startswith({"png": PNG, "svg": b"<?xml", "pdf": b"%PDF"}[end])


def test_the_sample_has_the_scores_of_the_map_and_the_codes_of_the_detector(tmp_path, scene):
    detector = trained()
    result = score_scene(detector, scene, tmp_path / "out")

    sample = sample_latent(detector, [scene], count=100_000)

    scores, (rows, cols) = bands_of(result.path)[0], sample.pixels.T
    assert len(rows) == result.valid == sum(sample.totals)
    assert sample.totals[1] == result.flagged == (sample.marks > 0).sum()
    np.testing.assert_array_equal(sample.scores, scores[rows, cols])
    spectra = bands_of(scene)[:, rows, cols].T
    np.testing.assert_allclose(sample.codes, detector.encode(spectra), atol=1e-6)


def test_a_larger_sample_holds_a_smaller_one_and_a_quarter_at_most_is_marked(scene, labels):
    detector, closed = trained(), Scene.of(scene)
    with labelled(labels, closed) as marking:
        few, many = (sample_latent(detector, [scene], marking=marking, count=n) for n in (8, 40))
        other = sample_latent(detector, [scene], marking=marking, count=8, seed=1)

    assert few.names == ("labelled normal", "labelled anomalous")
    assert ((few.marks > 0).sum(), (many.marks > 0).sum()) == (2, 4)
    assert set(map(tuple, few.pixels)) <= set(map(tuple, many.pixels))
    assert set(map(tuple, few.pixels)) != set(map(tuple, other.pixels))


def test_objects_are_marked_as_the_results_list_them(tmp_path, scene):
    detector = trained()
    result = score_scene(detector, scene, tmp_path / "out")
    features = json.loads(result.files.objects.read_text())["features"]

    with objects_of(tmp_path / "out", Scene.of(scene)) as marking:
        sample = sample_latent(detector, [scene], marking=marking, count=100_000)

    areas = {f"object {each['id']}": each["properties"]["area_px"] for each in features}
    counted = dict(zip(sample.names, np.bincount(sample.marks, minlength=7), strict=False))
    shown = [name for name in sample.names if name in areas]
    assert shown
    assert [counted[name] for name in shown] == [areas[name] for name in shown]
    assert (sample.marks > 0).sum() == result.flagged


def test_spectra_are_sampled_evenly_where_there_are_data(scene):
    with open_for(trained(), scene) as (opened, _):
        everything, few = (sample_spectra(opened, count) for count in (10**6, 100))

    assert everything.shape == (39 * 48, 6)  # the first row has no data
    assert 60 <= len(few) <= 140


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("history", "-o", "a.gif"), 2, (".png, .svg or .pdf",)),
        (("history", "-o", "scene.png"), 3, ("exists", "--overwrite")),
        (("latent", "scene.tif", "-o", "a.png", "--results", "."), 3, ("objects.geojson",)),
        (("latent", *["scene.tif"] * 2, "--labels", "l.tif", "-o", "a.png"), 2, ("Give one",)),
        (("latent", "empty.tif", "-o", "a.png"), 3, ("0 pixels", "too few")),
        (("latent", "absent.tif", "-o", "a.png"), 3, ("absent.tif",)),
        (("spectra", "scene.tif", "--at", "99,0", "-o", "a.png"), 2, ("outside", "0 to 39")),
        (("spectra", "scene.tif", "--at", "0,0", "-o", "a.png"), 2, ("no data",)),
        (("spectra", "empty.tif", "--generated", "9", "-o", "a.png"), 3, ("None of",)),
        (("traversal", "--unit", "70", "-o", "a.png"), 2, ("no 70",)),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_writes_nothing(
    tmp_path, monkeypatch, scene, model, command, code, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.png").write_bytes(b"kept")
    write(tmp_path / "empty.tif", np.full((6, 8, 9), -1, "float32"))
    before = sorted(tmp_path.iterdir())

    refused(run("plot", *command, "-m", model), code, *words)

    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "scene.png").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("latent", "s.tif", "--colour", "labels"), "--labels"),
        (("latent", "s.tif", "--colour", "object"), "--results"),
        (("spectra", "s.tif"), "either"),
        (("spectra", "s.tif", "--at", "1,2", "--generated", "5"), "either"),
        (("spectra", "s.tif", "--at", "1;2"), "no pixel"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(tmp_path, model, options, word):
    ran = run("plot", *options, "-m", model, "-o", tmp_path / "a.png")

    assert ran.code == 2
    assert word in ran.err
