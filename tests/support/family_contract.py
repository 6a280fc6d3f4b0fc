"""The contract: what every family of autoencoders promises, whatever its parts."""

from functools import cache

import numpy as np
import pytest
import torch

from anomvae.detector import Detector
from anomvae.errors import ConfigError
from anomvae.mapping.scorer import inner
from anomvae.models import LIKELIHOODS
from anomvae.models.families import FAMILIES, Sizes
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.tiling import tiles
from anomvae.testing.simulate import Anomaly, Sensor, draw_place, observe, simulate
from support.model_terms import examples_of, expected_terms
from support.models import examples, untrained
from support.spectra import fit_scene, scene

BANDS = 6
CONTEXT = 5
DATES = 3
PATCH = Annulus(outer=5, guard=1)


def compares_dates(family):
    return family in FAMILIES and FAMILIES[family].view_of(PATCH).compares_dates


def newest_alone(family):
    """Return whether of several dates the newest alone is scored."""
    return FAMILIES[family].view_of(PATCH).most_dates is not None


def scored_shape(family, count):
    """Return the axes of what is scored of so many examples."""
    return (count, DATES) if compares_dates(family) and not newest_alone(family) else (count,)


def build(family, likelihood="gaussian"):
    context = CONTEXT if FAMILIES[family].conditioned else 0
    return untrained(family, likelihood, bands=BANDS, context=context, patch=PATCH)


def example_shape(family):
    """Return the axes of an example before its bands."""
    if FAMILIES[family].of_patches:
        return (PATCH.outer, PATCH.outer)
    return (DATES,) if compares_dates(family) else ()


def batch(family, count=40, bands=BANDS):
    """Draw examples (count, ..., band) and, for a conditioned family, context features."""
    context = torch.randn(count, CONTEXT, generator=torch.Generator().manual_seed(2))
    x = examples(count, *example_shape(family), bands=bands)
    return x, context if FAMILIES[family].conditioned else None


def run(model, x, context=None):
    """Return the input that a model prepares, and its output."""
    prepared = model.prepare(x, context)
    return prepared, model(prepared.x, prepared.context)


def block_for(family, shape, bands=BANDS, seed=2):
    """Draw a scene of as many dates as the family needs."""
    return scene(shape, bands, DATES if compares_dates(family) else 1, seed)


def train(family, block, seed=0, **training):
    return fit_scene(block, seed=seed, model={"family": family}, training=training)


@cache
def fitted(family):
    return train(family, block_for(family, (20, 40), seed=0), max_steps=60)


@cache
def planted_scenes(of_dates):
    """Simulate a normal block, and one with a red roof in its newest date; return it as well."""
    roof = [Anomaly("red roof", (2, 2))]
    if not of_dates:
        planted = simulate((64, 64), 1, anomalies=roof)
        return simulate((64, 64), 0).block, planted.block, planted
    rng = np.random.default_rng(0)
    place = draw_place((64, 64), rng)
    sensor = Sensor(shadow=0)  # shadows that move from day to day are changes as well
    days = [observe(place, rng, anomalies, sensor) for anomalies in ([], [], [], [], [], roof)]
    blocks = [day.block for day in days]
    return np.concatenate(blocks[:5]), np.concatenate(blocks[1:]), days[-1]


class FamilyContract:
    """Tests of one family; a subclass parametrises ``family``."""

    @pytest.mark.parametrize("training", [True, False])
    def test_shapes_and_units(self, family, training):
        model, (x, context) = build(family).train(training), batch(family)

        prepared, output = run(model, x, context)

        scored = scored_shape(family, len(x))
        assert prepared.known.shape == output.kl.shape == scored
        assert output.mean.shape == output.error.shape == prepared.x.shape == (*scored, BANDS)
        assert output.penalty.shape == ()
        assert output.error.isfinite().all()
        assert (output.kl >= 0).all()
        assert torch.equal(output.error, model.likelihood.error(output.mean, prepared.x))

    def test_all_axes_but_the_last_are_batch(self, family):
        model, (x, context) = build(family).eval(), batch(family)

        _, flat = run(model, x, context)
        folded = (each if each is None else each.unflatten(0, (5, 4, 2)) for each in (x, context))
        _, output = run(model, *folded)

        assert torch.allclose(output.mean.flatten(0, 2), flat.mean, atol=1e-6)
        assert torch.allclose(output.kl.flatten(0, 2), flat.kl, atol=1e-6)

    def test_the_kl_is_not_negative_where_the_code_is_near_its_prior(self, family):
        model = build(family).eval()
        for parameter in model.parameters():
            parameter.data *= 1e-4

        assert (run(model, *batch(family, 5000))[1].kl >= 0).all()

    @pytest.mark.parametrize("likelihood", LIKELIHOODS)
    def test_gradients_reach_every_trainable_parameter(self, family, likelihood):
        model, (x, context) = build(family, likelihood).train(), batch(family)
        if FAMILIES[family].context_network is not None:
            x[0] = torch.nan  # missing neighbours have parameters as well

        prepared, output = run(model, x, context)
        FAMILIES[family].objective(output)[prepared.known].mean().backward()

        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name
                assert (parameter.grad != 0).any(), name

    def test_noise_is_learnt_per_band(self, family):
        sigma = fitted(family).model.likelihood.sigma

        assert (sigma < 1).all()
        assert len(sigma.unique()) == BANDS

    def test_scores_repeat_to_the_bit_after_saving_and_loading(self, family, tmp_path):
        detector, block = fitted(family), block_for(family, (9, 7))
        path = tmp_path / "model.safetensors"

        detector.save(path)
        loaded = Detector.load(path)

        assert loaded.card == detector.card
        assert loaded.to_bytes() == detector.to_bytes()
        scores = np.stack(detector.score(block)).tobytes()
        assert np.stack(detector.score(block)).tobytes() == scores
        assert np.stack(loaded.score(block)).tobytes() == scores

    def test_scores_are_those_of_the_model_that_was_trained(self, family):
        detector = fitted(family)
        x = examples_of(detector)

        terms = np.stack(detector.score_examples(x)[:3])

        assert terms == pytest.approx(expected_terms(detector, x), rel=1e-4, abs=1e-4)

    @pytest.mark.parametrize(("bands", "hidden"), [(2, (10, 7)), (5, (50, 50)), (11, (10, 7))])
    def test_a_score_has_the_same_bits_in_any_order(self, family, bands, hidden):
        block = block_for(family, (30, 50), bands)
        order = np.random.default_rng(0).permutation(1500)
        detector = fit_scene(
            block_for(family, (10, 20), bands, seed=0),
            model={"family": family, "hidden": hidden, "latent": 2},
            training={"max_steps": 2},
            score={"noise": "covariance", "linear": 0.5},
        )
        x = detector.view.split(block, np.ones(block.shape[:-1], bool))[:]

        straight, shuffled = (np.stack(detector.score_examples(each)[:3]) for each in (x, x[order]))

        assert shuffled.tobytes() == straight[:, order].tobytes()

    @pytest.mark.parametrize("size", [(1, 1), (7, 16), (40, 3), (64, 64)])
    def test_scores_do_not_depend_on_tiles_to_the_bit(self, family, size):
        detector, block = fitted(family), block_for(family, (41, 37))
        block[:, 5:9, 30:33] = np.nan
        if size == (1, 1):
            block = block[:, :6, :9]  # one batch per tile
        whole = detector.score(block)
        mosaic = np.full((4, *block.shape[:-1]), np.inf, np.float32)

        for tile in tiles(block.shape[1:3], size, halo=detector.radius):
            terms = inner(detector.score(block[:, *tile.read]), tile)
            mosaic[:, :, *tile.keep] = np.stack(terms)

        assert mosaic.tobytes() == np.stack(whole).tobytes()

    def test_scores_are_nan_exactly_where_a_band_has_no_data(self, family):
        block = block_for(family, (6, 5))
        block[0, 1, 2] = np.nan
        block[0, 4, 0, 3] = np.nan
        block[-1, 4, 1, 5] = np.inf

        terms = fitted(family).score(block)

        expected = np.zeros(block.shape[:-1], bool)
        expected[0, 1, 2] = expected[0, 4, 0] = expected[-1, 4, 1] = True
        if compares_dates(family):  # the first date of a pixel has nothing to compare with
            expected[0] = expected[1, 1, 2] = expected[1, 4, 0] = True
        if newest_alone(family):
            expected[:-1] = True
        for term in terms:
            assert term.shape == block.shape[:-1]
            assert term.dtype == np.float32
            assert np.array_equal(np.isnan(term), expected)

    def test_a_block_without_data_scores_nan(self, family):
        terms = fitted(family).score(np.full((2, 4, 3, BANDS), np.nan, np.float32))

        assert all(np.isnan(term).all() and term.shape == (2, 4, 3) for term in terms)

    @pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
    def test_a_planted_anomaly_ranks_near_the_top_of_another_scene(self, family, seed):
        normal, block, planted = planted_scenes(compares_dates(family))
        share = 0.05  # roofs, which are rare but normal, are 3 % of the land

        scores = train(family, normal, seed, max_steps=150, batch_size=256).score(block).total[-1]

        anomalous = scores[planted.labels == 1]
        assert anomalous.min() > np.quantile(scores[planted.valid], 1 - share)

    def test_spectra_are_drawn_from_a_prior_alone(self, family):
        detector = fitted(family)

        if detector.model.prior is None:
            with pytest.raises(
                ConfigError, match=rf"model.family = '{family}' has no prior.*such as 'vae'"
            ):
                detector.sample(5, seed=0)
        else:
            assert detector.sample(5, seed=0).shape == (5, BANDS)

    @pytest.mark.parametrize("sizes", [(1, 1, (2,)), (3, 5, (4, 4, 4))])
    def test_any_sizes_make_a_model(self, family, sizes):
        model = FAMILIES[family].build(Sizes(*sizes, patch=PATCH))

        assert run(model, batch(family, 2, sizes[0])[0])[1].mean.shape[-1] == sizes[0]
