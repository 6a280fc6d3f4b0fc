"""Outputs: what is no file stays; terminals, spreadsheets and readers of JSON are safe."""

import json
import logging
import os
import socket
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rasterio
from support.rasters import land, plant, run, write, write_labels
from support.refusals import refused
from support.scene_files import make, setting
from support.scorers import Neighbours
from support.watching import Clock, Stub, drop, run_watch, watch

from anomvae.cli.output import LineFormatter, csv_text, terminal_text
from anomvae.documents import read_json, to_json
from anomvae.errors import FileError
from anomvae.files import write_atomically
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.mapping.deliverables import Deliverables
from anomvae.names import printable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
QUICK = ("--set", "training.max_steps=5")


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to(os.devnull)


def listening(path):
    with socket.socket(socket.AF_UNIX) as opened:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            opened.bind(f"/proc/self/fd/{folder}/{path.name}")  # a long path fits no address
        finally:
            os.close(folder)


def folder(path):
    path.mkdir()


KINDS = [fifo, device, listening, folder]


def kind_of(path):
    return stat.S_IFMT(os.lstat(path).st_mode)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_not_replaced_by_one(tmp_path, kind):
    path = tmp_path / "result"
    kind(path)
    before = kind_of(path)

    with pytest.raises(FileError, match="no file replaces") as error:
        write_atomically(path, b"new")

    assert error.value.exit_code == 3
    assert kind_of(path) == before


@pytest.mark.parametrize("command", ["train", "threshold", "evaluate", "demo"])
def test_no_command_replaces_a_device(scene, model, tmp_path, command):
    out = tmp_path / ("model.safetensors" if command == "demo" else "result")
    if command == "demo":
        model.unlink()
    device(out)
    labels = write_labels(tmp_path / "labels.tif")
    arguments = {
        "train": (scene, "-o", out, "--overwrite", *QUICK),
        "threshold": (model, scene, "-o", out, "--overwrite"),
        "evaluate": (scene, "-m", model, "--labels", labels, "-o", out, "--overwrite"),
        "demo": ("-o", tmp_path),
    }

    ran = run(command, *arguments[command])

    assert ran.code == 3, ran.err
    assert out.is_symlink()
    assert f"{out} is a device" in ran.err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["anomaly.tif", "flags.tif", "objects.geojson", "png", "json"])
def test_no_deliverable_replaces_what_is_no_file(scene, tmp_path, kind, end):
    out = tmp_path / "out"
    out.mkdir()
    kind(out / f"scene.{end}")
    before = kind_of(out / f"scene.{end}")

    with pytest.raises(FileError) as error:
        score_scene(Neighbours(), scene, out, ScoreOptions(overwrite=True))

    assert error.value.exit_code == 3
    assert kind_of(out / f"scene.{end}") == before
    assert [path.name for path in out.iterdir()] == [f"scene.{end}"]


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "feed.geojson", tmp_path / "feed.geojson"
    target.write_bytes(b"old")
    link.symlink_to("disk/feed.geojson")

    write_atomically(link, b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_link_in_a_folder_of_results_is_replaced_and_its_file_kept(scene, tmp_path):
    precious, files = tmp_path / "precious", Deliverables(tmp_path / "out", "scene")
    precious.write_bytes(b"old")
    files.folder.mkdir()
    files.quicklook.symlink_to(precious)

    score_scene(Neighbours(), scene, files.folder, ScoreOptions(overwrite=True))

    assert precious.read_bytes() == b"old"
    assert not files.quicklook.is_symlink()


# The state of a watch


def test_the_state_is_readable_by_its_owner_alone(tmp_path):
    modes = {}

    class Listing(Stub):
        """Lists the modes of all files of the state during a run."""

        def score(self, scene, folder):
            paths = [tmp_path / "state", *(tmp_path / "state").iterdir()]
            modes.update({path.name: stat.S_IMODE(path.stat().st_mode) for path in paths})
            return super().score(scene, folder)

    config = watch(tmp_path)
    drop(tmp_path, "a.tif", 20)
    before = os.umask(0o022)
    try:
        run_watch(config, Clock(), Listing())
    finally:
        os.umask(before)

    assert modes.pop("state") == 0o700
    assert {"monitor.sqlite", "monitor.sqlite-wal", "running.json"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_state_of_before_is_closed_to_others(tmp_path):
    config = watch(tmp_path)
    run_watch(config, Clock())
    database = tmp_path / "state" / "monitor.sqlite"
    database.chmod(0o644)

    run_watch(config, Clock())

    assert stat.S_IMODE(database.stat().st_mode) == 0o600


# Spreadsheets


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_of_a_table_is_a_formula(start):
    table = pd.DataFrame({"source": [f"{start}cmd|x.tif", "a.tif", None], "score": [-1.5, 2, None]})

    lines = csv_text(table.convert_dtypes()).split("\n")

    assert f"'{start}cmd|x.tif" in csv_text(table)
    assert lines[0] == "source,score"
    assert lines[-3] == "a.tif,2.0"
    assert ",-1.5" in csv_text(table)


def test_the_history_of_a_watch_runs_nothing_in_a_spreadsheet(tmp_path):
    write_config(tmp_path)
    drop(tmp_path, "=HYPERLINK(1).tif", 20)
    run_watch(watch(tmp_path), Clock())

    ran = run("monitor", "history", tmp_path / "watch.toml", "--csv")

    assert ran.code == 0, ran.err
    assert "harbour,'=HYPERLINK(1).tif,done," in ran.out


def write_config(folder):
    (folder / "watch.toml").write_text(
        '[[site]]\nname = "harbour"\nmodel = "model"\nout = "maps"\n[site.folder]\npath = "in"\n'
    )


# Terminals

EVIL = "a\x1b]0;owned\x07\x1b[31m\x9b31m\u202etif.exe\x7f"


def is_clean(text):
    return not any(ord(char) < 32 and char != "\n" for char in text) and not (
        {"\x7f", "\x9b", "\u202e"} & set(text)
    )


def test_a_text_is_escaped_and_stays_readable():
    assert terminal_text("caf\u00e9 \u6587\t1\n") == "caf\u00e9 \u6587\t1\n"
    assert terminal_text("\x1b[1m\r\udcff\u202e") == r"\x1b[1m\r\udcff\u202e"
    assert is_clean(terminal_text(EVIL))


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", EVIL),
        ("score", "a.tif", "-m", EVIL, "-o", "y"),
        ("train", EVIL, "-o", "y", "-vv"),
        ("info", "a.tif", f"--{EVIL}"),
        (EVIL,),
        ("config", "check", EVIL),
        ("train", "a.tif", "-o", "x", "--seed", EVIL),
    ],
)
def test_a_name_never_controls_the_terminal(arguments):
    ran = run(*arguments)

    assert ran.code in {2, 3}
    assert "owned" in ran.err
    assert is_clean(ran.err)


def test_a_scene_of_an_evil_name_with_evil_bands_never_controls_the_terminal(tmp_path):
    bands = [f"{EVIL}\nError: {number}" for number in range(6)]
    scene = write(tmp_path / f"{EVIL}.tif", plant(land(seed=1)), names=bands)
    with rasterio.open(scene, "r+") as dataset:
        dataset.colorinterp = [rasterio.enums.ColorInterp.gray] * 6
    model = tmp_path / "model.safetensors"

    ran = [
        run("info", scene),
        run("info", scene, "--json"),
        run("train", scene, "-o", model, *QUICK, "-vv"),
        run("info", model),
        run("score", scene, "-m", model, "-o", tmp_path / "out", "-vv"),
        run("score", scene, "-m", model, "-o", tmp_path / "out", "--json"),
    ]

    assert [one.code for one in ran] == [0] * 6
    assert all(is_clean(one.out + one.err) for one in ran)
    assert not any(line.startswith("Error") for one in ran for line in one.out.splitlines())
    described = json.loads(ran[1].out)
    assert described["scene"] == str(scene)


def test_a_log_line_is_one_line_without_control_characters():
    record = logging.LogRecord("rasterio", logging.WARNING, "x", 1, f"{EVIL}\nError: x", (), None)

    line = LineFormatter().format(record)

    assert "\n" not in line
    assert is_clean(line)


def test_status_and_history_show_no_control_characters_of_a_watch(tmp_path):
    write_config(tmp_path)
    (tmp_path / "in").mkdir()
    drop(tmp_path, f"{EVIL}.tif", "bad")
    config = watch(tmp_path)
    run_watch(config, Clock())

    ran = [
        run("monitor", *command, tmp_path / "watch.toml", *options)
        for command, options in (
            (["status"], []),
            (["status"], ["--json"]),
            (["history"], []),
            (["history"], ["--csv"]),
            (["history"], ["--json"]),
        )
    ]

    assert [one.code for one in ran] == [0] * 5, ran[0].err
    assert all("owned" in one.out and is_clean(one.out) for one in ran)
    assert printable(EVIL) in json.loads(ran[-1].out)[0]["source"]


# JSON


def test_json_has_null_for_what_is_no_number():
    data = {"a": [float("nan"), (float("inf"), 1.5)], "b": {"c": -float("inf")}, "d": "\x7f"}

    text = to_json(data)

    assert read_json(text) == {"a": [None, [None, 1.5]], "b": {"c": None}, "d": "\x7f"}
    assert "\x7f" not in text


def test_a_scene_with_an_odd_scale_is_refused_in_one_line(tmp_path):
    values = np.ones((2, 4, 4), "float32")
    path = make(tmp_path / "odd.tif", values, describe=setting(scales=(float("inf"), 1)))

    refused(run("info", path, "--json"), 3, "odd.tif has a scale", "no number")


def test_a_summary_is_json_whatever_its_numbers(scene, tmp_path):
    result = score_scene(Neighbours(), scene, tmp_path / "out")
    odd = replace(result, threshold=replace(result.threshold, value=float("inf")))

    assert read_json(odd.to_json())["threshold"]["value"] is None
