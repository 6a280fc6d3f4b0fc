"""The plan: a configuration and its family, with every ``auto`` resolved."""

import pytest
from support.spectra import plan_of

from anomvae.errors import ConfigError
from anomvae.models.families import FAMILIES, Sizes
from anomvae.models.objectives import Elbo
from anomvae.pixels.annulus import Annulus


@pytest.mark.parametrize(
    ("situation", "trim", "noise", "threshold"),
    [
        ({}, 0.05, "band", "log-sigma:3"),
        ({"in_sample": True}, 0.05, "covariance", "log-sigma:3"),
        ({"clean": True}, 0.0, "band", "gaussian:3"),
    ],
)
def test_auto_depends_on_how_the_detector_is_fitted(situation, trim, noise, threshold):
    plan = plan_of(**situation)

    assert (plan.trim, plan.noise(6), str(plan.threshold)) == (trim, noise, threshold)


@pytest.mark.parametrize(
    ("situation", "rule", "otherwise"),
    [
        ({}, "log-sigma:3+local:2", None),
        ({"in_sample": True, "clean": True}, "log-sigma:3+local:2", None),
        ({"clean": True}, "gaussian:3+local:2", "log-sigma:3+local:2"),
    ],
)
def test_a_condition_is_added_to_the_automatic_rule(situation, rule, otherwise):
    threshold = plan_of(threshold="auto+local:2", **situation).threshold

    assert str(threshold) == rule
    assert otherwise == (threshold.otherwise and str(threshold.otherwise))


def test_a_rule_that_is_set_gives_way_to_no_other():
    assert plan_of(threshold="gaussian:3", clean=True).threshold.otherwise is None


@pytest.mark.parametrize("situation", [{}, {"in_sample": True, "clean": True}])
def test_values_that_are_set_stay(situation):
    plan = plan_of(
        training={"trim": 0.1}, score={"noise": "unit"}, threshold="fixed:7", **situation
    )

    assert (plan.trim, plan.noise(6), str(plan.threshold)) == (0.1, "unit", "fixed:7")


@pytest.mark.parametrize(
    ("bands", "latent", "hidden"),
    [
        (1, 1, (64, 32)),
        (4, 2, (64, 32)),
        (13, 6, (64, 32)),
        (32, 8, (64, 32)),
        (33, 8, (128, 64)),
        (400, 8, (128, 64)),
    ],
)
def test_sizes_follow_the_bands(bands, latent, hidden):
    assert plan_of().sizes(bands) == Sizes(bands, latent, hidden)


def test_sizes_that_are_set_stay():
    plan = plan_of(model={"latent": 3, "hidden": [7], "patch": [9, 5]})

    assert plan.sizes(4, 15) == Sizes(4, 3, (7,), 15, Annulus(9, 5))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_objective_is_that_of_the_family_unless_it_is_set(family):
    settings = {"beta": 0.0, "kl_warm_up": 0.0, "free_bits": 0.2}

    plain, changed = (
        plan_of(model={"family": family}, training=training) for training in ({}, settings)
    )

    default = FAMILIES[family].objective
    assert plain.objective == default
    assert changed.objective == Elbo(0.0, 0.0, 0.2, default.adversarial)


@pytest.mark.parametrize(
    ("family", "view", "whole"), [("vae", 0, 0), ("spatial", 4, 4), ("cvae", 0, 7)]
)
def test_the_radius_is_that_of_view_and_context(family, view, whole):
    plan = plan_of(model={"family": family, "patch": [9, 3]})

    assert (plan.view.radius, plan.radius) == (view, whole)
    assert (plan.context is not None) == (family == "cvae")


def test_covariates_alone_are_enough_of_a_context():
    none = {"mean_components": 0, "std_components": 0}

    plan = plan_of(covariates=True, model={"family": "cvae"}, context=none)

    assert plan.context.mean_components == 0
    with pytest.raises(ConfigError, match=r"'cvae' is conditioned on nothing.* Give --covariates"):
        plan_of(model={"family": "cvae"}, context=none)


def test_covariates_are_refused_by_a_family_that_is_not_conditioned():
    with pytest.raises(ConfigError, match=r"'vae' takes no covariates\. Give --set model.family="):
        plan_of(covariates=True)
