"""Secrets in addresses: they open a source, and appear in no message, log, file or database."""

import json
import logging
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote

import pytest
import rasterio
from support import watching
from support.rasters import bands_of, land, plant, run, trained, write, write_labels
from support.servers import served
from support.watching import Clock, Stub, receiver, rows, run_watch, watch

from anomvae import evaluate
from anomvae.cli.output import LineFormatter, terminal_line
from anomvae.errors import RasterError
from anomvae.mapping import read_summary, score_scene
from anomvae.monitoring.health import JsonFormatter
from anomvae.monitoring.web import DeliveryFailed, call
from anomvae.raster import Scene, raster_dataset
from anomvae.raster.maps import LAYERS

SECRET = "s3cr3t"
QUERY = f"sig={SECRET}&k={SECRET}%2Fx&api_key={SECRET}"
SIGNED = [
    "http://{host}/{file}?" + QUERY,
    f"http://user:{SECRET}@{{host}}/{{file}}",
    f"/vsicurl/http://user:{SECRET}@{{host}}/{{file}}?{QUERY}",
]


def encoded(host, file):
    """Wrap an address in the options of GDAL, encoded."""
    url = quote(f"http://user:{SECRET}@{host}/{file}?{QUERY}", safe="")
    return f"/vsicurl?max_retry=0&url={url}"


def names(url, file):
    host = url.removeprefix("http://")
    return [*(name.format(host=host, file=file) for name in SIGNED), encoded(host, file)]


def leaks(folder):
    """Name the files that hold the secret in their name or content."""
    return [
        path
        for path in folder.rglob("*")
        if SECRET in str(path) or (path.is_file() and SECRET.encode() in path.read_bytes())
    ]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Give up at once."""
    monkeypatch.setattr(raster_dataset, "PAUSES", (0.0,))
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")


@pytest.fixture
def folder(tmp_path):
    """Hold what a server serves, apart from what is written."""
    served_folder = tmp_path / "served"
    served_folder.mkdir()
    write(served_folder / "scene.tif", plant(land(seed=1)))
    write_labels(served_folder / "labels.tif")
    trained().save(tmp_path / "model.safetensors")
    return tmp_path


@pytest.mark.parametrize("kind", range(4))
def test_no_command_shows_or_stores_the_secret_of_a_signed_address(folder, capfd, kind):
    model, out = folder / "model.safetensors", folder / "out"
    with served(folder / "served") as url:
        scene, labels = (names(url, f"{name}.tif")[kind] for name in ("scene", "labels"))
        score = ("score", scene, "-m", model, "-o", out, "-v")
        ran = [run(*score, "--json"), run(*score, "--mask", labels), run("info", scene, "--json")]
        ran += [run("evaluate", scene, f"{out}/scene.anomaly.tif", "--labels", labels, "--json")]
    captured = "".join([*capfd.readouterr(), *(one.out + one.err for one in ran)])

    assert [one.code for one in ran] == [0, 3, 0, 0], captured  # with a mask it is another input
    assert SECRET not in captured
    assert not leaks(folder)
    assert (out / "scene.anomaly.tif").exists()


@pytest.mark.parametrize("trouble", ["404:1-", "500:1-", "drop:2-"])
def test_no_failure_shows_the_secret(folder, capfd, trouble):
    with served(folder / "served", trouble) as url:
        scenes = names(url, "scene.tif")
        ran = [run("info", scene, "-vv") for scene in scenes]
        model, out = folder / "model.safetensors", folder / "out"
        ran += [run("score", scenes[2], "-m", model, "-o", out, "-vv")]
    captured = "".join([*capfd.readouterr(), *(one.out + one.err for one in ran)])

    assert ran[-1].code == 3, captured
    assert "scene.tif cannot be" in captured
    assert SECRET not in captured
    assert not leaks(folder)


def test_a_process_that_trains_and_fails_shows_no_secret(folder):
    with served(folder / "served", "404:1-") as url:
        scene = names(url, "scene.tif")[2]
        command = [sys.executable, "-m", "anomvae", "train", scene, "-vv"]
        done = subprocess.run(
            [*command, "-o", folder / "m.safetensors"], capture_output=True, text=True, check=False
        )

    assert done.returncode == 3
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("option", ["--mask", "--normal", "--covariates"])
def test_other_inputs_keep_their_secrets(folder, scene, option):
    url = f"http://user:{SECRET}@127.0.0.1:9/x.tif?{QUERY}"

    ran = run("train", scene, option, url, "-o", folder / "m.safetensors", "-vv")

    assert ran.code in {2, 3, 4}
    assert SECRET not in ran.out + ran.err


def test_the_name_in_python_still_opens_the_scene_and_its_summary_has_no_secret(folder):
    with served(folder / "served") as url:
        scene = names(url, "scene.tif")[2]
        result = score_scene(trained(), scene, folder / "out")
        with Scene.of(result.scene).open() as opened:
            assert SECRET not in opened.name
        labels = names(url, "labels.tif")[2]
        evaluation = evaluate(result, labels)

    assert result.scene == scene
    assert SECRET not in read_summary(result.files).scene + evaluation.to_json()
    with rasterio.open(result.path) as written:
        assert SECRET not in str(written.tags())
    assert bands_of(result.path).shape[0] == len(LAYERS)


def test_the_training_scenes_in_a_model_have_no_secret(folder):
    with served(folder / "served") as url:
        scene = names(url, "scene.tif")[0]
        model = folder / "m.safetensors"
        ran = run("train", scene, "-o", model, "--set", "training.max_steps=5", "-v")

    assert ran.code == 0, ran.err
    assert SECRET not in ran.err + run("info", model).out
    assert not leaks(folder)


def test_an_address_without_a_path_names_no_file_by_its_password():
    assert SECRET not in Scene.of(f"https://user:{SECRET}@eo.example").stem
    assert SECRET not in Scene.of(f'NETCDF:"/vsicurl/https://h/a.nc?sig={SECRET}":t2m').stem


def test_the_watch_stores_and_sends_no_secret(tmp_path, caplog):
    listed = [
        f"https://eo.example/a.tif?{QUERY}",
        f"https://user:{SECRET}@eo.example/b.tif?date=1&page={SECRET}",
        f"/vsicurl?url=https%3A%2F%2Feo.example%2Fc.tif%3Fsig%3D{SECRET}",
    ]
    site = {"folder": None, "urls": {"urls": listed}}
    files = {"feed": {"path": "feed.geojson"}, "stdout": False}
    config = watch(tmp_path, site=site, alerts=files, health={"log": "log"})
    stub = Stub(flagged=20)

    done = run_watch(config, Clock(), stub)
    broken = Stub(error=RasterError(f"'{listed[1]}' cannot be read: HTTP of {listed[2]}"))
    (tmp_path / "model").write_text("model 2")
    failed = run_watch(config, Clock(), broken, backfill=True)

    assert (done.done, failed.code) == (3, 5)
    # The log of rasterio itself is concealed by the command line.
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("anomvae")]
    assert SECRET not in "".join([*ours, *failed.messages])
    assert not leaks(tmp_path)
    names_ = {source for (source,) in rows(tmp_path, "SELECT source FROM scenes")}
    assert "https://eo.example/b.tif" in names_


def test_addresses_that_differ_in_their_query_are_two_scenes_and_a_new_signature_is_none(tmp_path):
    def known(*queries):
        listed = [f"https://eo.example/a.tif?{query}" for query in queries]
        site = {"folder": None, "urls": {"urls": listed}}
        return run_watch(watch(tmp_path, site=site), Clock(), Stub(flagged=0)).done

    assert known("page=1&sig=a", "page=2&sig=a") == 2
    assert known("page=1&sig=b", "page=2&token=b") == 0


@pytest.mark.parametrize("health", ["webhook", "heartbeat"])
def test_user_and_password_of_a_receiver_are_sent_and_not_shown(tmp_path, caplog, health):
    with receiver() as server:
        url = server.url.replace("://", f"://user:{SECRET}@") + f"/x?token={SECRET}"
        if health == "webhook":
            tables = {"alerts": {"stdout": False, "webhook": [{"url": url}]}}
        else:
            tables = {"health": {"heartbeat": url}}
        (tmp_path / "in").mkdir()
        config = watch(tmp_path, **tables)
        (tmp_path / "in" / "a.tif").write_text("20")
        os.utime(tmp_path / "in" / "a.tif", (0, 0))
        done = run_watch(config, Clock())

    assert done.code == 0
    ((_, path, headers, _),) = server.requests
    assert path == f"/x?token={SECRET}"
    assert headers["Authorization"].startswith("Basic ")

    gone = run_watch(config, Clock())  # the server is gone
    assert SECRET not in caplog.text + "".join(gone.messages)
    assert not leaks(tmp_path / "state")


@pytest.mark.parametrize(
    "url", [f"http://user:{SECRET}@eo.example/{SECRET}", f"ftp://h/{SECRET}", f"https:/{SECRET}"]
)
def test_a_refused_address_in_a_configuration_is_not_shown(tmp_path, url):
    model, file = tmp_path / "model", tmp_path / "watch.toml"
    model.write_text("x")
    site = '[[site]]\nname = "a"\nmodel = "model"\nout = "out"\n[site.folder]\npath = "in"\n'
    file.write_text(f'{site}[[alerts.webhook]]\nurl = "{url}"\n')

    ran = run("config", "check", file)

    assert ran.code == 2
    assert SECRET not in ran.err


def test_a_log_line_shows_no_secret_of_gdal():
    record = logging.LogRecord(
        "rasterio", logging.WARNING, "x", 1, "CPLE_AppDefined in %s", (), None
    )
    record.args = (f"HTTP response code on http://u:{SECRET}@h/a.tif?k={SECRET}: 404",)

    line = LineFormatter().format(record)

    assert line == "WARNING: CPLE_AppDefined in HTTP response code on http://h/a.tif: 404"


TEXTS = [
    "'/vsicurl/https://u:{0}@h/a.tif?x={0}' does not exist",
    "https%3A%2F%2Fu%3A{0}%40h%2Fa.tif%3Fsig%3D{0} is wrong",
    "https%253A%252F%252Fu%253A{0}%2540h%252Fa.tif%253Fsig%253D{0}",
    "Max retries exceeded with url: /c.json?page=1&key={0} (Caused by X)",
    "PG:host=h user=u password={0} dbname=d",
    "postgresql://u:{0}@h/db",
    "https://u:{0}/{0}@h/a.tif",
    "https://u:{0}?{0}@h/a.tif",
    "https://h/a.tif#access_token={0}",
    "<SourceFilename>/vsicurl/https://h/a.tif?b=1&amp;sig={0}</SourceFilename>",
    "/vsizip//vsicurl/https://h/a.zip?sig={0}/{0}/b.tif",
    "Authorization: Bearer {0}{0}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_an_error_is_removed_however_it_is_written(text):
    text = text.format(SECRET)

    assert SECRET not in str(RasterError(text))
    assert terminal_line(str(RasterError(text))) == str(RasterError(text))


PLAIN = [
    "maps/x?.tif exists. Did you mean 'a'?",
    "see https://h/a@b.tif, and s3://b/what.tif.",
    "http://127.0.0.1:8000/a@b.tif cannot be read: it has 3 bands; sigma:3 (sigma=4).",
    "C:\\a.tif: secret_env = 'X'",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_a_secret_stays(text):
    assert str(RasterError(text)) == text


def test_a_long_text_is_searched_at_once():
    for text in ("1" * 300_000, "a." * 150_000, "?" * 300_000, "x=" * 150_000, "%25" * 100_000):
        assert str(RasterError(text)) == text


def test_the_json_log_of_a_watch_is_json_without_secrets():
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", (), None)
    record.facts = {"error": f'"https://h/a?sig={SECRET}" \x1b', "share": float("nan"), "n": 1}

    line = json.loads(JsonFormatter("run").format(record))

    assert (line["error"], line["share"], line["n"]) == ('"https://h/a" \x1b', None, 1)


@pytest.mark.parametrize("end", ["/", " # my hook", "\x01"])
def test_a_secret_in_the_path_of_a_receiver_is_in_no_reason(end):
    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(301)
            self.send_header("Location", f"{self.path}/")
            self.end_headers()

        def log_message(self, *arguments):
            """Keep quiet."""

    with watching.served(Redirecting) as url, pytest.raises(DeliveryFailed) as error:
        call(f"{url}/services/T0/SECRET{end}", timeout=5)

    assert "SECRET" not in str(error.value)
