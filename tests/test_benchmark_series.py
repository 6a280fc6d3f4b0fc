"""benchmarks/series.py, and its part of families.py: what is planted, and what is printed."""

from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from support.rasters import land, write

from anomvae.errors import ConfigError
from benchmarks import families, record, series
from benchmarks.series import Change, Trial, before, dated, draw_changes, read, together

DATES = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write dates of one place, with classes that keep apart whatever the date."""
    folder = tmp_path_factory.mktemp("series")
    still = land((30, 30), bands=3)
    still[:, :, 15:] += 0.5
    for number in range(DATES):
        noise = np.random.default_rng(number).normal(0, 0.01, still.shape)
        write(folder / f"place_2024-{number + 1:02}-05.tif", (still + noise).astype("float32"))
    return folder


def changed(old, new):
    return (read(old) != read(new)).any(axis=-1)


def test_dates_come_in_the_order_of_their_names(place):
    assert [path.name[6:13] for path in dated(place)] == [f"2024-{n:02}" for n in range(1, 13)]


def test_a_block_is_of_another_class_from_its_date_on_and_nothing_else_changes(place, tmp_path):
    dates = dated(place)

    (trial,) = together(dates, 3, tmp_path)

    expected = np.zeros((DATES, 30, 30), bool)
    for change in trial.changes:
        assert series.FIRST <= change.date < DATES
        expected[change.date :, change.where] = True
    assert np.array_equal(changed(dates, trial.scored), expected)
    assert len(trial.changes) == series.BLOCKS
    assert trial.fitted == trial.scored


def test_blocks_lie_apart():
    classes = np.arange(900).reshape(30, 30) % 5

    changes, _ = draw_changes(classes, [9] * 8, np.random.default_rng(0))

    corners = [np.argwhere(change.where)[0] for change in changes]
    for number, one in enumerate(corners):
        for other in corners[:number]:
            assert np.abs(one - other).max() >= series.SIDE + series.APART


def test_what_is_given_comes_from_one_other_class():
    classes = np.repeat([0, 1, 2], 300).reshape(30, 30)

    changes, origin = draw_changes(classes, [9] * 8, np.random.default_rng(0))

    for change in changes:
        (given,) = set(classes.ravel()[origin[change.where]].tolist())
        assert given != np.bincount(classes[change.where]).argmax()


def test_before_fits_no_date_of_the_change(place, tmp_path):
    dates = dated(place)

    for trial in before(dates, 0, tmp_path):
        day = len(trial.scored) - 1
        assert not changed(dates[:day], trial.fitted).any()
        assert changed(dates[: day + 1], trial.scored)[day].any()
        assert {change.date for change in trial.changes} == {day}


def test_pixels_of_another_change_count_neither_as_changed_nor_as_normal():
    blocks = [np.zeros((3, 4), bool) for _ in range(2)]
    blocks[0][0, 0] = blocks[1][2, 3] = True
    trial = Trial([], [], [Change(9, block) for block in blocks])

    labels = trial.labels(trial.changes[0])

    assert labels[0, 0] == 1
    assert np.isnan(labels[2, 3])
    assert (labels == 0).sum() == 10


@pytest.mark.parametrize("score", [series.deviation, series.deviation_from_past, series.difference])
def test_a_plain_detector_finds_a_pixel_that_leaps(place, score):
    block = read(dated(place))
    block[10:, 4, 5] += 1.0

    assert np.unravel_index(np.argmax(score(block, 10)), (30, 30)) == (4, 5)


@pytest.mark.parametrize("protocol", ["together", "before"])
def test_the_table_has_every_detector_and_is_recorded(place, tmp_path, monkeypatch, protocol):
    config = tmp_path / "quick.toml"
    config.write_text('[model]\nfamily = "sequential"\n[training]\nmax_steps = 20\n')
    z = partial(series.plain, series.deviation_from_past)
    some = {"z": z, "learnt": partial(series.learnt, str(config))}
    monkeypatch.setattr(series, "DETECTORS", some)
    monkeypatch.setattr(families, "DETECTORS", some)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results.md")
    flags = ["--before"] if protocol == "before" else []

    done = CliRunner().invoke(
        families.main, ["--series", str(place), *flags, "--seeds", "2", "--record"]
    )

    assert done.exit_code == 0, done.output
    rows = [line.split(" | ") for line in done.stdout.splitlines() if " ± " in line]
    assert [row[0] for row in rows] == ["| z", "| learnt"]
    assert float(rows[0][1].split()[0]) > 0.9
    told = (tmp_path / "results.md").read_text()
    assert f"<!-- series-{protocol} -->" in told
    assert done.stdout.strip() in told
    assert str(place) not in told


def test_a_name_without_a_date_is_refused(tmp_path):
    write(tmp_path / "coast.tif", land())

    with pytest.raises(ConfigError, match=r"coast\.tif has no date in its name"):
        dated(tmp_path)


def test_too_few_dates_are_refused(tmp_path):
    write(tmp_path / "place_2024-01-01.tif", land())

    with pytest.raises(ConfigError, match=r"holds 1 dates; .* from date 9 on"):
        dated(tmp_path)


def test_a_series_with_gaps_is_refused():
    with pytest.raises(ConfigError, match="without data"):
        series.classes_of(np.full((9, 4, 4, 2), np.nan, "float32"))


def test_one_of_both_is_needed_and_dates_need_a_series(place):
    alone = CliRunner().invoke(families.main, [])
    scenes = CliRunner().invoke(families.main, ["--scenes", str(place), "--family", "sequential"])
    before = CliRunner().invoke(families.main, ["--scenes", str(place), "--before"])

    assert "Give --scenes, --series, or both" in alone.stderr
    assert "Measure it with --series" in scenes.stderr
    assert "--before is for --series" in before.stderr
