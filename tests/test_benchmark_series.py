"""benchmarks/series.py, and its part of families.py: the planted changes, and the table."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from click.testing import CliRunner
from support.rasters import land, write

from anomvae.errors import ConfigError
from benchmarks import families, planted_changes, series
from benchmarks.planted_changes import Change, Trial, before, dated, draw_changes, read, together

DATES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write dates of one place, with classes that differ clearly at every date."""
    folder = tmp_path_factory.mktemp("series")
    still = land((30, 30), bands=3)
    still[:, :, 15:] += 0.5
    for number in range(DATES):
        noise = np.random.default_rng(number).normal(0, 0.01, still.shape)
        write(folder / f"place_2024-{number + 1:02}-05.tif", (still + noise).astype("float32"))
    return folder


def changed(old, new):
    return (read(old) != read(new)).any(axis=-1)


def test_a_block_changes_from_its_date_on_and_no_other_pixel_does(folder, tmp_path):
    dates = dated(folder)
    assert dates == sorted(folder.iterdir())

    (trial,) = together(dates, 3, tmp_path)

    expected = np.zeros((DATES, 30, 30), bool)
    for change in trial.changes:
        assert planted_changes.FIRST <= change.date < DATES
        expected[change.date :, change.mask] = True
    assert np.array_equal(changed(dates, trial.scored), expected)
    assert len(trial.changes) == planted_changes.BLOCKS
    assert trial.fitted == trial.scored


def test_blocks_keep_their_distance_and_come_from_one_other_class():
    classes = np.repeat([0, 1, 2], 300).reshape(30, 30)

    changes, origin = draw_changes(classes, [9] * 8, np.random.default_rng(0))

    corners = [np.argwhere(change.mask)[0] for change in changes]
    gaps = [np.abs(one - other).max() for one, other in combinations(corners, 2)]
    assert min(gaps) >= planted_changes.SIDE + planted_changes.APART
    for change in changes:
        (planted,) = set(classes.ravel()[origin[change.mask]].tolist())
        assert planted != np.bincount(classes[change.mask]).argmax()


def test_before_fits_no_date_of_the_change(folder, tmp_path):
    dates = dated(folder)

    for trial in before(dates, 0, tmp_path):
        day = len(trial.scored) - 1
        assert not changed(dates[:day], trial.fitted).any()
        assert changed(dates[: day + 1], trial.scored)[day].any()
        assert {change.date for change in trial.changes} == {day}


def test_pixels_of_another_change_have_no_label():
    blocks = [np.zeros((3, 4), bool) for _ in range(2)]
    blocks[0][0, 0] = blocks[1][2, 3] = True
    trial = Trial([], [], [Change(9, block) for block in blocks])

    labels = trial.labels(trial.changes[0])

    assert labels[0, 0] == 1
    assert np.isnan(labels[2, 3])
    assert (labels == 0).sum() == 10


@pytest.mark.parametrize("score", [series.deviation, series.deviation_from_past, series.difference])
def test_an_untrained_detector_finds_a_sudden_change(folder, score):
    block = read(dated(folder))
    block[10:, 4, 5] += 1.0

    assert np.unravel_index(np.argmax(score(block, 10)), (30, 30)) == (4, 5)


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "flag"), [("together", ""), ("before", "--before ")])
def test_the_section_has_a_row_for_every_detector_and_no_path(folder, tmp_path, protocol, flag):
    config = tmp_path / "quick.toml"
    config.write_text('[model]\nfamily = "sequential"\n[training]\nmax_steps = 20\n')
    z = partial(series.untrained, series.deviation_from_past)
    detectors = {"z": z, "trained": partial(series.trained, str(config))}
    dates = dated(folder)[: planted_changes.FIRST + 2]

    section = families.on_series(dates, protocol, 2, detectors)

    rows = [line.split(" | ") for line in section.text.splitlines() if " ± " in line]
    assert [row[0] for row in rows] == ["| z", "| trained"]
    assert float(rows[0][1].split()[0]) > 0.9
    assert section.name == f"series-{protocol}"
    assert section.command == f"python benchmarks/families.py --series DIR {flag}--seeds 2"
    assert str(folder) not in section.text


def test_too_few_dates_names_without_a_date_and_gaps_are_refused(tmp_path):
    write(tmp_path / "place_2024-01-01.tif", land())
    with pytest.raises(ConfigError, match=r"holds 1 dates; .* from date 9 on"):
        dated(tmp_path)
    write(tmp_path / "coast.tif", land())
    with pytest.raises(ConfigError, match=r"coast\.tif has no date in its name"):
        dated(tmp_path)
    with pytest.raises(ConfigError, match="without data"):
        planted_changes.classes_of(np.full((9, 4, 4, 2), np.nan, "float32"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "Give --scenes, --series, or both"),
        ("--scenes . --family sequential", "Measure it with --series"),
        ("--scenes . --before", "--before is for --series"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, message):
    assert message in CliRunner().invoke(families.main, words).stderr
