"""benchmarks/covariates.py on small land: the planted spectra, and the table."""

import numpy as np
import pytest
from support.rasters import bands_of

from benchmarks.covariates import LANDS, NO_ANNULUS, Variant, draw_land, report

SHAPE = (40, 40)
QUICK = ("training.max_steps=20",)


@pytest.mark.parametrize("kind", LANDS)
def test_a_planted_spectrum_is_normal_at_another_value_of_the_covariate(tmp_path, kind):
    planted = draw_land(kind, tmp_path, 0, plant=True, shape=SHAPE)

    block, labels = bands_of(planted.scene), bands_of(planted.labels)[0] > 0
    values = bands_of(planted.covariate.partition(":")[2])[0].ravel()
    spectra = block.reshape(len(block), -1).T
    assert labels.sum() == 16
    checked = 0
    for pixel in np.flatnonzero(labels):
        twins = np.flatnonzero((spectra == spectra[pixel]).all(axis=1) & ~labels.ravel())
        assert (np.abs(values[twins] - values[pixel]) >= 1).all()
        checked += len(twins)
    assert checked > 10  # the origin of a spectrum can be replaced as well


def test_normal_land_has_no_labels(tmp_path):
    normal = draw_land("categorical", tmp_path, 0, plant=False, shape=SHAPE)

    assert not bands_of(normal.labels).any()


def test_the_table_has_every_land_every_detector_and_rx():
    conditioned = Variant((*QUICK, "model.family=cvae", *NO_ANNULUS), conditioned=True)
    detectors = {"plain": Variant(QUICK), "conditioned": conditioned}

    text = report(LANDS, 1, detectors, SHAPE)

    rows = [line.split(" | ")[0] for line in text.splitlines()]
    assert rows == ["| detector", "| ---", "| plain", "| conditioned", "| rx"]
    assert "| categorical: AUC | AP | height: AUC | AP |" in text
