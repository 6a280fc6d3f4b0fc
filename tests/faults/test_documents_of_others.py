"""Deep, infinite and otherwise broken documents wherever one is read: one line, its exit code."""

import json

import numpy as np
import pytest
from rasterio.crs import CRS
from support.events import event, evidence
from support.rasters import land, run, trained, write
from support.refusals import refused
from support.watching import Clock, drop, run_watch, watch

import anomvae
from anomvae.errors import FileError, LockHeld, RasterError
from anomvae.files import locked
from anomvae.mapping import Deliverables, read_summary
from anomvae.monitoring.alerts import alert_of
from anomvae.monitoring.channels import email_message
from anomvae.monitoring.decisions.event import EventChange
from anomvae.monitoring.lock import OWNER_FILE, read_lock_owner
from anomvae.monitoring.outbox import Outbox
from anomvae.monitoring.receivers import MailConfig, WaitConfig
from anomvae.monitoring.records import Alert, Key
from anomvae.monitoring.state import opened_state
from anomvae.objects import read_objects
from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference, Scene
from anomvae.raster.polygons import read_polygons

DEEP = "[" * 100_000
BROKEN = {
    "deep": DEEP,
    "deep and whole": "[" * 5_000 + "]" * 5_000,
    "infinite": '{"a": Infinity}',
    "too large": '{"a": 1e999}',
    "not JSON": "<html>",
    "not UTF-8": b"\xff\xfe\x00",
    "empty": "",
    "a list": "[]",
    "null": "null",
    "a number": "5",
}
broken = pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
square = [[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]]


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("command", [["config", "check"], ["monitor", "run"]], ids=" ".join)
@pytest.mark.parametrize(
    "content",
    [f"a = {DEEP}", "a = inf", "a = nan", "a = 1e999", "a = [", b"\xff", "a = 1\na = 2", "\x00"],
    ids=["deep", "infinite", "no number", "too large", "open", "not UTF-8", "twice", "control"],
)
def test_a_configuration_that_is_no_toml_is_a_usage_error(tmp_path, command, content):
    path = put(tmp_path / "c.toml", content)

    refused(run(*command, path), 2, str(path))


@pytest.mark.parametrize("value", [DEEP, "inf", "-inf", "nan", "1e999", "8\nthreshold = 1"])
def test_a_setting_that_is_no_finite_value_is_a_usage_error(value):
    refused(run("config", "show", "--set", f"model.latent={value}"), 2, "--set model.latent")


@broken
def test_a_file_that_is_no_summary_is_not_replaced(tmp_path, content):
    scene, detector = write(tmp_path / "a.tif", land()), trained()
    summary = put(tmp_path / "a.json", content)

    with pytest.raises(FileError, match="was not written by anomvae"):
        anomvae.score_scene(detector, scene, tmp_path)

    assert read_summary(Deliverables(tmp_path, "a")) is None
    assert summary.read_bytes() == (content if isinstance(content, bytes) else content.encode())


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    return anomvae.score_scene(trained(), write(folder / "a.tif", land()), folder / "out")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("objects", "many"),
        ("seconds", None),
        ("score_quantiles", [1]),
        ("score_quantiles", {"1": "x"}),
        ("pixels", {"total": 1, "valid": True, "flagged": 0}),
        ("pixels", {"total": 1, "valid": 1, "flagged": -1}),
        ("threshold", {"value": "high", "fpr": 0, "rule": "r", "pixels": 1, "held_out": True}),
        ("scene", 5),
    ],
)
def test_a_summary_with_a_wrong_value_is_none(scored, field, value):
    text = scored.files.summary.read_text()
    scored.files.summary.write_text(json.dumps(json.loads(text) | {field: value}))

    wrong = read_summary(scored.files)
    scored.files.summary.write_text(text)

    assert wrong is None
    assert read_summary(scored.files).flagged == scored.flagged


def test_a_result_whose_summary_has_a_wrong_value_is_made_again(scored):
    summary = json.loads(scored.files.summary.read_text())
    scored.files.summary.write_text(json.dumps(summary | {"objects": "many"}))

    again = anomvae.score_scene(trained(), scored.scene, scored.files.folder)

    assert again.newly_written
    assert json.loads(scored.files.summary.read_text())["objects"] == summary["objects"]


@broken
def test_a_file_of_objects_that_is_none_is_named(tmp_path, content):
    path = put(tmp_path / "a.objects.geojson", content)

    with pytest.raises(FileError, match="is no file of objects"):
        read_objects(path)


def outline(*ring):
    return json.dumps({"type": "Polygon", "coordinates": [list(ring)]})


@pytest.mark.parametrize(
    "content",
    [
        *BROKEN.values(),
        outline([1e300, 0], *square[1:]),
        outline(*([x * 2e10, y * 2e10] for x, y in square)),
        outline([10**400, 0], *square[1:]),
        outline([True, False], *square[1:]),
        outline(*([str(x), str(y)] for x, y in square)),
        outline([None, 0], *square[1:]),
        outline({"x": 0}, *square[1:]),
        outline("00", "09", "99", "00"),
        '{"type": "Feature"}',
        '{"type": ["Feature"]}',
        '{"type": "FeatureCollection", "features": {}}',
    ],
)
def test_polygons_that_are_none_are_refused_in_one_line(tmp_path, content):
    scene = write(tmp_path / "a.tif", land(), crs=None)
    mask = put(tmp_path / "m.geojson", content)

    refused(run("train", scene, "--normal", mask, "-o", tmp_path / "m"), 3, str(mask))


def test_a_table_without_geometries_holds_no_polygon(tmp_path):
    raw = pytest.importorskip("pyogrio.raw")
    scene, table = write(tmp_path / "a.tif", land()), tmp_path / "t.gpkg"
    options = {"driver": "GPKG", "geometry_type": None, "crs": None}
    raw.write(str(table), None, field_data=[np.array([1])], fields=["a"], **options)

    refused(run("train", scene, "--normal", table, "-o", tmp_path / "m"), 3, "holds no polygon")


def test_polygons_too_far_for_gdal_to_draw_are_refused(tmp_path):
    scene = write(tmp_path / "a.tif", land(), crs=None, transform=(1e-3, 0, 0, 0, -1e-3, 0))
    far = [[x * 1e8, y * 1e8] for x, y in ([-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1])]
    mask = put(tmp_path / "m.geojson", outline(*far))

    with (
        pytest.raises(RasterError, match="reach over 1073741824 pixels beyond"),
        Scene.of(scene, normal=mask).open(),
    ):
        pass


@broken
def test_an_owner_of_the_lock_that_is_none_leaves_the_lock_held(tmp_path, content):
    drop(tmp_path, "a.tif", 5)
    state = tmp_path / "state"
    state.mkdir()
    put(state / OWNER_FILE, content)

    with locked(state, "monitor"), pytest.raises(LockHeld, match="is at work"):
        run_watch(watch(tmp_path), Clock())

    assert read_lock_owner(state) is None


def test_an_owner_of_the_lock_has_texts_and_a_number(tmp_path):
    put(tmp_path / OWNER_FILE, '{"run": [], "pid": {}, "host": 5, "since": null}')

    assert read_lock_owner(tmp_path) is None


KEY = Key("harbour", "a.tif@1", "model", "settings")


def test_numbers_that_json_lacks_become_null_in_an_alert():
    about = event(evidence=evidence(threshold=float("inf")))

    alert = alert_of(about, EventChange.CONFIRMED, Clock()())

    assert json.loads(alert.body)["threshold"] is None
    assert "harbour" in email_message(alert, mail())["Subject"]


def mail():
    return MailConfig(host="localhost", sender="a@b.example", to=["c@d.example"])


class Reader:
    """A channel that reads alerts as all do."""

    name = "reader"

    def send(self, alert):
        email_message(alert, mail())


@broken
def test_an_alert_that_cannot_be_read_waits_and_is_named(tmp_path, content):
    body = content if isinstance(content, str) else "\xff"

    with opened_state(tmp_path) as state:
        alert = Alert(KEY.digest, "harbour", "2025-06-01T03:00:00.000+00:00", body)
        state.announce((), [alert], ["reader"])
        outbox = Outbox(state.database, WaitConfig())
        sent = outbox.send([Reader()], Clock())
        error = outbox.last_error("reader")

    assert sent == 0
    assert error.isprintable()


@pytest.mark.parametrize(
    "name", ["=", "+proj", "proj=", "a=b=c", "EPSG:", "urn:ogc:def:crs:", "{", "[]", "1e99"]
)
def test_polygons_in_a_system_that_is_none_are_refused_in_one_line(tmp_path, name):
    ring = [[0, 0], [9, 0], [9, 9], [0, 0]]
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": name}},
        "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}],
    }
    (tmp_path / "normal.geojson").write_text(json.dumps(document))
    where = Georeference(
        Grid((9, 9), (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), CRS.from_epsg(32633).to_wkt())
    )

    with pytest.raises(RasterError, match="cannot be projected onto") as error:
        read_polygons(tmp_path / "normal.geojson", where, "scene.tif")

    assert "\n" not in str(error.value)
