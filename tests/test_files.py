"""Atomic files, and locks between runs."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from anomvae.errors import LockHeld, NotWritten, RasterError
from anomvae.files import (
    as_paths,
    staging,
    sweep,
    tidy,
    write_atomically,
    writing,
)

STAGE = """
import sys, time
from anomvae.files import staging
with staging(sys.argv[1], "coast") as stage:
    stage.path("half").write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""


@contextmanager
def running(folder):
    """Run a process that writes results called coast; kill it in the end."""
    process = subprocess.Popen([sys.executable, "-c", STAGE, folder], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"begun\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_published_files_appear_and_the_hidden_folder_is_removed(tmp_path):
    out = tmp_path / "new" / "out"

    with staging(out, "coast") as stage:
        stage.path("a.json").write_bytes(b"a")
        stage.path("left.tmp").write_bytes(b"never published")
        assert all(path.name.startswith(".anomvae-") for path in out.iterdir())
        stage.publish("a.json")

    assert [path.name for path in out.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("names", "done", "left"),
    [
        (["map", "mark"], 0, {"map": b"old"}),
        (["map", "mark"], 1, {"map": b"new"}),
        (["first", "map", "mark"], 1, {"first": b"new", "map": b"old"}),
        (["map"], 0, {"map": b"old"}),
    ],
)
def test_files_are_renamed_in_order_once_the_mark_of_several_is_gone(
    tmp_path, monkeypatch, names, done, left
):
    replace, renames = Path.replace, iter(range(done))

    def dying(path, target):
        if next(renames, None) is None:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", dying)
    with staging(tmp_path, "coast") as stage:
        for name in names:
            (tmp_path / name).write_bytes(b"old")
            stage.path(name).write_bytes(b"new")
        with pytest.raises(KeyboardInterrupt):
            stage.publish(*names)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == left


def test_nothing_is_renamed_or_removed_while_a_file_is_missing(tmp_path):
    (tmp_path / "mark").write_bytes(b"old")

    with staging(tmp_path, "coast") as stage:
        stage.path("first").write_bytes(b"new")
        with pytest.raises(NotWritten, match="No such file"):
            stage.publish("first", "mark")

    assert [path.name for path in tmp_path.iterdir()] == ["mark"]
    assert (tmp_path / "mark").read_bytes() == b"old"


def test_results_of_one_name_are_written_by_one_run_at_a_time(tmp_path):
    with running(tmp_path):
        with pytest.raises(LockHeld, match=r"^.*coast is being written by another run.*Wait.*\.$"):
            write_atomically(tmp_path / "coast", b"")
        write_atomically(tmp_path / "other", b"")
        sweep(tmp_path)
        tidy(tmp_path, "coast")
        assert list(tmp_path.glob(".anomvae-*.part/half"))  # files of a live run stay


def staged(folder, name):
    with staging(folder, name) as stage:
        assert list(stage.hidden.iterdir()) == []


@pytest.mark.parametrize(
    "removal",
    [partial(staged, name="coast"), partial(staged, name="other"), partial(tidy, name="coast")],
)
def test_hidden_files_of_a_killed_run_are_removed_by_the_next_one_in_the_folder(tmp_path, removal):
    with running(tmp_path):
        pass
    tidy(tmp_path, "another")
    assert len(list(tmp_path.iterdir())) == 2

    removal(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_terminated_run_cleans_up(tmp_path):
    code = (
        "from anomvae.cli.group import main; import click, sys\n"
        "@click.command()\n@click.argument('folder')\n"
        f"def stage(folder):\n    sys.argv = ['', folder]\n    exec({STAGE!r})\n"
        "from anomvae.cli import group; group.Group.get_command = lambda *a: stage\n"
        "main(['stage', sys.argv[1]])"
    )
    line, pipe = [sys.executable, "-c", code, tmp_path], subprocess.PIPE
    process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout.readline() == "begun\n"

    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=60)

    assert process.returncode == 130
    assert message == "Error: interrupted; nothing half-made is left.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_an_error_of_the_system_is_one_line_of_ours(error):
    with pytest.raises(NotWritten, match=r"^map cannot be written: .+\. .+\.$"), writing("map"):
        raise error


def test_an_error_of_ours_is_not_changed():
    with pytest.raises(RasterError, match=r"^the scene is damaged$"), writing("map"):
        raise RasterError("the scene is damaged")


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_where_a_folder_is_expected_is_one_line(tmp_path, inside):
    (tmp_path / "out").write_text("a file")

    with pytest.raises(NotWritten, match=r"^.* a file stands where a folder is expected\. .*\.$"):
        write_atomically(tmp_path / "out" / inside / "model", b"")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that holds no files")
def test_an_unwritable_folder_is_one_line():
    with pytest.raises(NotWritten, match=r"^/proc/out cannot be written: .+\. Choose a place"):
        write_atomically("/proc/out/model", b"")


def test_a_file_is_replaced_whole_with_the_mode_of_any_other(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "model"
    plain.write_bytes(b"")
    path.write_bytes(b"old")

    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [path, plain]


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path):
    (tmp_path / "model").mkdir()

    with pytest.raises(RasterError):
        write_atomically(tmp_path / "model", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_scene_is_one_raster_or_one_for_each_date():
    assert as_paths("a.tif") == ("a.tif",)
    assert as_paths(Path("a.tif")) == ("a.tif",)
    assert as_paths(["a.tif", Path("b.tif")]) == ("a.tif", "b.tif")
