"""Every object of a scored scene says why it is unusual."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt, label
from support.rasters import bands_of, land, plant, trained, write
from support.scorers import Neighbours

from anomvae.detector import Detector
from anomvae.mapping import MapResult, ScoreOptions, rethreshold, score_scene
from anomvae.objects import read_objects
from anomvae.objects.surroundings import annulus_of
from anomvae.raster import Scene

EIGHT = np.ones((3, 3))
SHAPE = (130, 170)
either = pytest.mark.parametrize("config", ["default", "small-objects"])


def land_with_objects():
    """Objects alone, near each other, at the seams of windows, and beside pixels without data."""
    values = land(SHAPE, seed=1)
    rng = np.random.default_rng(5)
    for row, col in [(60, 60), (60, 68), (63, 64), (120, 150), (63, 127), (64, 20), (3, 2)]:
        values = plant(values, row, col) + 0
        values[:, row + 1, col + 2] = rng.uniform(0.1, 0.9, len(values))
    values[:, 61:63, 62:64] = -1
    return values


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Explain a small scene in more than one window."""
    monkeypatch.setattr("anomvae.mapping.object_explanations.WINDOW_BYTES", 4 * 6 * 64**2)


@pytest.fixture(scope="module")
def scene_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("explained") / "scene.tif"
    return write(path, land_with_objects(), tiled=True, blockxsize=64, blockysize=64)


def scored(config, scene, folder, **options) -> tuple[Detector, MapResult]:
    detector = trained(config).with_threshold(rule("fixed:40"))
    return detector, score_scene(detector, scene, folder, ScoreOptions(**options))


def rule(text):
    from anomvae.stats.thresholds import parse_rule

    return parse_rule(text)


def everything(detector, scene):
    """Compute contributions, reconstructions and bands of all pixels of a scene at once."""
    with Scene.of(scene).open(detector.bands, detector.covariates) as opened:
        block = opened.read((slice(0, SHAPE[0]), slice(0, SHAPE[1])))
    where = detector.view.where(block)
    examples = detector.view.split(block, where)
    parts, means = detector.contributions(examples), detector.reconstruct(examples[:])
    whole = {
        name: laid_out(values, where[-1])
        for name, values in {
            "bands": parts.bands,
            "kl": parts.kl.sum(-1, keepdims=True),
            "residual": parts.residual,
            "mean": means,
        }.items()
    }
    return whole | {"spectrum": block[-1][..., : len(detector.bands)]}


def laid_out(values, where):
    plane = np.full((*where.shape, values.shape[-1]), np.nan)
    plane[where] = values
    return plane


@either
def test_explanations_are_means_over_the_pixels_of_an_object(config, scene_file, tmp_path):
    detector, result = scored(config, scene_file, tmp_path)
    score, *terms = bands_of(result.path).astype(float)
    flagged = bands_of(result.files.flags)[0] == 1
    whole, (numbers, count) = everything(detector, scene_file), label(flagged, EIGHT)
    objects = read_objects(result.files.objects)
    factor = score / (whole["bands"].sum(-1) + whole["kl"][..., 0])
    assert count == len(objects.items) >= 7

    for item in objects.items:
        inside, why = numbers == numbers[item.peak], item.explanation

        def mean(values, inside=inside):
            return pytest.approx(values[inside].mean(0), rel=2e-4, abs=1e-6)

        assert why.pixels == item.area_px
        assert why.spectrum == mean(whole["spectrum"])
        assert why.reconstruction == mean(whole["mean"])
        shares = why.share_reconstruction, why.share_kl, why.share_linear
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        for share, term in zip(shares, terms, strict=True):
            assert share * item.score_mean == mean(term)
        added = (whole["bands"] * factor[..., None])[inside].mean(0)
        assert [band.share * item.score_mean for band in why.leading] == pytest.approx(
            sorted(added)[:-4:-1], rel=1e-3
        )
        for band in why.leading:
            at = objects.provenance.bands.index(band.band)
            assert band.residual == pytest.approx(whole["residual"][inside].mean(0)[at], rel=1e-3)
        if detector.card.weighting is None:
            assert why.local_contrast is None
        else:
            assert why.local_contrast == mean(factor)


def test_an_annulus_holds_what_has_data_is_not_flagged_and_is_nearest(scene_file, tmp_path):
    _, result = scored("default", scene_file, tmp_path)
    scene, flags = bands_of(scene_file), bands_of(result.files.flags)[0]
    numbers, _ = label(flags == 1, EIGHT)
    items = read_objects(result.files.objects).items
    away = np.stack(
        [distance_transform_cdt(numbers != numbers[item.peak], "chessboard") for item in items]
    )
    nearest = away.argmin(axis=0)  # of equal distances the strongest object

    for number, item in enumerate(items):
        distance = away[number]
        around = (nearest == number) & (distance >= 2) & (distance <= 5) & (flags == 0)
        assert around.any()
        assert item.explanation.annulus == pytest.approx(scene[:, around].mean(1), rel=1e-5)


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_an_annulus_lies_two_to_five_pixels_around_the_nearest_object(shape, share, seed):
    rng = np.random.default_rng(seed)
    objects = np.where(rng.random(shape) < share, rng.integers(1, 4, shape), 0).astype(np.int32)
    far = np.full((4, *shape), 99)
    for number in set(np.unique(objects)) - {0}:
        far[number] = distance_transform_cdt(objects != number, "chessboard")
    distance = far.min(axis=0)
    expected = np.where((distance >= 2) & (distance <= 5), far.argmin(axis=0), 0)

    np.testing.assert_array_equal(annulus_of(objects), expected)


@either
def test_explanations_are_the_same_bytes_whatever_tiles_scored_the_scene(
    config, scene_file, tmp_path
):
    _, one = scored(config, scene_file, tmp_path / "one", tile=37, threads=2)
    _, other = scored(config, scene_file, tmp_path / "other", tile=120, threads=1)

    texts = [result.files.objects.read_bytes() for result in (one, other)]
    assert texts[0] == texts[1]
    assert b'"share_kl"' in texts[0]


@either
def test_explanations_are_the_same_bytes_whether_pixels_were_kept_or_are_read_again(
    config, scene_file, tmp_path, monkeypatch
):
    _, kept = scored(config, scene_file, tmp_path / "kept")
    monkeypatch.setattr("anomvae.mapping.near_pixels.MOST_BYTES", 0)
    _, read = scored(config, scene_file, tmp_path / "read")

    assert kept.files.objects.read_bytes() == read.files.objects.read_bytes()


def test_the_band_in_which_an_object_differs_leads(tmp_path):
    values = land(seed=1)
    values[4, 20:23, 20:23] += 0.3
    detector, result = scored("default", write(tmp_path / "scene.tif", values), tmp_path)

    why = next(
        item.explanation
        for item in read_objects(result.files.objects).items
        if 20 <= item.peak[0] < 23 and 20 <= item.peak[1] < 23
    )

    leader = why.leading[0]
    assert leader.band == detector.bands.names[4]
    assert leader.residual > 3
    assert why.spectrum[4] - why.annulus[4] == pytest.approx(0.3, abs=0.05)


def test_the_strongest_objects_within_the_limits_are_explained(
    scene_file, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("anomvae.mapping.object_explanations.MOST_OBJECTS", 3)

    with caplog.at_level(logging.INFO, "anomvae"):
        _, result = scored("default", scene_file, tmp_path)

    objects = read_objects(result.files.objects)
    explained = [item.explanation is not None for item in objects.items]
    assert explained == [True] * 3 + [False] * (len(explained) - 3)
    assert objects.provenance.explained == 3
    assert f"the 3 strongest of {len(explained)} objects are explained" in caplog.text


def test_few_pixels_are_explained_where_a_scene_is_anomalous_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr("anomvae.mapping.object_explanations.MOST_PIXELS", 100)
    path = write(tmp_path / "scene.tif", land(seed=1))
    detector = trained().with_threshold(rule("fixed:0"))

    result = score_scene(detector, path, tmp_path / "out")

    objects = read_objects(result.files.objects)
    assert result.flagged == result.valid
    assert objects.provenance.explained == 0
    assert objects.items[0].explanation is None


def test_an_object_without_surroundings_has_no_annulus(tmp_path):
    path = write(tmp_path / "scene.tif", land(seed=1))
    detector = trained().with_threshold(rule("fixed:0"))

    (item,) = read_objects(score_scene(detector, path, tmp_path / "out").files.objects).items

    assert item.explanation.annulus is None
    assert item.explanation.pixels == item.area_px == 40 * 48


def test_what_has_no_model_writes_objects_without_explanations(scene_file, tmp_path):
    baseline = score_scene(Neighbours(), scene_file, tmp_path / "baseline")
    _, explained = scored("default", scene_file, tmp_path / "model")
    anew = rethreshold(explained.path, "fixed:40", tmp_path / "anew")

    for result in (baseline, anew):
        objects = read_objects(result.files.objects)
        assert objects.items
        assert {item.explanation for item in objects.items} == {None}
        assert (objects.provenance.explained, objects.provenance.bands) == (0, ())
