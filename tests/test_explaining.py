"""Why a pixel or an object is unusual: contributions, neighbours, table, picture, command."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rasterio.warp import transform
from support import families
from support.family_contract import compares_dates
from support.rasters import BANDS, QUICK, bands_of, land, plant, run, trained, write
from support.refusals import refused
from support.spectra import fit_scene, scene

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import ConfigError, FileError, GridMismatch
from anomvae.explaining import explain
from anomvae.figures.explanation import explanation_figure
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.objects import read_objects
from anomvae.stats.noise import Noise
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule

NORMAL = NormalScores.of(np.linspace(1, 9, 200, dtype="float32"), held_out=False)
PLANTED = (10, 12)


@pytest.fixture(scope="module", params=["default", "small-objects"])
def scored(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explaining")
    path = write(folder / "scene.tif", plant(land(seed=1)))
    detector = trained(request.param)
    return path, detector, score_scene(detector, path, folder / "out").files


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """Write a scene, its model and its results."""
    folder = tmp_path_factory.mktemp("on_disk")
    path = write(folder / "scene.tif", plant(land(seed=1)))
    trained().save(folder / "model.safetensors")
    score_scene(trained(), path, folder / "out")
    return folder


@pytest.mark.parametrize("family", families.rows())
def test_contributions_add_up_to_the_score_in_the_map(family, tmp_path):
    block = scene((26, 25), 6, 3 if compares_dates(family) else 1, 2)
    tables = {"model": {"family": family}, "training": {"max_steps": 40}}
    detector = fit_scene(block, **tables).with_threshold(parse_rule("sigma:3"), NORMAL)
    dates = [
        write(tmp_path / f"day{day}.tif", np.moveaxis(date, -1, 0), nodata=np.nan)
        for day, date in enumerate(block)
    ]

    explanation = explain(detector, dates, (7, 11), neighbours=3)

    files = score_scene(detector, dates, tmp_path / "out", ScoreOptions(tile=16)).files
    added = explanation.contributions.sum() + explanation.kl_units.sum()
    np.testing.assert_allclose(explanation.terms, bands_of(files.scores)[:, 7, 11], rtol=1e-5)
    assert added == pytest.approx(explanation.terms.score, rel=1e-5)
    assert len(explanation.unit_names) == len(explanation.kl_units)
    np.testing.assert_array_equal(explanation.spectrum, block[-1, 7, 11])
    assert len(explanation.neighbours) == 3


def test_the_contributions_of_an_object_add_up_to_its_mean_score(scored):
    path, detector, files = scored
    largest = max(read_objects(files.objects).items, key=lambda item: item.area_px)

    explanation = explain(detector, path, object_id=largest.id, results=files.folder, neighbours=0)

    added = explanation.contributions.sum() + explanation.kl_units.sum()
    assert len(explanation.pixels) == largest.area_px
    assert added == pytest.approx(largest.score_mean, rel=1e-5)
    assert explanation.terms.score == pytest.approx(largest.score_mean, rel=1e-5)
    assert explanation.anomalous
    assert (explanation.factor is None) == (detector.card.weighting is None)
    spectra = bands_of(path)[:, *explanation.pixels.T]
    np.testing.assert_allclose(explanation.spectrum, spectra.mean(axis=1), rtol=1e-6)


def test_neighbours_are_normal_pixels_in_the_order_of_their_mahalanobis_distance(scored):
    path, detector, files = scored
    scores = bands_of(files.scores)[0]

    found = explain(detector, path, PLANTED, neighbours=2000).neighbours

    places = tuple(np.array([(near.row, near.col) for near in found]).T)
    apart = np.array([near.distance for near in found])
    normal = scores <= np.float32(detector.threshold.value)
    assert (np.diff(apart) >= 0).all()
    assert len(found) == normal.sum()
    np.testing.assert_allclose([near.score for near in found], scores[places], rtol=1e-5)
    assert normal[places].all()


def test_the_distance_of_a_neighbour_is_mahalanobis_with_the_covariance_of_normal_codes(tmp_path):
    values, detector = land(seed=1), trained()
    path = write(tmp_path / "scene.tif", values)

    found = explain(detector, path, (20, 20), neighbours=5000).neighbours

    codes = detector.encode(np.moveaxis(values, 0, -1).reshape(-1, BANDS)).reshape(40, 48, -1)
    others = codes[[near.row for near in found], [near.col for near in found]].astype(float)
    step = others - codes[20, 20]
    inverse = np.linalg.inv(np.cov(others.T, bias=True))
    expected = np.sqrt(np.einsum("ij,jk,ik->i", step, inverse, step))
    assert (20, 20) not in {(near.row, near.col) for near in found}
    np.testing.assert_allclose([near.distance for near in found], expected, rtol=1e-2, atol=1e-3)


def test_pixels_of_the_same_code_are_in_the_order_of_their_spectra(tmp_path):
    block = scene((26, 25), 6, 1, 2)
    tables = {"model": {"family": "vq-vae"}, "training": {"max_steps": 40}}
    detector = fit_scene(block, **tables).with_threshold(parse_rule("fixed:1e9"), NORMAL)
    path = write(tmp_path / "scene.tif", np.moveaxis(block[0], -1, 0), nodata=np.nan)

    found = explain(detector, path, (7, 11), neighbours=1000).neighbours

    codes = detector.encode(block[0].reshape(-1, 6)).reshape(26, 25, -1)
    same = np.array([(codes[near.row, near.col] == codes[7, 11]).all() for near in found])
    spectral = np.array([near.spectral for near in found])[same]
    assert (np.array([near.distance for near in found]) == 0).tolist() == same.tolist()
    assert (np.diff(spectral) >= 0).all()
    noise = np.diag(1 / detector.noise.std)
    apart = (block[0, found[0].row, found[0].col] - block[0, 7, 11]) / detector.scaler.std
    assert spectral[0] == pytest.approx(np.linalg.norm(apart @ noise), rel=1e-4)


def test_a_scene_without_normal_pixels_has_no_neighbours(tmp_path):
    path = write(tmp_path / "scene.tif", land(seed=1))
    detector = trained().with_threshold(parse_rule("fixed:1e-6"), NORMAL)

    explanation = explain(detector, path, (20, 20))

    assert explanation.anomalous
    assert explanation.neighbours == ()


def test_neighbours_are_located_where_the_scene_is(tmp_path):
    values = land(seed=1)
    utm = write(tmp_path / "utm.tif", values)
    nowhere = write(tmp_path / "nowhere.tif", values, crs=None, transform=None)

    located = explain(trained(), utm, (20, 20), neighbours=1).neighbours[0]
    alone = explain(trained(), nowhere, (20, 20), neighbours=1).neighbours[0]

    lon, lat = located.lon_lat
    x, y = 5e5 + 10 * (located.col + 0.5), 4e6 - 10 * (located.row + 0.5)
    np.testing.assert_allclose(transform("EPSG:4326", "EPSG:32633", [lon], [lat]), [[x], [y]])
    assert alone == replace(located, lon_lat=None)


def test_the_noise_of_a_band_is_the_root_of_the_diagonal_of_its_covariance():
    mixed = np.random.default_rng(0).normal(size=(5, 5))
    covariance = mixed @ mixed.T
    variances, directions = np.linalg.eigh(covariance)
    turned = directions / np.sqrt(variances)  # no symmetric root, as that of a scene

    np.testing.assert_allclose(Noise(np.zeros(5), turned).std, np.sqrt(np.diag(covariance)))
    np.testing.assert_allclose(Noise(np.zeros(2), np.array([2.0, 4.0])).std, [0.5, 0.25])


def test_a_table_has_the_band_first_that_adds_most(scored):
    path, detector, _ = scored

    explanation = explain(detector, path, PLANTED, neighbours=0)
    table = explanation.table()

    assert sorted(table["band"]) == sorted(detector.bands.names)
    assert table["contribution"].is_monotonic_decreasing
    np.testing.assert_allclose(table["value"] - table["reconstruction"], table["residual"])
    first = explanation.bands.names.index(table["band"][0])
    assert explanation.contributions[first] == explanation.contributions.max()
    assert table["whitened"][0] == explanation.whitened[first]
    assert table["band"][0] in repr(explanation)
    assert len(repr(explanation)) < 300
    assert "<table" in explanation._repr_html_()


def test_a_figure_shows_spectrum_noise_contributions_and_units(scored):
    path, detector, _ = scored
    explanation = explain(detector, path, PLANTED, neighbours=0)

    figure = explanation_figure(explanation)

    spectra, bands, units = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in spectra.get_lines()}
    np.testing.assert_allclose(lines["Pixel 10,12"], explanation.spectrum)
    np.testing.assert_allclose(lines["Reconstruction"], explanation.reconstruction)
    heights = [
        path.vertices[1, 1] for drawn in bands.collections[::2] for path in drawn.get_paths()
    ]
    assert sorted(heights) == pytest.approx(sorted(explanation.contributions))
    assert [bar.get_height() for bar in units.patches] == pytest.approx(explanation.kl_units)
    assert [label.get_text() for label in units.get_xticklabels()] == list(explanation.unit_names)
    assert "Band number" in bands.get_xlabel()


@pytest.mark.parametrize("kind", ["kl", "latent"])
def test_a_score_that_lies_in_the_code_alone_names_no_band(tmp_path, kind):
    path = write(tmp_path / "scene.tif", plant(land(seed=1)))
    detector = anomvae.detect(
        path, resolve_config("default", [f"score.kind={kind}", *QUICK]).config
    )
    detector.save(tmp_path / "model.safetensors")
    files = score_scene(detector, path, tmp_path / "out").files
    first = read_objects(files.objects).items[0]

    ran = run("explain", path, "-m", tmp_path / "model.safetensors", "--at", "10,12")
    of_object = explain(detector, path, object_id=first.id, results=tmp_path / "out", neighbours=0)

    why = first.explanation
    assert why.leading == ()
    assert (why.share_reconstruction, why.share_kl, why.share_linear) == (0, 1, 0)
    assert ran.code == 0, ran.err
    assert "no band adds anything to the score\n\nKL term per unit: z1 " in ran.out
    _, units = explanation_figure(of_object).axes
    assert [bar.get_height() for bar in units.patches] == pytest.approx(of_object.kl_units)
    assert of_object.kl_units.sum() == pytest.approx(first.score_mean, rel=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"at": (1, 1), "object_id": 1}, {"object_id": 1}])
def test_one_pixel_or_one_object_of_results_is_explained(scored, arguments):
    path, detector, _ = scored

    with pytest.raises(ConfigError, match="A pixel is explained, or an object"):
        anomvae.explain(detector, path, **arguments)


def test_the_command_prints_terms_bands_units_and_neighbours(on_disk):
    scene_, model = on_disk / "scene.tif", on_disk / "model.safetensors"

    at = run("explain", scene_, "-m", model, "--at", "10,12", "-o", on_disk / "why.svg")
    found = run(
        *("explain", scene_, "-m", model, "--object", 1, "--results", on_disk / "out"),
        *("--neighbours", 2, "--json"),
    )

    assert at.code == found.code == 0, at.err + found.err
    assert "pixel 10,12 of" in at.out
    assert "above the threshold" in at.out
    assert "KL term per unit: z1 " in at.out
    assert "Nearest normal pixels" in at.out
    assert (on_disk / "why.svg").read_bytes().startswith(b"<?xml")
    data = json.loads(found.out)
    added = sum(band["contribution"] for band in data["bands"]) + sum(data["kl_units"].values())
    assert added == pytest.approx(data["score"], rel=1e-5)
    assert data["score"] == pytest.approx(
        read_objects(on_disk / "out/scene.objects.geojson").items[0].score_mean, rel=1e-5
    )
    assert data["object"] == 1
    assert len(data["neighbours"]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--at", "40,0"], 2, "outside"),
        (["--at", "0,5"], 2, "has no score"),
        (["--object", "99", "--results", "out"], 2, "none with the id 99"),
        (["--object", "1", "--results", "none"], 3, "none"),
        (["--at", "5,5", "-o", "why.jpg"], 2, "does not end in .png"),
        (["--at", "5,5", "-o", "model.png"], 3, "Give --overwrite"),
        (
            ["--at", "5,5", "--mask", "model.png", "-o", "model.png", "--overwrite"],
            2,
            "model.png is read for this",
        ),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(
    on_disk, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(on_disk)
    (on_disk / "model.png").write_bytes(b"kept")

    ran = run("explain", "scene.tif", "-m", "model.safetensors", *arguments)

    refused(ran, code, message)
    assert (on_disk / "model.png").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "3;5"], "is no pixel"),
        ([], "Give either --at ROW,COL or --object ID"),
        (["--object", "1"], "--object and --results go together"),
        (["--at", "5,5", "--results", "out"], "--object and --results go together"),
        (["other.tif", "--at", "5,5"], "2 scenes are given"),
    ],
)
def test_arguments_that_do_not_fit_are_a_mistake_of_usage(on_disk, monkeypatch, arguments, message):
    monkeypatch.chdir(on_disk)
    shutil.copyfile("scene.tif", "other.tif")

    ran = run("explain", "scene.tif", "-m", "model.safetensors", *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err.splitlines()[-1]


def test_results_of_another_model_or_scene_are_refused(on_disk, tmp_path):
    other, moved = trained("small-objects"), tmp_path / "scene.tif"
    write(moved, land((30, 30), seed=1))
    (tmp_path / "changed").mkdir()
    changed = write(tmp_path / "changed/scene.tif", 0.9 * plant(land(seed=1)))

    with pytest.raises(ConfigError, match=r"has a mean score of .* but .* by this model"):
        explain(other, on_disk / "scene.tif", object_id=1, results=on_disk / "out")
    with pytest.raises(ConfigError, match="has a mean score of"):
        explain(trained(), changed, object_id=1, results=on_disk / "out")
    with pytest.raises(GridMismatch):
        explain(trained(), moved, object_id=1, results=on_disk / "out")


def test_flags_that_do_not_hold_the_object_are_refused(on_disk, tmp_path):
    shutil.copytree(on_disk / "out", tmp_path / "out")
    flags = tmp_path / "out/scene.flags.tif"
    write(flags, np.zeros((1, 40, 48), "uint8"), nodata=255)

    with pytest.raises(FileError, match="are of different runs"):
        explain(trained(), on_disk / "scene.tif", object_id=1, results=tmp_path / "out")
