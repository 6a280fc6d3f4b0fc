import os

import pytest

from anomvae.errors import RasterError
from anomvae.files import identify, staging, write_atomically


def test_published_files_appear_and_the_hidden_folder_goes(tmp_path):
    out = tmp_path / "new" / "out"

    with staging(out) as stage:
        stage.path("a.json").write_bytes(b"a")
        stage.path("left.tmp").write_bytes(b"never published")
        before = [path.name for path in out.iterdir()]
        stage.publish("a.json")

    assert all(name.startswith(".anomvae-") for name in before)
    assert [path.name for path in out.iterdir()] == ["a.json"]


def test_files_are_renamed_in_the_order_given(tmp_path):
    with staging(tmp_path) as stage:
        stage.path("first").write_bytes(b"1")
        stage.path("last").write_bytes(b"2")
        (tmp_path / "last").mkdir()  # so that the second rename fails

        with pytest.raises(RasterError):
            stage.publish("first", "last")

    assert (tmp_path / "first").read_bytes() == b"1"


def test_nothing_is_renamed_while_a_file_is_missing(tmp_path):
    with staging(tmp_path) as stage:
        stage.path("first").write_bytes(b"1")

        with pytest.raises(RasterError, match="No such file"):
            stage.publish("first", "forgotten")

    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing_behind(tmp_path):
    def die():
        with staging(tmp_path) as stage:
            stage.path("half").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()

    assert list(tmp_path.iterdir()) == []


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
