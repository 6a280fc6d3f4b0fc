"""benchmarks/covariates.py on small land: what it plants, and what it prints."""

import numpy as np
import pytest
from click.testing import CliRunner
from support.rasters import bands_of

from benchmarks import covariates
from benchmarks.covariates import LANDS, draw_land, main


@pytest.fixture(autouse=True)
def small(monkeypatch):
    quick = ("training.max_steps=20",)
    told = (*quick, "model.family=cvae", *covariates.NO_RING)
    monkeypatch.setattr(covariates, "SHAPE", (40, 40))
    monkeypatch.setattr(covariates, "DETECTORS", {"plain": (quick, False), "told": (told, True)})


@pytest.mark.parametrize("kind", LANDS)
def test_a_planted_spectrum_is_usual_at_another_value_of_the_covariate(tmp_path, kind):
    land = draw_land(kind, tmp_path, 0, plant=True)

    block, labels = bands_of(land.scene), bands_of(land.labels)[0] > 0
    told = bands_of(land.covariate.partition(":")[2])[0]
    spectra, known = block.reshape(len(block), -1).T, told.ravel()
    assert labels.sum() == 16
    checked = 0
    for place in np.flatnonzero(labels):
        twins = np.flatnonzero((spectra == spectra[place]).all(axis=1) & ~labels.ravel())
        assert (np.abs(known[twins] - known[place]) >= 1).all()
        checked += len(twins)
    assert checked > 10  # where it came from may have been given another one as well


def test_normal_land_has_nothing_planted(tmp_path):
    assert not bands_of(draw_land("categorical", tmp_path, 0, plant=False).labels).any()


def test_the_table_has_a_row_for_every_detector_and_rx():
    done = CliRunner().invoke(main, ["--seeds", "1", "--land", "categorical"])

    assert done.exit_code == 0, done.output
    rows = [line.split(" | ")[0] for line in done.output.splitlines() if line.startswith("| ")]
    assert rows == ["| detector", "| ---", "| plain", "| told", "| rx"]
