"""Rules of held-out scores: every block is held out once, from a twin of the detector."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from support.rasters import BANDS, land, write

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import NotEnoughPixels
from anomvae.fitting import Selection, train
from anomvae.fitting.run import Fit
from anomvae.parallel import quiet
from anomvae.raster import Scene
from anomvae.stats.thresholds import parse_rule
from anomvae.training.sampling import cut_blocks, fold_blocks

SHORT = resolve_config("default", ["training.max_steps=10"]).config
SMALL = resolve_config("small-objects", ["training.max_steps=10"]).config
RULES = ["conformal:0.01", "fdr:0.1"]
SHAPE = (48, 48)


def scores_of(detector, path):
    with Scene.of(path).open() as opened:
        rows, cols = opened.grid.shape
        return detector.score(opened.read((slice(0, rows), slice(0, cols)))).total[0]


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", land(SHAPE, seed=1))


def crossed(config, rule="conformal:0.01"):
    """Return a configuration with a rule that needs held-out scores."""
    return replace(config, threshold=rule)


class Steps:
    """Keep the progress of each step."""

    def __init__(self):
        self.calls = {}

    def __call__(self, step, done, total):
        self.calls.setdefault(step, []).append((done, total))


@pytest.mark.parametrize("config", [SHORT, SMALL], ids=["default", "small-objects"])
def test_every_pixel_has_one_score_of_a_detector_that_read_neither_it_nor_what_is_near(
    scene, config
):
    detector = train([scene], crossed(config), seed=3)

    fit = Fit.of([scene], config, 3, Selection(), quiet)
    radius = fit.plan.radius
    expected = []
    for fold in fold_blocks(SHAPE, 3, 0, radius):
        away = fold.inside((slice(0, SHAPE[0]), slice(0, SHAPE[1])))
        if away.any():
            near = maximum_filter(away, 2 * radius + 1, mode="constant")
            twin = fit.detector([fold])
            assert twin.card.training.pixels == (~near).sum()
            expected.append(scores_of(twin, scene)[away])
    kept = detector.scores.held_out  # up to 5120 scores are kept one by one
    assert np.array_equal(kept.values, np.sort(np.concatenate(expected)).astype(float))
    assert kept.count == detector.scores.all.count == 48 * 48
    assert detector.threshold.held_out
    rate = detector.card.held_out
    assert (rate.rate, rate.pixels) == (detector.threshold.fpr, 48 * 48)
    assert rate.blocks == cut_blocks(SHAPE, radius).chosen.size
    assert 0 < rate.low < rate.rate < rate.high


def test_a_rule_of_held_out_scores_changes_no_score_and_repeats(scene):
    one, other, same = (train([scene], each) for each in (SHORT, crossed(SHORT), crossed(SHORT)))

    assert np.array_equal(scores_of(one, scene), scores_of(other, scene))
    assert other.to_bytes() == same.to_bytes()


@pytest.mark.parametrize(
    ("rule", "trainings"),
    [("auto", 1), ("quantile:0.01", 1), ("budget:5", 1), *((rule, 5) for rule in RULES)],
)
def test_rules_of_held_out_scores_alone_train_more_than_once(scene, rule, trainings):
    steps = Steps()

    train([scene], crossed(SHORT, rule), progress=steps)

    assert max(total for _, total in steps.calls["train"]) == 10 * trainings
    for calls in steps.calls.values():
        shares = [done / total for done, total in calls]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_held_out_scores_of_several_scenes_are_those_of_all_their_blocks(tmp_path, scene):
    small = write(tmp_path / "small.tif", land((8, 12), seed=5))

    detector = train([scene, small], crossed(SHORT))

    rate = detector.card.held_out
    assert (rate.pixels, rate.blocks) == (48 * 48 + 8 * 12, 64 + 6)


def test_a_normal_area_in_a_single_block_has_no_held_out_scores(tmp_path, scene):
    normal = np.zeros((1, *SHAPE), "uint8")
    normal[0, :6, :6] = 1
    mask = write(tmp_path / "mask.tif", normal, nodata=None)

    with pytest.raises(NotEnoughPixels, match="needs pixels that training did not read"):
        train([scene], crossed(SHORT), select=Selection(normal=[mask]))


def test_a_promise_is_kept_better_though_a_rare_material_lies_in_few_blocks(tmp_path):
    """It covers 2.3 % of either half of a scene, in 3 blocks of 64; the promise is 1 %."""

    def rates(seed):
        values, other = land((48, 96), seed=seed), np.linspace(0.1, -0.1, BANDS)[:, None, None]
        for half in values[..., :48], values[..., 48:]:
            for spot in np.random.default_rng(seed).permutation(64)[:3]:
                row, col = 6 * (spot // 8), 6 * (spot % 8)
                half[:, row : row + 6, col : col + 3] += other
        path, new = (
            write(tmp_path / name, part)
            for name, part in (("a.tif", values[..., :48]), ("b.tif", values[..., 48:]))
        )
        fifth = train([path], SHORT, seed).with_threshold(parse_rule("conformal:0.01"))
        all_blocks = train([path], crossed(SHORT, "conformal:0.01"), seed)
        scores = scores_of(fifth, new)
        return [(scores > each.threshold.value).mean() for each in (fifth, all_blocks)]

    fifth, all_blocks = np.transpose([rates(seed) for seed in range(3)])

    def off(rates):
        return np.abs(np.log(np.maximum(rates, 1e-4) / 0.01)).mean()

    assert off(all_blocks) < off(fifth) / 2, (fifth, all_blocks)


def test_a_rule_chosen_later_names_the_training_that_holds_out_all_blocks(tmp_path, scene, caplog):
    caplog.set_level("INFO", logger="anomvae")
    for name, config in (("fifth", SHORT), ("all", crossed(SHORT))):
        train([scene], config).save(tmp_path / name)
        caplog.clear()

        anomvae.load(tmp_path / name, threshold="conformal:0.02")

        advice = "normal pixels; `anomvae train --threshold conformal:0.02` from all"
        assert (advice in caplog.text) == (name == "fifth")
