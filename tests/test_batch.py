"""Many scenes: one that fails does not stop the others."""

from dataclasses import dataclass

import pytest
from support.rasters import land, plant, run, write
from support.scorers import Failing, Neighbours

from anomvae.errors import ConfigError, RasterError, WorkersLost
from anomvae.mapping import score_scenes


@pytest.fixture
def scenes(tmp_path):
    return [write(tmp_path / f"{name}.tif", plant(land())) for name in "ab"]


def test_outcomes_are_scored_when_they_are_taken_in_the_order_of_the_scenes(scenes, tmp_path):
    outcomes = score_scenes(Neighbours(), scenes, tmp_path / "out")

    assert not (tmp_path / "out").exists()
    assert [outcome.scene for outcome in outcomes] == [str(scene) for scene in scenes]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("step", ["require_dates", "score"])
def test_a_lack_of_memory_or_space_fails_one_scene_alone(scenes, tmp_path, error, step):
    detector = Failing(errors=[error], step=step)

    bad, good = score_scenes(detector, scenes, tmp_path / "out")

    assert isinstance(bad.error, RasterError)
    assert str(bad.error).startswith(f"{scenes[0]} cannot be scored: ")
    assert ("No space" if isinstance(error, OSError) else "not enough memory") in str(bad.error)
    assert "\n" not in str(bad.error)
    assert (bad.result, good.error) == (None, None)
    assert good.result.newly_written
    assert not list((tmp_path / "out").glob("a*"))


def test_a_fault_of_the_program_is_not_taken_for_one_of_the_scene(scenes, tmp_path):
    with pytest.raises(ZeroDivisionError):
        list(score_scenes(Failing(errors=[ZeroDivisionError()]), scenes, tmp_path / "out"))


def test_scenes_of_one_name_are_refused_before_any_is_scored(scenes, tmp_path):
    with pytest.raises(ConfigError, match="2 scenes are called 'a'"):
        score_scenes(Neighbours(), [scenes[1], scenes[0], scenes[0]], tmp_path / "out")


def test_files_that_a_worker_wrote_elsewhere_are_missed(scenes, tmp_path):
    @dataclass(frozen=True)
    class Elsewhere:
        """A mapper whose workers write to a folder of their own."""

        workers: int = 2

        def __call__(self, function, work):
            for outcome in map(function, work):
                outcome.result.files.summary.unlink()
                yield outcome

    outcomes = list(score_scenes(Neighbours(), scenes, tmp_path / "out", mapper=Elsewhere()))

    for scene, outcome in zip(scenes, outcomes, strict=True):
        assert outcome.scene == str(scene)
        assert isinstance(outcome.error, WorkersLost)
        assert "all workers share" in str(outcome.error)


def test_the_command_ends_with_5_where_scenes_failed(scenes, model, tmp_path):
    scenes[0].write_text("not a raster")
    options = "-m", model, "-o", tmp_path / "out"

    some = run("score", *scenes, *options)
    every = run("score", scenes[0], tmp_path / "missing.tif", *options)

    assert (some.code, every.code) == (5, 5)
    assert "a.tif" in some.err
    assert "1 of 2 scenes failed" in some.err
    assert "all 2 scenes failed" in every.err
    assert (tmp_path / "out" / "b.json").exists()
    assert not list((tmp_path / "out").glob("a*"))
