"""What a folder of results holds: up to date, partial, of other settings, or not ours."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import rasterio
from support.rasters import land, plant, run, trained, write
from support.refusals import refused
from support.scorers import ONE, SIX, Failing, Neighbours, content, same_files

from anomvae.detector import Detector
from anomvae.errors import ConfigError, OutputExists
from anomvae.files import staging
from anomvae.fitting import Selection
from anomvae.identity import identify
from anomvae.mapping import (
    Deliverables,
    MapResult,
    ScoreOptions,
    detect_scene,
    read_summary,
    score_scene,
    score_scenes,
)
from anomvae.mapping.cache import CacheKey, cached_result
from anomvae.mapping.deliverables import DELIVERABLES, STYLE_END, TITLES
from anomvae.mapping.open_deliverables import begin
from anomvae.mapping.quicklook import QuickLook, QuickLookSpec
from anomvae.objects.items import DEGREES, Provenance
from anomvae.pixels.bands import unnamed_bands
from anomvae.raster import Scene
from anomvae.stats.thresholds import parse_rule

NOW, BEFORE = CacheKey("detector", "settings", "now"), CacheKey("detector", "settings", "before")
NAMES = ("scores", "flags", "objects", "quicklook", "summary")
OVERWRITE = ScoreOptions(overwrite=True)
EMPTY = QuickLook(QuickLookSpec.of((2, 2)))
REPUBLISH = """
import sys
from itertools import cycle
from pathlib import Path
import torch
from anomvae.detector import Detector
from anomvae.mapping import ScoreOptions, score_scene
torch.set_num_threads(1)
folder = Path(sys.argv[1])
detectors = [Detector.load(folder / f"{name}.safetensors") for name in ("old", "new")]
print("begun", flush=True)
for detector in cycle(detectors):
    score_scene(detector, folder / "scene.tif", folder / "out", ScoreOptions(overwrite=True))
"""


@pytest.fixture
def files(tmp_path):
    return Deliverables(tmp_path, "coast")


def result_of(files, key=NOW, scene="coast.tif"):
    decided = {name: getattr(key, name) for name in ("detector", "settings", "input", "digest")}
    decided["threshold"] = ONE
    counted = {"pixels": 4, "valid": 3, "flagged": 1, "objects": 1, "quantiles": {"0.5": 1.5}}
    return MapResult(scene, files, **decided, **counted, seconds=0.25)


def write_file(files, name, key):
    """Write the deliverable of a name as a run of a key does."""
    path = getattr(files, name)
    if name in {"scores", "flags"}:
        write(path, np.ones((1, 2, 2), "float32"))
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(ANOMVAE_DIGEST=key.digest)
    elif name == "objects":
        about = Provenance("1", key.digest, "coast.tif", "detector", 1.0, "fixed:1", 1, DEGREES)
        path.write_text(about.to_json() + "\n]}\n")
    elif name == "quicklook":
        path.write_bytes(b"png")
    else:
        path.write_text(result_of(files, key).to_json())


def write_all(files, key=NOW):
    for name in NAMES:
        write_file(files, name, key)


def modified(folder):
    """Read when a folder and each of its files were changed."""
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}


def test_a_summary_is_read_back_without_the_secret_of_a_signed_url(files):
    url = "https://eo.example/coast.tif"

    result = result_of(files, scene=f"{url}?sig=secret")
    files.summary.write_text(result.to_json())

    data = json.loads(files.summary.read_text())
    assert read_summary(files) == replace(result, scene=url, newly_written=False)
    assert data.items() >= {**vars(NOW), "digest": NOW.digest}.items() - {("engine", "")}


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"anomvae": "1", "digest": 3}', "\xff"])
def test_a_file_that_is_no_summary_is_none(files, text):
    files.summary.write_text(text, encoding="latin-1")

    assert read_summary(files) is None


def test_a_digest_is_the_same_in_every_version_that_defines_the_score_alike():
    expected = hashlib.sha256(b"2\ndetector\nsettings\nnow").hexdigest()[:16]

    assert NOW.digest == expected


def test_settings_listed_objects_bands_and_files_decide_a_key(tmp_path):
    path = write(tmp_path / "a.tif", land())

    def key(setting="score", **changes):
        options = {"options": ScoreOptions(), "bands": SIX, "files": [identify(path)]}
        return CacheKey.of("detector", setting, **options | changes)

    assert key() == key()
    changes = [ScoreOptions(min_area=2), ScoreOptions(top=2), ScoreOptions(p_values=True)]
    others = [key("detect"), *(key(options=change) for change in changes)]
    assert len({key().settings, *(other.settings for other in others)}) == 5
    assert key(options=ScoreOptions(tile=20, threads=2, overwrite=True)) == key()
    assert len({key().input, key(bands=unnamed_bands(5)).input, key(files=[]).input}) == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_that_is_up_to_date_needs_no_write_permission(files, overwrite):
    write_all(files)
    before = modified(files.folder)
    files.folder.chmod(0o500)

    with begin(files, NOW, ScoreOptions(overwrite=overwrite), EMPTY) as result:
        assert result == replace(result_of(files), newly_written=False)

    assert modified(files.folder) == before
    files.folder.chmod(0o700)


def test_a_result_of_another_version_of_anomvae_is_up_to_date(files):
    write_all(files)
    data = json.loads(files.summary.read_text()) | {"anomvae": "0.0.1"}
    files.summary.write_text(json.dumps(data))

    assert cached_result(files, NOW, overwrite=False).digest == NOW.digest


@pytest.mark.parametrize(
    ("before", "now"),
    [
        *((before, NAMES[:published]) for before in ((), NAMES[:-1]) for published in range(5)),
        *(((), set(NAMES) - {missing}) for missing in NAMES[:-1]),
    ],
)
def test_what_a_killed_run_left_is_made_again_without_overwrite(files, before, now):
    for name in before:
        write_file(files, name, BEFORE)
    for name in now:
        write_file(files, name, NOW)

    assert cached_result(files, NOW, overwrite=False) is None


@pytest.mark.parametrize("names", [NAMES, ("scores",), ("flags",), ("objects",)], ids="+".join)
def test_files_of_other_settings_are_kept_unless_overwritten(files, names):
    write_all(files)
    for name in names:
        write_file(files, name, BEFORE)

    with pytest.raises(OutputExists, match=r"other settings.*--overwrite"):
        cached_result(files, NOW, overwrite=False)

    assert cached_result(files, NOW, overwrite=True) is None


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "raster"])
def test_a_file_that_is_not_ours_is_kept_unless_overwritten(files, name, others):
    if others and name != "quicklook":  # a PNG is ours beside a map of ours
        write_all(files)
    if name == "raster":
        path = write(files.flags, np.ones((1, 2, 2), "float32"))
    else:
        path = getattr(files, name)
        path.write_text('{"precious": true}')

    with pytest.raises(OutputExists, match="not written by anomvae") as error:
        cached_result(files, NOW, overwrite=False)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert cached_result(files, NOW, overwrite=True) is None


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_instead_of_a_file_is_never_replaced(files, overwrite):
    write_all(files, BEFORE)
    files.quicklook.unlink()
    files.quicklook.mkdir()

    with pytest.raises(OutputExists, match="is a folder"):
        cached_result(files, NOW, overwrite=overwrite)


def test_an_input_beside_the_deliverables_is_no_obstacle(files):
    write_all(files)
    write(files.folder / "coast.tif", land())

    files.require_apart([identify(files.folder / "coast.tif"), identify("s3://coast.png")])


@pytest.mark.parametrize("options", [ScoreOptions(), OVERWRITE])
@pytest.mark.parametrize("role", ["scene", "mask", "normal", "batch"])
def test_scene_masks_and_other_scenes_of_a_batch_are_inputs(tmp_path, role, options):
    ones = np.ones((1, 40, 48), "uint8")
    scene = write(tmp_path / "scene.tif", land())
    kept = tmp_path / "scene.anomaly.tif"
    write(kept, land() if role in {"scene", "batch"} else ones, nodata=None)
    if role == "scene":
        (tmp_path / "scene.anomaly.anomaly.tif").symlink_to(kept)
    before, normal = content(tmp_path), Selection(normal=[kept])
    calls = {
        "scene": lambda: score_scene(Neighbours(), kept, tmp_path, options),
        "mask": lambda: score_scene(Neighbours(), Scene.of(scene, mask=kept), tmp_path, options),
        "normal": lambda: detect_scene(scene, tmp_path, select=normal, options=options),
        "batch": lambda: score_scenes(Neighbours(), [scene, kept], tmp_path, options),
    }

    with pytest.raises(ConfigError, match="is read for these results"):
        calls[role]()

    assert content(tmp_path) == before


def test_a_changed_input_is_another_result(scene, tmp_path):
    out = tmp_path / "out"
    first = score_scene(Neighbours(), scene, out)
    again = score_scene(Neighbours(), scene, out)
    write(scene, plant(land(seed=2)))

    with pytest.raises(OutputExists, match="other settings"):
        score_scene(Neighbours(), scene, out)

    assert first.newly_written
    assert again == replace(first, newly_written=False, seconds=again.seconds)
    assert score_scene(Neighbours(), scene, out, OVERWRITE).newly_written


@pytest.mark.parametrize("earlier", [False, True])
def test_a_run_that_fails_leaves_the_folder_as_it_was(scene, tmp_path, earlier):
    out = tmp_path / "out"
    if earlier:
        score_scene(Neighbours(id="earlier"), scene, out)
    before = content(out) if earlier else None
    failing = Failing(errors=[ZeroDivisionError()])

    with pytest.raises(ZeroDivisionError):
        score_scene(failing, scene, out, OVERWRITE)

    assert (content(out) if out.exists() else None) == before


def test_the_command_ends_with_6_while_another_run_makes_the_files(scene, model, tmp_path):
    with staging(tmp_path / "out", "scene"):
        ran = run("score", scene, "-m", model, "-o", tmp_path / "out")

    refused(ran, 6, "another run of anomvae")
    assert not (tmp_path / "out").exists()


def test_a_result_of_another_run_that_was_faster_is_kept(files):
    digests = iter([BEFORE.digest, NOW.digest])

    @dataclass(frozen=True)
    class Overtaken(CacheKey):
        """A key that another run writes a result of between the two checks."""

        @property
        def digest(self):
            return next(digests)

    write_all(files)

    with begin(files, Overtaken("detector", "settings", "now"), OVERWRITE, EMPTY) as result:
        assert result == replace(result_of(files), newly_written=False)

    assert sorted(files.folder.iterdir()) == sorted(getattr(files, name) for name in NAMES)


def test_every_deliverable_but_the_styles_says_what_it_holds():
    assert list(TITLES) == [end for end in DELIVERABLES if not end.endswith(STYLE_END)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_killed_at_any_moment_leaves_files_that_the_next_run_completes(tmp_path):
    random = np.random.default_rng(0)
    scene = write(tmp_path / "scene.tif", plant(land((300, 300), seed=1)))
    trained().save(tmp_path / "old.safetensors")
    other = trained().with_threshold(parse_rule("fixed:3"))
    other.save(tmp_path / "new.safetensors")
    expected = {}
    for name in ("old", "new"):
        detector = Detector.load(tmp_path / f"{name}.safetensors")
        whole = score_scene(detector, scene, tmp_path / name)
        expected[whole.digest] = whole
    files = Deliverables(tmp_path / "out", "scene")

    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", REPUBLISH, tmp_path], stdout=subprocess.PIPE, text=True
        ) as process:
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.5))
            process.kill()
        result = read_summary(files)
        if result is not None:  # all files are of one run
            assert same_files(result, expected[result.digest])
        else:
            assert score_scene(trained(), scene, files.folder).newly_written

    last = score_scene(trained(), scene, files.folder, OVERWRITE)
    assert sorted(files.folder.iterdir()) == sorted(last.written)
