import logging

import pytest
from support.spectra import fit, spectra

from anomvae.detector import Detector
from anomvae.stats.latent import LatentStatistics


def test_units_above_a_hundredth_of_a_nat_are_active():
    assert LatentStatistics(units=(0.0, 0.01, 0.0101, 3.0)).active == 2


@pytest.mark.parametrize(
    ("statistics", "advice"),
    [
        (
            LatentStatistics(units=(0.005, 0.0)),
            ("none of 2", "beta = 1", "kl_warm_up = 0.5", "free_bits = 1"),
        ),
        (
            LatentStatistics(perplexity=1.4),
            ("perplexity 1.4", "more pixels", "smaller training.trim"),
        ),
        (LatentStatistics(), None),
        (LatentStatistics(units=(0.0, 0.02), levels=(0.0, 0.02)), None),
        (LatentStatistics(perplexity=1.5), None),
    ],
)
def test_a_collapsed_code_is_explained_with_advice_and_another_is_not(statistics, advice):
    if advice is None:
        assert statistics.collapse is None
    else:
        assert all(words in statistics.collapse for words in advice)


def test_a_collapsed_code_is_warned_of_when_training_ends(caplog):
    training = {"max_steps": 150, "beta": 1000.0}

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        detector = fit(spectra(500), training=training)

    assert detector.card.training.latent.active == 0
    assert caplog.messages == [detector.card.training.latent.collapse]


def test_a_codebook_with_a_single_effective_code_is_warned_of(caplog):
    x = spectra(1).repeat(1000, 0)
    x[0] = spectra(2)[1]

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        fit(x, model={"family": "vq-vae"}, training={"max_steps": 20})

    assert "nearly all pixels have the same one (perplexity 1)" in caplog.text


@pytest.mark.parametrize(
    ("family", "statistics"),
    [
        ("ae", set()),
        ("vae", {"units"}),
        ("hierarchical", {"units", "levels"}),
        ("vq-vae", {"perplexity"}),
    ],
)
def test_latent_statistics_are_saved_with_the_detector(family, statistics, tmp_path, caplog):
    detector = fit(spectra(1000), model={"family": family}, training={"max_steps": 150})
    detector.save(tmp_path / "model.safetensors")

    kept = Detector.load(tmp_path / "model.safetensors").card.training.latent

    assert {name for name, value in vars(kept).items() if value} == statistics
    assert kept == detector.card.training.latent
    assert not caplog.messages
