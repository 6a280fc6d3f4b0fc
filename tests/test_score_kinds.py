"""Kinds of scores: each is what it is called, for every family that has it, and is kept."""

from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np
import pytest
import torch
from support.families import TRAINED_OTHERWISE
from support.model_mutants import mutants
from support.spectra import fit_scene, plan_of, scene

from anomvae.config import build_config
from anomvae.detector import Detector
from anomvae.errors import AnomvaeError, ConfigError, ModelFileError
from anomvae.models.families import FAMILIES
from anomvae.stats.score_kind import parse_kind

KINDS = ("elbo", "reconstruction", "kl", "iwae:3", "latent")
REFUSED = {("ae", "kl"), ("ae", "iwae:3"), ("vq-vae", "iwae:3")}
ALL = [(family, kind) for family in FAMILIES for kind in KINDS if (family, kind) not in REFUSED]
EVERY = [
    pytest.param(*row, marks=pytest.mark.slow) if row[0] in TRAINED_OTHERWISE else row
    for row in ALL
]


def block_for(family, shape=(11, 9)):
    return scene(shape, 6, 3 if plan_of(model={"family": family}).view.compares_dates else 1, 2)


@cache
def fitted(family="vae", kind="iwae:3", **score):
    score = {"kind": kind, "noise": "covariance", **score}
    block = block_for(family)
    return fit_scene(block, model={"family": family}, training={"max_steps": 20}, score=score)


def examples_of(detector):
    block = block_for(detector.card.family)
    return detector.view.split(block, detector.view.where(block))[:]


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_contributions_of_every_kind_add_up_to_terms_that_are_finite_and_not_negative(family, kind):
    detector = fitted(family, kind)
    x = examples_of(detector)

    parts, terms = detector.contributions(x), detector.score_examples(x)

    for part, term in zip(parts[:3], terms[:3], strict=True):
        assert np.isfinite(part).all()
        assert (part >= 0).all()
        assert (term >= 0).all()
        np.testing.assert_allclose(part.sum(-1), term, rtol=1e-5, atol=1e-6)
    assert terms.total.any()
    names = detector.code_names
    assert parts.kl.shape[-1] in {len(names), 0 if family == "ae" else len(names)}


@pytest.mark.parametrize("kind", KINDS)
def test_far_pixels_score_higher_than_any_other_and_stay_finite(kind):
    detector = fitted(kind=kind, linear=1.0)
    x = examples_of(detector)
    far = np.concatenate([x[:8], np.full((1, 6), 3e38), np.full((1, 6), -3e38)]).astype("f4")

    scores, parts = detector.score_examples(far).total, detector.contributions(far)

    assert np.isfinite(scores).all()
    assert scores[8:].min() > scores[:8].max()
    assert all(np.isfinite(part).all() for part in parts)


def test_elbo_has_both_terms_and_two_kinds_have_one_of_them():
    x = examples_of(fitted())

    elbo, nll, kl = (fitted(kind=kind).score_examples(x) for kind in KINDS[:3])

    np.testing.assert_array_equal(nll.reconstruction, elbo.reconstruction)
    np.testing.assert_array_equal(kl.kl, elbo.kl)
    assert not nll.kl.any()
    assert not kl.reconstruction.any()
    assert fitted(kind="elbo").card.kind == "elbo"


@pytest.mark.parametrize("family", ["vae", "hierarchical", "cvae", "sequential"])
def test_iwae_is_the_mean_weight_of_its_draws(family):
    detector = fitted(family)
    x = examples_of(detector)
    model, count = detector.model, len(detector.bands)
    scaled = torch.from_numpy(detector.scaler.scale(x[..., :count]))
    features = None
    if detector.context is not None:
        features = torch.from_numpy(detector.context.standardised(x[..., count:]))
    logs = []
    with torch.inference_mode():
        batch = model.prepare(scaled, features)
        for noise in torch.from_numpy(detector.draws):
            draw = model.draw_posterior(batch.x, batch.context, noise)
            residual = batch.x - model.decode(draw.z, batch.context)
            white = (residual.double() - torch.from_numpy(detector.noise.centre)) @ (
                torch.from_numpy(detector.noise.whitening)
            )
            nll = model.likelihood.nll_above_mode(white.square()).sum(-1)
            logs.append((draw.log_ratio - nll).numpy())

    expected = np.maximum(0, -np.log(np.mean(np.exp(logs), axis=0)))

    terms = detector.score_examples(x)
    np.testing.assert_allclose(terms.total, expected, rtol=1e-4, atol=1e-4)
    assert detector.draws.shape == (3, detector.noise_width)


@pytest.mark.parametrize("family", ["ae", "vae", "vq-vae", "hierarchical"])
def test_latent_is_half_the_squared_distance_of_the_code_in_all_levels(family):
    detector = fitted(family, "latent")
    x = examples_of(detector)
    codes = detector.places(x).astype(np.float64)
    assert codes.shape[-1] == (3 + 1 if family == "hierarchical" else 3)

    apart = codes - detector.code_background.centre
    precision = 2 * detector.code_background.whitening @ detector.code_background.whitening

    expected = 0.5 * np.einsum("ni,ij,nj->n", apart, precision, apart)
    np.testing.assert_allclose(detector.score_examples(x).kl, expected, rtol=1e-3, atol=1e-4)
    if family == "vae":  # most training codes, so nearly all of their covariance
        assert np.trace(np.cov(codes.T) @ precision) == pytest.approx(3, rel=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_detector_scores_any_part_of_a_scene_to_the_bit(kind, tmp_path):
    detector, block = fitted(kind=kind), block_for("vae")
    again = fit_scene(
        block, training={"max_steps": 20}, score={"kind": kind, "noise": "covariance"}
    )
    detector.save(tmp_path / "m.safetensors")

    loaded = Detector.load(tmp_path / "m.safetensors")

    whole = np.stack(loaded.score(block))
    assert loaded.id == detector.id == again.id
    part = np.stack(loaded.score(block[:, 3:7, 2:5]))
    assert whole[:, :, 3:7, 2:5].tobytes() == part.tobytes()
    assert whole.tobytes() == np.stack(detector.score(block)).tobytes()
    assert str(parse_kind(kind)) == f"{loaded.card.kind}{':3' if loaded.card.draws else ''}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_local_contrast_weighting_multiplies_the_terms_of_every_kind(kind):
    detector = fitted(kind=kind, local_contrast=0.5, latent_distance=1.0, annulus=(5, 3))

    scores = detector.score(block_for("vae"))

    assert (scores.total == scores.reconstruction + scores.kl + scores.linear).all()
    assert scores.total.std() > 0


def test_other_kinds_have_a_linear_term_only_where_it_is_asked_for():
    x = examples_of(fitted())

    assert fitted(kind="elbo").score_examples(x).linear.any()
    assert not fitted(kind="latent").score_examples(x).linear.any()
    assert fitted(kind="latent", linear=0.5).score_examples(x).linear.any()


@pytest.mark.parametrize(("family", "kind"), sorted(REFUSED))
def test_a_family_without_a_prior_or_a_spread_posterior_is_refused_before_training(family, kind):
    name = kind.partition(":")[0]

    with pytest.raises(ConfigError, match=rf"score\.kind = {name}: the family {family} has "):
        plan_of(model={"family": family}, score={"kind": kind})


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("elob", "Did you mean 'elbo'?"),
        ("iwae", "iwae:16"),
        ("iwae:0", "1 to 1000"),
        ("iwae:1001", "1 to 1000"),
        ("iwae:-3", "1 to 1000"),
        ("iwae:²", "1 to 1000"),
        ("iwae:" + "9" * 5000, "1 to 1000"),
        ("kl:3", "give kl"),
        ("", "Known"),
    ],
)
def test_an_unknown_kind_is_one_line_that_names_the_key_and_what_to_give(text, advice):
    with pytest.raises(ConfigError) as refused:
        build_config({"score": {"kind": text}}, "a.toml")

    assert "score.kind = " in str(refused.value)
    assert advice in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_meaning_of_a_map_names_the_kind():
    assert fitted(kind="kl").meaning.startswith("score = kl, nats")
    assert "bound of 3 draws" in fitted(kind="iwae:3").meaning
    assert "Mahalanobis distance of the code" in fitted(kind="latent").meaning
    weighted = fitted(kind="latent", local_contrast=0.5)
    assert "times the local-contrast weighting" in weighted.meaning


@pytest.mark.parametrize(
    ("family", "kind", "draws", "lack"),
    [
        ("vq-vae", "iwae", 3, "the family vq-vae has one code per pixel"),
        ("ae", "kl", 0, "the family ae has no prior"),
        ("vae", "latent", 0, "codes.centre is missing"),
        ("vae", "iwae", 3, "draws.noise is missing"),
    ],
)
def test_a_card_of_a_kind_that_its_model_lacks_is_refused(family, kind, draws, lack, tmp_path):
    detector = fitted(family, "elbo")
    wrong = replace(detector, card=replace(detector.card, kind=kind, draws=draws))
    wrong.save(tmp_path / "m.safetensors")

    with pytest.raises(ModelFileError, match=lack):
        Detector.load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("kind", ["iwae:3", "latent"])
def test_a_model_of_a_kind_with_one_fault_gives_numbers_or_one_line(kind, tmp_path):
    block, path = block_for("vae", (4, 3)), tmp_path / "m.safetensors"
    refused = 0

    for mutant in islice(mutants(fitted(kind=kind).to_bytes(), seed=1), 60):
        path.write_bytes(mutant.content)
        try:
            scores = Detector.load(path).score(block).total
        except AnomvaeError:
            refused += 1
        else:
            assert np.isfinite(scores).all(), mutant.fault

    assert refused > 30
