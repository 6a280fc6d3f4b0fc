import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomvae.errors import LockHeld, RasterError
from anomvae.files import identify, staging, sweep, tidy, without_query, write_atomically, writing

STAGE = """
import sys, time
from anomvae.files import staging
with staging(sys.argv[1], "coast") as stage:
    stage.path("half").write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""


def begun(folder):
    """Start a process that is making results called coast."""
    process = subprocess.Popen([sys.executable, "-c", STAGE, folder], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    return process


def end(process):
    process.kill()
    process.communicate()


def test_published_files_appear_and_the_hidden_folder_goes(tmp_path):
    out = tmp_path / "new" / "out"

    with staging(out, "coast") as stage:
        stage.path("a.json").write_bytes(b"a")
        stage.path("left.tmp").write_bytes(b"never published")
        before = [path.name for path in out.iterdir()]
        stage.publish("a.json")

    assert all(name.startswith(".anomvae-") for name in before)
    assert [path.name for path in out.iterdir()] == ["a.json"]


def test_files_are_renamed_in_the_order_given(tmp_path, monkeypatch):
    renamed = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda *a: renamed.append(a[1].name) or replace(*a))

    with staging(tmp_path, "coast") as stage:
        for name in ("first", "second", "last"):
            stage.path(name).write_bytes(b"")
        stage.publish("first", "second", "last")

    assert renamed == ["first", "second", "last"]


@pytest.mark.parametrize("done", [0, 1])
def test_the_old_commit_mark_is_gone_before_the_first_rename(tmp_path, monkeypatch, done):
    (tmp_path / "map").write_bytes(b"old")
    (tmp_path / "mark").write_bytes(b"old")
    replace, calls = Path.replace, []

    def dying(path, target):
        if len(calls) == done:
            raise KeyboardInterrupt
        calls.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", dying)
    with staging(tmp_path, "coast") as stage:
        for name in ("map", "mark"):
            stage.path(name).write_bytes(b"new")
        with pytest.raises(KeyboardInterrupt):
            stage.publish("map", "mark")

    assert [path.name for path in tmp_path.iterdir()] == ["map"]
    assert (tmp_path / "map").read_bytes() == (b"new" if done else b"old")


def test_the_old_commit_mark_stays_while_a_file_is_missing(tmp_path):
    (tmp_path / "mark").write_bytes(b"old")

    with staging(tmp_path, "coast") as stage:
        stage.path("mark").write_bytes(b"new")
        with pytest.raises(RasterError):
            stage.publish("map", "mark")

    assert (tmp_path / "mark").read_bytes() == b"old"


def test_nothing_is_renamed_while_a_file_is_missing(tmp_path):
    with staging(tmp_path, "coast") as stage:
        stage.path("first").write_bytes(b"1")

        with pytest.raises(RasterError, match="No such file"):
            stage.publish("first", "forgotten")

    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing_behind(tmp_path):
    def die():
        with staging(tmp_path, "coast") as stage:
            stage.path("half").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()

    assert list(tmp_path.iterdir()) == []


def test_results_of_one_name_are_made_by_one_run_at_a_time(tmp_path):
    other = begun(tmp_path)
    try:
        with (
            pytest.raises(LockHeld, match=r"coast is being written by another run.*Wait") as error,
            staging(tmp_path, "coast"),
        ):
            pass
        write_atomically(tmp_path / "elsewhere", b"")
        assert list(tmp_path.glob(".anomvae-*.part/half"))  # what is alive is not swept up
    finally:
        end(other)

    assert "\n" not in str(error.value)
    assert error.value.exit_code == 6


@pytest.mark.parametrize("name", ["coast", "other"])
def test_what_a_killed_run_left_is_removed_by_the_next_one_in_the_folder(tmp_path, name):
    end(begun(tmp_path))
    assert len(list(tmp_path.iterdir())) == 2

    with staging(tmp_path, name) as stage:
        left = [path.name for path in stage.hidden.iterdir()]

    assert left == []
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_dead_is_removed(tmp_path):
    other = begun(tmp_path)
    try:
        sweep(tmp_path)
        tidy(tmp_path, "coast")
        assert list(tmp_path.glob(".anomvae-*.part/half"))
    finally:
        end(other)
    tidy(tmp_path, "other")
    assert len(list(tmp_path.iterdir())) == 2

    tidy(tmp_path, "coast")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_that_is_asked_to_end_cleans_up(tmp_path):
    code = (
        "from anomvae.cli.group import main; import click, sys\n"
        "@click.command()\n@click.argument('folder')\n"
        f"def stage(folder):\n    sys.argv = ['', folder]\n    exec({STAGE!r})\n"
        "from anomvae.cli import group; group.Group.get_command = lambda *a: stage\n"
        "main(['stage', sys.argv[1]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"

    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)

    assert process.returncode == 130
    assert told == "Error: interrupted; nothing half-made is left.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_what_the_system_says_is_one_line_of_ours(tmp_path, error):
    with (
        pytest.raises(RasterError, match=r"^.*map cannot be written: .+\. .+\.$"),
        writing(tmp_path / "map"),
    ):
        raise error


def test_what_we_say_ourselves_is_left_as_it_is(tmp_path):
    with pytest.raises(RasterError, match=r"^the scene is damaged$"), writing(tmp_path / "map"):
        raise RasterError("the scene is damaged")


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_in_place_of_the_folder_is_told_in_one_line(tmp_path, inside):
    (tmp_path / "out").write_text("a file")

    with pytest.raises(RasterError, match="a file stands where a folder is expected") as error:
        write_atomically(tmp_path / "out" / inside / "model", b"")

    assert "\n" not in str(error.value)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder nobody may write")
def test_an_unwritable_folder_is_told_in_one_line():
    with pytest.raises(RasterError, match=r"^/proc/out cannot be written: .+\. Choose a place"):
        write_atomically("/proc/out/model", b"")


def test_a_file_is_replaced_whole_and_readable_as_any_other(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "model"
    plain.write_bytes(b"")
    path.write_bytes(b"old")

    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [path, plain]


def test_what_was_there_survives_a_failed_write(tmp_path):
    (tmp_path / "model").mkdir()

    with pytest.raises(RasterError):
        write_atomically(tmp_path / "model", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_file_is_the_same_wherever_its_folder_is(tmp_path, monkeypatch):
    (tmp_path / "scene.tif").write_bytes(b"12345")
    monkeypatch.chdir(tmp_path)

    identity = identify("scene.tif")

    assert identity == identify(tmp_path / "scene.tif")
    assert (identity.name, identity.size) == ("scene.tif", 5)


def test_a_changed_file_is_another(tmp_path):
    path = tmp_path / "scene.tif"
    path.write_bytes(b"12345")
    before = identify(path)

    os.utime(path, ns=(0, 1))

    assert identify(path) != before


def test_what_is_not_a_local_file_is_its_name():
    assert identify("s3://bucket/scene.tif").size is None


SIGNED = "X-Amz-Algorithm=AWS4&X-Amz-Credential=AK%2F1&X-Amz-Signature=secret&X-Amz-Expires=60"
SAS = "sv=2024-01-01&se=2025-01-01T00%3A00Z&sr=b&sp=r&sig=secret"


@pytest.mark.parametrize("query", [SIGNED, SAS, "Expires=1&Signature=secret&Key-Pair-Id=K"])
@pytest.mark.parametrize("start", ["https://", "s3://", "/vsicurl/https://"])
def test_an_url_is_the_same_however_it_is_signed(start, query):
    url = f"{start}eo.example/coast.tif"

    assert identify(f"{url}?{query}") == identify(url)
    assert without_query(f"{url}?{query}") == url


def test_what_an_url_asks_for_is_part_of_its_identity_but_not_of_its_name():
    one, other = (f"https://eo.example/wcs?coverage={name}&token=secret" for name in "ab")

    assert identify(one) != identify(other)
    assert "secret" not in repr(identify(one))
    assert without_query(one) == "https://eo.example/wcs"


def test_gdal_s_own_options_and_archives_keep_what_they_open():
    assert without_query("/vsicurl?max_retry=3&url=https%3A%2F%2Feo.example%2Fa.tif%3Fsig%3Ds") == (
        "/vsicurl/https://eo.example/a.tif"
    )
    assert without_query("/vsizip//vsicurl/https://eo.example/a.zip?sig=s/b.tif") == (
        "/vsizip//vsicurl/https://eo.example/a.zip/b.tif"
    )


def test_a_local_file_may_have_a_question_mark(tmp_path):
    (tmp_path / "what?.tif").write_bytes(b"1")

    assert identify(tmp_path / "what?.tif").name == "what?.tif"
    assert without_query(str(tmp_path / "what?.tif")).endswith("what?.tif")


def test_a_raster_given_as_text_is_its_text():
    assert identify("<VRTDataset>" + "x" * 5000).size is None
