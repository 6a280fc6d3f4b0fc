import logging

import pytest
import torch
from support.spectra import fit, spectra

from anomvae.detector import Detector
from anomvae.models import Gaussian, Ladder
from anomvae.stats.latent import LatentStatistics


@pytest.mark.parametrize(("part", "units"), [(Gaussian, 3), (Ladder, 4)])
def test_kl_per_unit_adds_up_to_the_kl(part, units):
    torch.manual_seed(0)
    made, h = part(8, 3).eval().requires_grad_(False), torch.randn(10, 4, 8)

    latent_statistics = made.latent_statistics(h)

    assert len(latent_statistics.units) == units
    assert sum(latent_statistics.units) == pytest.approx(float(made(h).kl.mean()), abs=1e-3)


def test_units_above_a_hundredth_of_a_nat_are_active():
    assert LatentStatistics(units=(0.0, 0.01, 0.0101, 3.0)).active == 2


@pytest.mark.parametrize(
    ("latent_statistics", "words"),
    [
        (LatentStatistics(units=(0.005, 0.0)), r"none of 2 .*beta = 1.*kl_warm_up.*free_bits"),
        (
            LatentStatistics(perplexity=1.4),
            r"perplexity 1\.4.* more pixels.* smaller training\.trim",
        ),
    ],
)
def test_a_collapsed_code_says_what_to_do(latent_statistics, words):
    with pytest.raises(ValueError, match=words):
        raise ValueError(latent_statistics.collapse)


@pytest.mark.parametrize(
    "latent_statistics",
    [
        LatentStatistics(),
        LatentStatistics(units=(0.0, 0.02), levels=(0.0, 0.02)),
        LatentStatistics(perplexity=1.5),
    ],
)
def test_a_code_that_is_used_has_not_collapsed(latent_statistics):
    assert latent_statistics.collapse is None


def test_a_collapsed_code_is_warned_of_when_training_ends(caplog):
    training = {"max_steps": 150, "beta": 1000.0}

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        detector = fit(spectra(500), training=training)

    assert detector.card.training.latent.active == 0
    assert caplog.messages == [detector.card.training.latent.collapse]


def test_a_codebook_of_which_one_code_is_used_is_warned_of(caplog):
    x = spectra(1).repeat(1000, 0)
    x[0] = spectra(2)[1]

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        fit(x, model={"family": "vq-vae"}, training={"max_steps": 20})

    assert "nearly all pixels have the same one (perplexity 1)" in caplog.text


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("ae", set()),
        ("vae", {"units"}),
        ("hierarchical", {"units", "levels"}),
        ("vq-vae", {"perplexity"}),
    ],
)
def test_what_a_code_carries_is_kept_with_the_detector(family, told, tmp_path, caplog):
    detector = fit(spectra(1000), model={"family": family}, training={"max_steps": 150})
    detector.save(tmp_path / "model.safetensors")

    kept = Detector.load(tmp_path / "model.safetensors").card.training.latent

    assert {name for name, value in vars(kept).items() if value} == told
    assert kept == detector.card.training.latent
    assert not caplog.messages
