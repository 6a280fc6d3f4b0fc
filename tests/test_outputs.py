"""What lies in a folder of results: whole, unfinished, of other settings, or not ours."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.rasters import land, write

from anomvae.errors import ConfigError, OutputExists
from anomvae.files import identify
from anomvae.mapping import MapResult as Exported
from anomvae.mapping.outputs import (
    CacheKey,
    MapResult,
    Outputs,
    cached_result,
    digest_of,
    read_summary,
    require_apart,
)
from anomvae.objects.items import DEGREES, Provenance
from anomvae.stats.thresholds import Threshold

NOW, BEFORE = CacheKey("detector", "settings", "now"), CacheKey("detector", "settings", "before")
ONE = Threshold(1.0, 0.0, "fixed:1", 1, True)


@pytest.fixture
def outputs(tmp_path):
    return Outputs(tmp_path, "coast")


def result(outputs, recipe=NOW, scene="coast.tif"):
    return MapResult(
        scene=scene,
        outputs=outputs,
        detector=recipe.detector,
        settings=recipe.settings,
        input=recipe.input,
        digest=recipe.digest,
        threshold=ONE,
        pixels=4,
        valid=3,
        flagged=1,
        objects=1,
        quantiles={"0.5": 1.5},
        seconds=0.25,
    )


def a_map(path, recipe=None):
    write(path, np.ones((1, 2, 2), "float32"))
    if recipe is not None:
        import rasterio

        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(ANOMVAE_DIGEST=recipe.digest)


def about(recipe):
    return Provenance("1", recipe.digest, "coast.tif", "detector", 1.0, "fixed:1", 1, DEGREES)


def lay(outputs, recipe=NOW):
    """Lay all deliverables of a recipe."""
    a_map(outputs.scores, recipe)
    a_map(outputs.flags, recipe)
    outputs.objects.write_text(about(recipe).to_json() + "\n]}\n")
    outputs.quicklook.write_bytes(b"png")
    outputs.summary.write_text(result(outputs, recipe).to_json())


def test_a_summary_is_read_back(outputs):
    outputs.summary.write_text(result(outputs).to_json())

    assert read_summary(outputs) == MapResult(**(vars(result(outputs)) | {"fresh": False}))


def test_a_summary_keeps_detector_settings_and_input_apart(outputs):
    told = json.loads(result(outputs).to_json())

    assert (told["detector"], told["settings"], told["input"]) == ("detector", "settings", "now")
    assert told["digest"] == NOW.digest == digest_of("detector", "settings", "now")


@pytest.mark.parametrize("part", ["detector", "settings", "input"])
def test_each_part_of_a_recipe_decides_its_digest(part):
    assert CacheKey(**(vars(NOW) | {part: "other"})).digest != NOW.digest


def test_a_summary_tells_no_secret_of_a_signed_url(outputs):
    url = "https://eo.example/coast.tif?sig=secret"

    fresh = result(outputs, scene=url)
    outputs.summary.write_text(fresh.to_json())

    assert fresh.scene == url
    assert read_summary(outputs).scene == "https://eo.example/coast.tif"


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"anomvae": "1", "digest": 3}', "\xff"])
def test_what_is_no_summary_is_none(outputs, text):
    outputs.summary.write_text(text, encoding="latin-1")

    assert read_summary(outputs) is None


@pytest.mark.parametrize("overwrite", [False, True])
def test_whole_results_of_the_same_digest_are_found(outputs, overwrite):
    lay(outputs)

    found = cached_result(outputs, NOW.digest, overwrite=overwrite)

    assert found.digest == NOW.digest
    assert not found.fresh


def test_an_empty_folder_is_free(outputs):
    assert cached_result(outputs, NOW.digest, overwrite=False) is None


@pytest.mark.parametrize("left", range(6))
@pytest.mark.parametrize("recipe", [NOW, BEFORE])
def test_our_files_without_their_commit_mark_are_made_again(outputs, left, recipe):
    lay(outputs, recipe)
    for path in outputs.all[left:]:
        path.unlink()
    outputs.summary.unlink(missing_ok=True)

    assert cached_result(outputs, NOW.digest, overwrite=False) is None


@pytest.mark.parametrize("name", ["scores", "flags", "objects", "quicklook"])
def test_a_deliverable_that_is_missing_is_made_again(outputs, name):
    lay(outputs)
    getattr(outputs, name).unlink()

    assert cached_result(outputs, NOW.digest, overwrite=False) is None


def test_results_of_other_settings_are_kept_unless_overwritten(outputs):
    lay(outputs, BEFORE)

    with pytest.raises(OutputExists, match="made with other settings"):
        cached_result(outputs, NOW.digest, overwrite=False)

    assert cached_result(outputs, NOW.digest, overwrite=True) is None


@pytest.mark.parametrize("name", ["scores", "flags"])
def test_a_summary_beside_a_map_of_other_settings_marks_nothing(outputs, name):
    lay(outputs)
    a_map(getattr(outputs, name), BEFORE)

    with pytest.raises(OutputExists, match="made with other settings"):
        cached_result(outputs, NOW.digest, overwrite=False)


def test_objects_of_other_settings_beside_a_summary_mark_nothing(outputs):
    lay(outputs)
    outputs.objects.write_text(about(BEFORE).to_json() + "\n]}\n")

    with pytest.raises(OutputExists, match="made with other settings"):
        cached_result(outputs, NOW.digest, overwrite=False)


def test_results_of_a_version_that_told_no_objects_are_made_again_unasked(outputs):
    lay(outputs)
    outputs.objects.unlink()
    told = json.loads(outputs.summary.read_text())
    del told["objects"]
    outputs.summary.write_text(json.dumps(told))

    assert read_summary(outputs) is None
    assert cached_result(outputs, NOW.digest, overwrite=False) is None


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("name", ["scores", "flags", "objects", "quicklook", "summary"])
def test_a_file_that_is_not_ours_is_kept_unless_overwritten(outputs, name, others):
    if others and name != "quicklook":  # a picture is known by its company
        lay(outputs)
    path = getattr(outputs, name)
    path.write_text('{"precious": true}')

    with pytest.raises(OutputExists, match="not written by anomvae") as error:
        cached_result(outputs, NOW.digest, overwrite=False)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert cached_result(outputs, NOW.digest, overwrite=True) is None


def test_a_raster_of_others_is_not_ours(outputs):
    a_map(outputs.flags)

    with pytest.raises(OutputExists, match="not written by anomvae"):
        cached_result(outputs, NOW.digest, overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_the_place_of_a_file_is_never_replaced(outputs, overwrite):
    lay(outputs)
    outputs.quicklook.unlink()
    outputs.quicklook.mkdir()
    outputs.summary.write_text(result(outputs, BEFORE).to_json())

    with pytest.raises(OutputExists, match="is a folder"):
        cached_result(outputs, NOW.digest, overwrite=overwrite)


def test_a_file_that_is_read_is_never_written(outputs, tmp_path, monkeypatch):
    (tmp_path / "scene.tif").write_bytes(b"scene")
    outputs.quicklook.symlink_to(tmp_path / "scene.tif")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"coast\.png is read for these results"):
        require_apart(outputs, [identify("s3://eo/coast.tif"), identify(Path("scene.tif"))])


def test_a_file_that_is_not_written_may_be_read(outputs):
    write(outputs.folder / "coast.tif", land())
    outputs.quicklook.write_bytes(b"another")

    require_apart(outputs, [identify(outputs.folder / "coast.tif"), identify("s3://coast.png")])


def test_mapping_hands_on_what_lives_here():
    assert Exported is MapResult
