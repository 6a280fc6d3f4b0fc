"""What people answer about events becomes labels that ``anomvae evaluate`` reads."""

import json

import numpy as np
import pytest
from support.archives import DAYS, LASTING, VANISHING
from support.rasters import bands_of, run

UNKNOWN = 255


def monitor(folder, command, *options):
    return run("monitor", command, folder / "watch.toml", *options)


def answer(folder, command, event):
    assert monitor(folder, command, event, "--reason", "seen").code == 0


def labels(folder, *options):
    """Write labels, and read them; axes (row, col)."""
    path = folder / "labels.tif"
    written = monitor(folder, "labels", "harbour", "-o", path, "--overwrite", *options)
    assert (written.code, written.err) == (0, "")
    (values,) = bands_of(path)
    return values, written.out


def ground(corner, value, other=0):
    """Return labels of which the object with a corner has a value."""
    values = np.full((40, 48), other, "uint8")
    values[corner[0] : corner[0] + 2, corner[1] : corner[1] + 2] = value
    return values


def test_evaluate_measures_a_map_against_what_people_answered(own):
    answer(own, "ack", "harbour-2")
    (map_,) = (own / "maps").glob(f"*/site_{DAYS[-1]}.anomaly.tif")

    values, text = labels(own, "--on", str(DAYS[-1]))
    scene = own / "in" / f"site_{DAYS[-1]}.tif"
    options = ("--labels", own / "labels.tif", "--baselines", "none", "--json")
    measured = run("evaluate", scene, map_, *options)

    truth = ground(LASTING, 1)
    assert np.array_equal(values, truth)
    assert text.endswith("pixels: 4 anomalous, 1916 normal, 0 unknown\n")
    (flags,) = bands_of(map_.with_name(f"site_{DAYS[-1]}.flags.tif"))
    valid = flags <= 1
    (row,) = json.loads(measured.out)["detectors"].values()
    expected = {
        "pixels": valid.sum(),
        "anomalous": 4,
        "true_positive": (flags[valid] & truth[valid]).sum(),
        "false_positive": (flags[valid] & ~truth[valid] & 1).sum(),
        "roc_auc": 1.0,
    }
    assert {name: row[name] for name in expected} == expected


def test_what_nobody_knows_is_no_data(own):
    answer(own, "ack", "harbour-2")
    before, _ = labels(own, "--on", str(DAYS[1]))  # it had not begun
    answer(own, "mute", "harbour-2")
    answer(own, "ack", "harbour-1")  # closed, and no pixel of the map shows it any more
    muted, _ = labels(own)
    answer(own, "reject", "harbour-2")
    answer(own, "reject", "harbour-1")
    rejected, _ = labels(own)

    assert np.array_equal(before, ground(LASTING, UNKNOWN))
    assert np.array_equal(muted, ground(LASTING, UNKNOWN) + ground(VANISHING, UNKNOWN))
    assert not rejected.any()


def test_labels_are_features_with_the_answers(own):
    answer(own, "ack", "harbour-2")
    answer(own, "reject", "harbour-1")
    path = own / "labels.geojson"
    other = monitor(own, "labels", "harbour", "-o", own / "labels.shp")

    written = monitor(own, "labels", "harbour", "-o", path)

    assert (other.code, "a raster (.tif) or polygons (.geojson)" in other.err) == (2, True)
    features = json.loads(path.read_text())["features"]
    kinds = [(each["properties"]["event"], each["properties"]["label"]) for each in features]
    assert kinds == [("harbour-1", 0), ("harbour-2", 1)]
    assert features[1]["properties"]["reason"] == "seen"
    assert features[1]["geometry"]["type"] == "MultiPolygon"
    assert written.out == (f"{path}: events: 1 acknowledged, 1 rejected, 0 muted or not answered\n")


@pytest.mark.parametrize(
    ("site", "spoil", "code", "words"),
    [
        ("harbor", None, 2, "Did you mean 'harbour'?"),
        ("harbour", None, 2, "No event of 'harbour' is acknowledged or rejected"),
        ("harbour", "maps/harbour.persistence.tif", 3, "harbour.persistence.tif, the persistence"),
        ("harbour", "labels.tif", 3, "--overwrite"),
    ],
)
def test_labels_that_cannot_be_written_are_one_line(own, site, spoil, code, words):
    if spoil is not None:
        answer(own, "ack", "harbour-2")
        (own / spoil).unlink(missing_ok=True)
        (own / "labels.tif").write_text("mine") if spoil == "labels.tif" else None

    result = monitor(own, "labels", site, "-o", own / "labels.tif")

    assert (result.code, result.out, words in result.err) == (code, "", True)
    assert len(result.err.splitlines()) == 1
