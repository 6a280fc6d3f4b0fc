"""What the anomaly map holds, and how it is compressed: ``--only`` and ``--compress``."""

import json

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, land, plant, run, trained, write, write_labels
from support.refusals import refused
from support.scorers import Neighbours

from anomvae import evaluate, rethreshold
from anomvae.errors import ConfigError
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.raster import open_map


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A scene of several blocks of a map, and what is planted in it."""
    folder = tmp_path_factory.mktemp("large")
    return write(folder / "scene.tif", plant(land((530, 700), seed=1), 300, 400))


def test_only_the_score_is_that_of_the_whole_map_and_serves_as_well(tmp_path, scene):
    labels = write_labels(tmp_path / "labels.tif")
    trained().save(tmp_path / "m.safetensors")
    for folder, options in (("whole", ()), ("only", ("--only", "score"))):
        ran = run(
            "score", scene, "-m", tmp_path / "m.safetensors", "-o", tmp_path / folder, *options
        )
        assert ran.code == 0, ran.err
    whole, only = (tmp_path / name / f"{scene.stem}.anomaly.tif" for name in ("whole", "only"))

    np.testing.assert_array_equal(bands_of(only), bands_of(whole)[:1])
    with open_map(only) as opened:
        assert opened.dataset.bands.names == ("score",)
    scores = [
        evaluate(path, labels, baselines=()).rows["anomvae"].roc_auc for path in (whole, only)
    ]
    assert scores[0] == scores[1]
    again = [rethreshold(path, "quantile:0.01", path.parent / "new") for path in (whole, only)]
    assert again[0].flagged == again[1].flagged > 0


def test_flags_and_objects_are_those_of_the_scores_as_stored(tmp_path, large):
    options = ScoreOptions(compress="lerc:0.05", overwrite=True)
    exact = score_scene(Neighbours(), large, tmp_path / "exact")
    rounded = score_scene(Neighbours(), large, tmp_path / "a", options)
    tiled = score_scene(
        Neighbours(), large, tmp_path / "b", ScoreOptions(compress="lerc:0.05", tile=77, threads=1)
    )

    scores, kept = (bands_of(one.path)[0] for one in (exact, rounded))
    assert 0 < np.nanmax(np.abs(scores - kept)) <= 0.05 + 1e-6
    np.testing.assert_array_equal(bands_of(rounded.files.flags)[0] == 1, kept > 1)
    assert rounded.path.read_bytes() == tiled.path.read_bytes()
    assert rounded.files.flags.read_bytes() == tiled.files.flags.read_bytes()
    assert rounded.path.stat().st_size < exact.path.stat().st_size / 2


@pytest.mark.parametrize(("error", "warned"), [("0.011", True), ("0.009", False)])
def test_rounding_beyond_a_hundredth_of_the_threshold_is_warned_of(
    tmp_path, scene, caplog, error, warned
):
    score_scene(Neighbours(), scene, tmp_path, ScoreOptions(compress=f"lerc:{error}"))

    assert ("moves scores by more than 1 % of the threshold, 1," in caplog.text) is warned


def test_other_options_make_other_results(tmp_path, scene):
    results = [
        score_scene(Neighbours(), scene, tmp_path, ScoreOptions(overwrite=True, **more))
        for more in ({}, {"only": "score"}, {"compress": "lerc:0.001"}, {"compress": "lerc:1e-3"})
    ]

    assert [one.newly_written for one in results] == [True, True, True, False]


def watched(folder, scene, **settings):
    """Return words that run a watch of the folder of a scene once, and its results."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "watch.toml").write_text(
        "\n".join(["[[site]]", 'name = "a"', f'out = "{folder / "maps"}"', *lines])
        + f'\n[site.folder]\npath = "{scene.parent}"\nstable_seconds = 0\n'
    )
    return ["monitor", "run", folder / "watch.toml"]


@pytest.fixture
def commands(tmp_path, scene):
    """Return the words of each command that scores a scene, with options of maps, by its name."""
    model, quick = tmp_path / "m.safetensors", tmp_path / "quick.toml"
    trained().save(model)
    quick.write_text("[training]\nmax_steps = 20\n")

    def words(name, **options):
        given = [word for key, value in options.items() for word in (f"--{key}", value)]
        return {
            "score": lambda: ["score", scene, "-m", model, "-o", tmp_path / "maps", *given],
            "detect": lambda: ["detect", scene, "-c", quick, "-o", tmp_path / "maps", *given],
            "monitor, model": lambda: watched(tmp_path, scene, model=str(model), **options),
            "monitor, config": lambda: watched(
                tmp_path, scene, config=str(quick), dates=1, **options
            ),
        }[name]()

    return words


every_command = pytest.mark.parametrize(
    "command", ["score", "detect", "monitor, model", "monitor, config"]
)


@every_command
def test_every_command_that_scores_chooses_engine_layers_and_compression(
    tmp_path, commands, command
):
    ran = run(*commands(command, engine="numpy", only="score", compress="lerc:0.05"))

    assert ran.code == 0, ran.err
    (path,) = (tmp_path / "maps").rglob("*.anomaly.tif")
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == ("score",)
        assert dataset.tags()["ANOMVAE_ENGINE"] == "numpy"
        assert dataset.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"].startswith("LERC")


@every_command
def test_what_compresses_nothing_is_refused_before_the_work(tmp_path, commands, command):
    refused(run(*commands(command, compress="lzw")), 2, "give zstd, or lerc:E")

    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize("compress", ["lerc", "lerc:", "lerc:0", "lerc:-1", "lerc:nan", "1e-3"])
def test_other_words_about_maps_are_refused(compress):
    with pytest.raises(ConfigError, match="give zstd, or lerc:E"):
        ScoreOptions(compress=compress)
    with pytest.raises(ConfigError, match="the layer that can stand alone is score"):
        ScoreOptions(only="kl")
